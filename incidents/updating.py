"""People are told of a major incident: drafted with the figures of now, approved by somebody else, and sent as it was approved."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max

from incidents import addressing, announcing, gathering, leading, phrasing, rendering
from incidents.models import Audience, MajorDelivery, MajorIncident, MajorMessage, MajorUpdate, MajorWording
from incidents.models.major import TOLD_STATES
from incidents.working import NotPossible
from itsm_backup.common import outbox
from itsm_backup.common.models import Notice
from monitoring import naming

WRITE, APPROVE = "incidents.add_majorupdate", "incidents.approve_majorupdate"
MOST_WORDS = 2_000


@transaction.atomic
def draft(*, major: MajorIncident, words: str, details: str, audiences: Sequence[str], by: Any, at: dt.datetime) -> MajorUpdate:
    """Draft what people are told, rendered for each audience. Once it is resolved, this is the closing message.

    Raises NotPossible where nobody is told, where a draft waits, for words that promise a time or name what is internal.
    """
    major = leading.locked(major)
    if major.state not in TOLD_STATES:
        raise NotPossible(f"{major.number} is {major.get_state_display().lower()}: nobody is told of it.")
    if waiting := major.updates.filter(state="draft").first():
        raise NotPossible(f"{waiting} waits for somebody to approve it. Change its words, or withdraw it.")
    kind = _kind_for(major)
    chosen = [one for one in Audience.values if one in audiences]
    _check_audiences(major, kind, chosen)
    _check_words(major, words, details, chosen)
    number = (major.updates.aggregate(top=Max("number"))["top"] or 0) + 1
    update = MajorUpdate(
        major=major,
        number=number,
        kind=kind,
        audiences=chosen,
        words=words.strip(),
        details=details.strip(),
        author_ids=[by.pk],
        drafted_at=at,
    )
    _render(update, at)
    _keep_wording(update, by, at)
    leading.tell(major, f"{update} drafted by {leading.name_of(by)}", by, at)
    return update


@transaction.atomic
def reword(*, update: MajorUpdate, words: str, details: str, by: Any, at: dt.datetime) -> MajorUpdate:
    """Other words; whoever writes them is an author, too. Raises NotPossible as `draft` does, and for what is no draft any more."""
    update = _locked(update)
    _check_words(update.major, words, details, update.audiences)
    if (words.strip(), details.strip()) == (update.words, update.details):
        raise NotPossible("Nothing is new. Change the words.")
    update.words, update.details = words.strip(), details.strip()
    update.author_ids = sorted({*update.author_ids, by.pk})
    _render(update, at)
    _keep_wording(update, by, at)
    leading.tell(update.major, f"{update} put in other words by {leading.name_of(by)}", by, at)
    return update


@transaction.atomic
def render_again(*, update: MajorUpdate, by: Any, at: dt.datetime) -> MajorUpdate:
    """The same words with the figures of now. That makes nobody an author. Raises NotPossible for what is no draft any more."""
    update = _locked(update)
    _render(update, at)
    return update


@transaction.atomic
def withdraw(*, update: MajorUpdate, reason: str, by: Any, at: dt.datetime) -> MajorUpdate:
    """It is not sent. Raises NotPossible without a reason."""
    update = _locked(update)
    if not reason.strip():
        raise NotPossible("Say why it is withdrawn.")
    update.state = "withdrawn"
    update.save(update_fields=["state"])
    leading.tell(update.major, f"{update} withdrawn by {leading.name_of(by)}: {reason.strip()}", by, at)
    return update


@transaction.atomic
def send(*, update: MajorUpdate, by: Any, at: dt.datetime, read: str | None = None) -> MajorUpdate:
    """Approve and send: one message to each address, in one transaction with the approval. From then on nothing of it changes.

    `read` is the hash of the texts that whoever approves has read, as `hash_of` told it; doors always name it. Raises NotPossible where
    it says something else by now, for an author, whoever they are, and where figures or recipients are others than in the preview.
    """
    update = _locked(update)
    major = update.major
    if read is not None and read != hash_of(update):
        raise NotPossible("It says something else by now than what you read: it was put in other words, or rendered again. Read it again.")
    if by.pk in update.author_ids:
        able = leading.names_of(APPROVE, but=update.author_ids)
        raise NotPossible(f"An author never approves: you wrote it. {able or 'Nobody else'} can{'' if able else ' at present'}.")
    _check_kind(update)
    if told := changes(update, at=at):
        raise NotPossible(f"Figures have changed since the preview: {', '.join(told)}. Render it again, read it, and approve that.")
    texts = list(update.messages.all())
    for message in texts:
        for recipient in message.recipients:
            if not recipient["instead"]:
                _deliver(update, message, recipient, at)
    update.state, update.approver, update.sent_at = "sent", by, at
    update.content_hash = hash_of(update)
    update.save()
    leading.due_next(major=major, since=None)
    if update.kind == "update":
        major.next_update_at = major.remind_at = update.next_update_at
    major.updated_at = at
    major.save()
    whom = ", ".join(one.get_audience_display().lower() for one in texts)
    leading.tell(major, f"{update} approved by {leading.name_of(by)} and sent to {whom}", by, at)
    return update


def hash_of(update: MajorUpdate) -> str:
    """SHA-256 of every text as it stands: what is approved is what was read."""
    return gathering.hash_of([[one.audience, one.subject, one.body] for one in update.messages.all()])


def changes(update: MajorUpdate, *, at: dt.datetime) -> list[str]:
    """What a draft says otherwise than it would now, in words; empty when it may be approved as it is."""
    now = gathering.figures_of(update.major, at=at)
    told = gathering.changed(update.figures, now)
    reached = addressing.recipients_of(update.major, now, _templates(update), at=at)
    if {one.audience: one.recipients for one in update.messages.all()} != reached:
        told.append("who is told")
    if at - update.rendered_at > dt.timedelta(minutes=update.major.interval_min or 0):
        told.append("the time: the preview is older than the interval")
    return told


def _deliver(update: MajorUpdate, message: MajorMessage, to: dict[str, Any], at: dt.datetime) -> None:
    major = update.major
    key = f"major/{major.pk}/update/{update.number}/{hashlib.sha256(to['address'].lower().encode()).hexdigest()[:16]}"
    earlier = (
        MajorDelivery.objects.filter(update__major=major, address__iexact=to["address"]).order_by("pk").values_list("notice", flat=True)
    )
    outbox.write(
        key=key,
        thread=f"major/{major.pk}/{to['thread']}",
        recipient=to["address"],
        subject=f"[{major.number}] {message.subject}",
        body=message.body,
        at=at,
        withheld=announcing.REPLAYED if announcing.is_replayed(major.incident, None) else "",
        follows=earlier.values_list("notice", flat=True).first(),
    )
    told = {name: to[name] for name in ("who", "address", "why")}
    MajorDelivery.objects.create(update=update, message=message, person_id=to["person"], notice=Notice.objects.get(key=key), **told)


def _templates(update: MajorUpdate) -> dict[str, Any]:
    found = rendering.templates()
    return {one: found[one] for one in update.audiences}


def _render(update: MajorUpdate, at: dt.datetime) -> None:
    """Take the figures of now and make the text of each audience from them."""
    _check_kind(update)
    update.figures = gathering.figures_of(update.major, at=at)
    update.figures_hash, update.rendered_at = gathering.hash_of(update.figures), at
    wait = dt.timedelta(minutes=update.major.interval_min or 0)
    update.next_update_at = at + wait if update.kind == "update" else None
    update.save()
    found = _templates(update)
    reached = addressing.recipients_of(update.major, update.figures, found, at=at)
    for audience, template in found.items():
        subject, body = rendering.text_for(template, update, at=at)
        version = template.history.order_by("-history_id").values_list("history_id", flat=True).first()
        said = {"subject": subject, "body": body, "template_version": version or 0, "recipients": reached[audience]}
        MajorMessage.objects.update_or_create(update=update, audience=audience, defaults=said)


def _keep_wording(update: MajorUpdate, by: Any, at: dt.datetime) -> None:
    MajorWording.objects.create(update=update, words=update.words, details=update.details, by=by, at=at)


def _locked(update: MajorUpdate) -> MajorUpdate:
    """The draft, with its major incident locked; raises NotPossible for what is no draft any more."""
    major = leading.locked(update.major)
    update = MajorUpdate.objects.select_for_update().get(pk=update.pk)
    update.major = major
    if update.state != "draft":
        raise NotPossible(f"{update} is {update.get_state_display().lower()}: it stays as it is.")
    return update


def _kind_for(major: MajorIncident) -> str:
    return "closure" if major.state in ("resolved", "review") else "update"


def _check_kind(update: MajorUpdate) -> None:
    """Raises NotPossible for a draft that says it is over of what came back, and the other way round."""
    if update.kind != _kind_for(update.major):
        stands = update.major.get_state_display().lower()
        raise NotPossible(f"{update.major.number} is {stands} since this was drafted. Withdraw it, and write what holds now.")


def _check_audiences(major: MajorIncident, kind: str, chosen: list[str]) -> None:
    if not chosen:
        raise NotPossible("Choose at least one audience.")
    if kind == "update":
        return
    if leading.is_told_over(major):
        raise NotPossible("The closing message was sent already.")
    before = {one for told in major.updates.filter(state="sent").values_list("audiences", flat=True) for one in told}
    if missing := [Audience(one).label.lower() for one in Audience.values if one in before and one not in chosen]:
        raise NotPossible(f"Whoever was told of it is told that it is over: choose {', '.join(missing)}, too.")


def _check_words(major: MajorIncident, words: str, details: str, audiences: Sequence[str]) -> None:
    """Raises NotPossible for no words, for a promised time, and for internal names where somebody outside is told."""
    if not words.strip():
        raise NotPossible("Say what is being done, also that nothing is new.")
    for text in (words, details):
        if len(text) > MOST_WORDS:
            raise NotPossible(f"That is {len(text):,} characters, and {MOST_WORDS:,} fit. Shorten it.")
        if said := phrasing.promises(text):
            raise NotPossible(
                f"“{said[0]}” promises a time that nobody measured. Leave it out: the message says by itself how long a restore took"
                " when it was tested, and when people are told again."
            )
        if said := phrasing.reassures(text):
            raise NotPossible(f"“{said[0]}” says what nobody measured. Leave it out: the message says by itself what would be lost.")
    outside = [Audience(one).label.lower() for one in audiences if one in phrasing.OUTSIDE]
    if outside and (found := naming.internal_names(words, gathering.internal_names_of(major))):
        shown = ", ".join(f"“{one}”" for one in found[:3])
        raise NotPossible(f"{shown}: {', '.join(outside)} are told no names of tools, hosts and storage. Write that under Details.")
