"""What people are told of a major incident: the updates of one, and one of them with every text, whom it reaches and what became of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.safestring import SafeString

from incidents import leading, pacing, updating
from incidents.models import Audience, MajorIncident, MajorUpdate
from incidents.models.major import TOLD_STATES
from itsm_backup.common.models import Notice
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.incident_told import MOST_TOLD, MessageRow
from itsm_backup.portal.major_lead import message_of, with_taken
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.words import clock, clock_within, instant, many, person, recent

MOST = 100


@dataclass(frozen=True, kw_only=True)
class UpdateRow:
    link: Link
    state: str
    verdict: str
    when: SafeString
    audiences: str
    who: str


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What the page of a major incident says of what was told, and with what the next is written."""

    rows: tuple[UpdateRow, ...]
    closes: bool
    audiences: tuple[Choice, ...]
    may_write: bool
    draft: Link | None
    refusal: str
    latest: tuple[MessageRow, ...]  # what was sent, newest first
    doing: str  # what was said last to be done


@dataclass(frozen=True, kw_only=True)
class RecipientRow:
    who: str
    address: str
    why: str
    verdict: str
    became: str


@dataclass(frozen=True, kw_only=True)
class MessageCard:
    audience: str
    subject: str
    body: str
    reaches: str
    recipients: tuple[RecipientRow, ...]


@dataclass(frozen=True, kw_only=True)
class WordingRow:
    """What it said from then on, as somebody wrote it."""

    when: SafeString
    who: str
    words: str
    details: str


@dataclass(frozen=True, kw_only=True)
class UpdatePage:
    number: int
    kind: str
    state: str
    major: Link
    title: str
    facts: tuple[tuple[str, str | SafeString], ...]
    words: str
    details: str
    changes: str
    read: str  # which texts are shown: approval is of these
    messages: tuple[MessageCard, ...]
    not_kept: bool  # texts that were rendered before these: only their words are kept
    wordings: tuple[WordingRow, ...]  # newest first
    is_draft: bool
    may_write: bool
    may_send: bool
    refusal: str


def telling_of(*, major: MajorIncident, user: Any, moment: Moment) -> Telling:
    """Updates that were drafted by then, newest first, and whether this person may write the next."""
    rows = with_taken(major.updates.filter(drafted_at__lte=moment.at), moment).select_related("approver").order_by("-number")
    updates: list[Any] = list(rows[:MOST])
    states = states_then(major, updates, moment)
    draft = next((one for one in updates if states[one.pk] == "draft"), None)
    sent = sorted((one for one in updates if states[one.pk] == "sent"), key=lambda one: one.sent_at, reverse=True)[:MOST_TOLD]
    told = major.state in TOLD_STATES and not moment.past
    closed = leading.is_told_over(major)
    may = told and not closed and user.has_perm(updating.WRITE)
    return Telling(
        rows=tuple(_row(one, states[one.pk], major, moment) for one in updates),
        closes=major.state in ("resolved", "review"),
        audiences=_audiences(major, moment) if may else (),
        may_write=may and draft is None,
        draft=Link(f"{draft.get_kind_display()} {draft.number}", moment.href("major_update", major.number, draft.number))
        if draft
        else None,
        refusal=""
        if may or draft or not told or closed
        else f"{leading.names_of(updating.WRITE) or 'Operators'} can write what people are told.",
        latest=tuple(message_of(one, list(Audience), moment) for one in sent),
        doing=sent[0].words if sent else "",
    )


def states_then(major: MajorIncident, updates: Sequence[MajorUpdate], moment: Moment) -> dict[int, str]:
    """The state of each at the moment: by when it was sent, and by the story, which says when one was withdrawn."""
    if not moment.past:
        return {one.pk: one.state for one in updates}
    told: list[str] = []
    if any(one.state == "withdrawn" for one in updates):
        lines = major.incident.entries.filter(kind="major", at__lte=moment.at, text__contains=" withdrawn by ")
        told = list(lines.values_list("text", flat=True))

    def state_of(one: MajorUpdate) -> str:
        if one.state == "withdrawn":
            return "withdrawn" if any(text.startswith(f"{one} withdrawn by ") for text in told) else "draft"
        return "sent" if one.sent_at and one.sent_at <= moment.at else "draft"

    return {one.pk: state_of(one) for one in updates}


def _audiences(major: MajorIncident, moment: Moment) -> tuple[Choice, ...]:
    """Everybody who can be told; whose turn it is stands chosen."""
    turn, told = pacing.whose_turn(major, at=moment.at), pacing.last_told(major, until=moment.at)
    return tuple(
        Choice(value=one, words=f"{words}, told {clock_within(told[one], moment)}" if one in told else words, chosen=one in turn)
        for one, words in Audience.choices
    )


def _row(update: MajorUpdate, state: str, major: MajorIncident, moment: Moment) -> UpdateRow:
    verdict = {"draft": "at_risk", "sent": "kept", "withdrawn": "no_data"}[state]
    sent = state == "sent"
    return UpdateRow(
        link=Link(f"{update.get_kind_display()} {update.number}", moment.href("major_update", major.number, update.number)),
        state=MajorUpdate.State(state).label,
        verdict=verdict,
        when=recent(update.sent_at if sent and update.sent_at else update.drafted_at, moment),
        audiences=", ".join(Audience(one).label for one in update.audiences),
        who=person(update.approver) if sent and update.approver else "",
    )


