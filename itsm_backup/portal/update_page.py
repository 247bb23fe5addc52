"""What people are told of a major incident: the updates of one, and one of them with every text, whom it reaches and what became of it."""

from __future__ import annotations

import datetime as dt
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
    is_draft: bool
    may_write: bool
    may_send: bool
    refusal: str


def telling_of(*, major: MajorIncident, user: Any, moment: Moment) -> Telling:
    """Updates that were drafted by then, newest first, and whether this person may write the next."""
    updates = list(major.updates.filter(drafted_at__lte=moment.at).select_related("approver").order_by("-number")[:MOST])
    draft = next((one for one in updates if one.state == "draft"), None)
    told = major.state in TOLD_STATES and not moment.past
    closed = leading.is_told_over(major)
    may = told and not closed and user.has_perm(updating.WRITE)
    return Telling(
        rows=tuple(_row(one, major, moment) for one in updates),
        closes=major.state in ("resolved", "review"),
        audiences=_audiences(major, moment) if may else (),
        may_write=may and draft is None,
        draft=Link(f"{draft.get_kind_display()} {draft.number}", moment.href("major_update", major.number, draft.number))
        if draft
        else None,
        refusal=""
        if may or draft or not told or closed
        else f"{leading.names_of(updating.WRITE) or 'Operators'} can write what people are told.",
    )


def _audiences(major: MajorIncident, moment: Moment) -> tuple[Choice, ...]:
    """Everybody who can be told; whose turn it is stands chosen."""
    turn, told = pacing.whose_turn(major, at=moment.at), pacing.last_told(major, until=moment.at)
    return tuple(
        Choice(value=one, words=f"{words}, told {clock_within(told[one], moment)}" if one in told else words, chosen=one in turn)
        for one, words in Audience.choices
    )


def _row(update: MajorUpdate, major: MajorIncident, moment: Moment) -> UpdateRow:
    verdict = {"draft": "at_risk", "sent": "kept", "withdrawn": "no_data"}[update.state]
    return UpdateRow(
        link=Link(f"{update.get_kind_display()} {update.number}", moment.href("major_update", major.number, update.number)),
        state=update.get_state_display(),
        verdict=verdict,
        when=recent(update.sent_at or update.drafted_at, moment),
        audiences=", ".join(Audience(one).label for one in update.audiences),
        who=person(update.approver) if update.approver else "",
    )


def find(*, major: MajorIncident, number: int) -> MajorUpdate | None:
    found = major.updates.filter(number=number).select_related("approver").first() if number < 32_768 else None
    if found:
        found.major = major
    return found


def update_page(*, update: MajorUpdate, user: Any, moment: Moment) -> UpdatePage:
    """The page of an update that `find` gave; of a draft it says what changed since it was rendered."""
    draft = update.state == "draft" and not moment.past
    may_write, may_send = draft and user.has_perm(updating.WRITE), draft and user.has_perm(updating.APPROVE)
    changes = updating.changes(update, at=moment.at) if draft else []
    mine = user.pk in update.author_ids
    others = leading.names_of(updating.APPROVE, but=update.author_ids) if draft and (mine or not may_send) else ""
    title = f"{update.get_kind_display()} {update.number}"
    return UpdatePage(
        number=update.number,
        kind=update.get_kind_display(),
        state=update.get_state_display(),
        major=Link(update.major.number, moment.href("major", update.major.number)),
        title=title if update.state != "draft" else f"{title}, to be approved",
        facts=_facts(update, moment),
        words=update.words,
        details=update.details,
        changes=", ".join(changes),
        read=updating.hash_of(update) if draft else "",
        messages=_messages(update),
        is_draft=draft,
        may_write=may_write,
        may_send=may_send and not mine and not changes,
        refusal=f"Somebody else approves it: {others or 'nobody who may is known'}." if draft and (mine or not may_send) else "",
    )


def _facts(update: MajorUpdate, moment: Moment) -> tuple[tuple[str, str | SafeString], ...]:
    authors = get_user_model().objects.filter(pk__in=update.author_ids)
    facts: list[tuple[str, str | SafeString]] = [("State", update.get_state_display()), ("Written by", ", ".join(map(person, authors)))]
    facts.append(("Figures of", clock(update.rendered_at, moment)))
    if update.approver and update.sent_at:
        facts += [("Approved by", person(update.approver)), ("Sent", recent(update.sent_at, moment))]
    if update.next_update_at:
        facts.append(("Says next", instant(update.next_update_at)))
    if update.content_hash:
        facts.append(("SHA-256", update.content_hash[:16]))
    return tuple(facts)


def _messages(update: MajorUpdate) -> tuple[MessageCard, ...]:
    notices = {one.address: one.notice for one in update.deliveries.select_related("notice")}
    return tuple(
        MessageCard(
            audience=one.get_audience_display(),
            subject=f"[{update.major.number}] {one.subject}",
            body=one.body,
            reaches=many(sum(not to["instead"] for to in one.recipients), "person or address", "people and addresses"),
            recipients=tuple(_recipient(to, notices.get(to["address"])) for to in one.recipients),
        )
        for one in update.messages.all()
    )


def _recipient(to: dict[str, Any], notice: Notice | None) -> RecipientRow:
    verdict, became = ("held", f"Told as {Audience(to['instead']).label.lower()}") if to["instead"] else became_of(notice)
    return RecipientRow(who=to["who"], address=to["address"], why=to["why"], verdict=verdict, became=became)


def became_of(notice: Notice | None) -> tuple[str, str]:
    """(verdict, words) of the delivery: what the mail server said."""
    if notice is None:
        return "", "Is told when it is approved"
    if notice.sent_at:
        return "kept", f"Accepted {notice.sent_at.astimezone(dt.UTC):%d %b %H:%M} UTC"
    if notice.given_up_at:
        return "no_data", notice.latest_error if not notice.attempts else f"Given up: {notice.latest_error}"
    return "at_risk", f"Waits, {many(notice.attempts, 'attempt')}: {notice.latest_error}" if notice.attempts else "Waits to be sent"