def find(*, major: MajorIncident, number: int, moment: Moment) -> MajorUpdate | None:
    """The update if it was drafted by then."""
    rows = major.updates.filter(number=number, drafted_at__lte=moment.at).select_related("approver")
    found = rows.first() if number < 32_768 else None
    if found:
        found.major = major
    return found


def update_page(*, update: MajorUpdate, user: Any, moment: Moment) -> UpdatePage:
    """The page of an update that `find` gave, as it was then; of a draft it says what changed since it was rendered."""
    state = states_then(update.major, [update], moment)[update.pk]
    draft = state == "draft" and not moment.past
    may_write, may_send = draft and user.has_perm(updating.WRITE), draft and user.has_perm(updating.APPROVE)
    changes = updating.changes(update, at=moment.at) if draft else []
    mine = user.pk in update.author_ids
    others = leading.names_of(updating.APPROVE, but=update.author_ids) if draft and (mine or not may_send) else ""
    title = f"{update.get_kind_display()} {update.number}"
    wordings = list(update.wordings.filter(at__lte=moment.at).select_related("by").order_by("-pk"))
    rendered = update.rendered_at <= moment.at  # later texts were not there yet, and the ones before are not kept
    return UpdatePage(
        number=update.number,
        kind=update.get_kind_display(),
        state=MajorUpdate.State(state).label,
        major=Link(update.major.number, moment.href("major", update.major.number)),
        title=title if state != "draft" else f"{title}, to be approved",
        facts=_facts(update, state, wordings, moment),
        words=update.words,
        details=update.details,
        changes=", ".join(changes),
        read=updating.hash_of(update) if draft else "",
        messages=_messages(update, moment) if rendered else (),
        not_kept=not rendered,
        wordings=tuple(
            WordingRow(when=clock(one.at, moment), who=person(one.by), words=one.words, details=one.details) for one in wordings
        ),
        is_draft=draft,
        may_write=may_write,
        may_send=may_send and not mine and not changes,
        refusal=f"Somebody else approves it: {others or 'nobody who may is known'}." if draft and (mine or not may_send) else "",
    )


def _facts(update: MajorUpdate, state: str, wordings: list[Any], moment: Moment) -> tuple[tuple[str, str | SafeString], ...]:
    wrote = {one.by_id for one in wordings} if moment.past and wordings else update.author_ids
    authors = get_user_model().objects.filter(pk__in=wrote).order_by("pk")
    facts: list[tuple[str, str | SafeString]] = [
        ("State", MajorUpdate.State(state).label),
        ("Written by", ", ".join(map(person, authors))),
    ]
    if update.rendered_at <= moment.at:
        facts.append(("Figures of", clock(update.rendered_at, moment)))
        if update.next_update_at:
            facts.append(("Says next", instant(update.next_update_at)))
    if state == "sent" and update.approver and update.sent_at:
        facts += [("Approved by", person(update.approver)), ("Sent", recent(update.sent_at, moment))]
        facts.append(("SHA-256", update.content_hash[:16]))
    return tuple(facts)


def _messages(update: MajorUpdate, moment: Moment) -> tuple[MessageCard, ...]:
    notices = {one.address: one.notice for one in update.deliveries.filter(notice__created_at__lte=moment.at).select_related("notice")}
    return tuple(
        MessageCard(
            audience=one.get_audience_display(),
            subject=f"[{update.major.number}] {one.subject}",
            body=one.body,
            reaches=many(sum(not to["instead"] for to in one.recipients), "person or address", "people and addresses"),
            recipients=tuple(_recipient(to, notices.get(to["address"]), moment) for to in one.recipients),
        )
        for one in update.messages.all()
    )


def _recipient(to: dict[str, Any], notice: Notice | None, moment: Moment) -> RecipientRow:
    verdict, became = ("held", f"Told as {Audience(to['instead']).label.lower()}") if to["instead"] else became_of(notice, moment)
    return RecipientRow(who=to["who"], address=to["address"], why=to["why"], verdict=verdict, became=became)


def became_of(notice: Notice | None, moment: Moment) -> tuple[str, str]:
    """(verdict, words) of the delivery: what the mail server had said by then."""
    if notice is None:
        return "", "Is told when it is approved"
    if notice.sent_at and notice.sent_at <= moment.at:
        return "kept", f"Accepted {notice.sent_at.astimezone(dt.UTC):%d %b %H:%M} UTC"
    if notice.given_up_at and notice.given_up_at <= moment.at:
        return "no_data", notice.latest_error if not notice.attempts else f"Given up: {notice.latest_error}"
    if not notice.attempts or moment.past:
        return "at_risk", "Waits to be sent"
    return "at_risk", f"Waits, {many(notice.attempts, 'attempt')}: {notice.latest_error}"
