"""How a review comes to be: started with what is on record, answered and written by its authors, published by somebody else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.db import transaction

from catalogue import duties
from catalogue.models import Service
from incidents import appraising, proposing, publicising, recollecting, retelling
from incidents.models import Incident, IncidentEntry, PostIncidentReview, ReviewAnswer
from incidents.owing import is_complete
from incidents.working import NotPossible
from itsm_backup.common.models import because
from itsm_backup.common.time import iso

__all__ = ["TRANSITIONS", "answer", "correct", "decline", "is_complete", "publish", "reread", "send_back", "start", "submit", "write"]

State = PostIncidentReview.State
# act → from, to, whether a reason is required. Everything else is refused.
TRANSITIONS: dict[str, tuple[tuple[str, ...], str, bool]] = {
    "start": (("proposed", "declined"), "draft", False),
    "decline": (("proposed",), "declined", True),
    "submit": (("draft",), "in_review", False),
    "send_back": (("in_review",), "draft", True),
    "publish": (("in_review",), "published", False),
}
FIELDS = ("cause", "factors", "went_well", "went_wrong", "lucky")
MOST = 4_000
OVER = ("resolved", "closed")


@transaction.atomic
def start(*, incident: Incident, by: Any, at: dt.datetime) -> PostIncidentReview:
    """The draft of the review of an incident that is over, filled with what is on record; `by` is its first author.

    Raises NotPossible while the incident goes on, and where one was started already.
    """
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
    if incident.state not in OVER:
        raise NotPossible(f"{incident.number} is {incident.get_state_display().lower()}. It is reviewed when it is resolved.")
    review = PostIncidentReview.objects.select_for_update(of=("self",)).filter(incident=incident).order_by("-revision").first()
    if review is None:
        review = PostIncidentReview(incident=incident, proposed_at=at)
    elif review.state not in TRANSITIONS["start"][0]:
        raise NotPossible(f"{review.number} is the review of {incident.number} already. Go on with that one.")
    review.state, review.author_ids = State.DRAFT, [by.pk]
    _stored(review, f"Draft of the review of {incident.number}", by, at)
    _fill(review, by, at)
    return review


@transaction.atomic
def decline(*, review: PostIncidentReview, reason: str, by: Any, at: dt.datetime) -> PostIncidentReview:
    """Not to review it. Raises NotPossible without reason, and where a review is required."""
    review = _moved(review, "decline", reason)
    if review.required:
        raise NotPossible(f"{review.incident.number} has to be reviewed: it was of priority 1, or a major incident.")
    return _stored(review, reason, by, at)


def _writing(act: Callable[..., Any]) -> Callable[..., Any]:
    """An act on a draft that is locked: it gets the row as it stands. Raises NotPossible when it is no draft any more."""

    @wraps(act)
    @transaction.atomic
    def on_draft(*, review: PostIncidentReview, by: Any, at: dt.datetime, **said: Any) -> Any:
        held = _held(review)
        if held.state != State.DRAFT:
            raise NotPossible(f"{held.number} is {held.get_state_display().lower()}. Only a draft is written.")
        if by.pk not in held.author_ids:
            held.author_ids = sorted({*held.author_ids, by.pk})
        return act(review=held, by=by, at=at, **said)

    return on_draft


@_writing
def reread(*, review: PostIncidentReview, by: Any, at: dt.datetime) -> PostIncidentReview:
    """Take what is on record by now, and propose answers anew. What people answered stays."""
    _fill(review, by, at)
    return review


@_writing
def write(*, review: PostIncidentReview, by: Any, at: dt.datetime, **texts: str) -> PostIncidentReview:
    """Write down cause, what contributed, what went well and wrong, and where luck helped. Raises NotPossible for too long texts."""
    said = {name: text.strip() for name, text in texts.items() if name in FIELDS}
    for name, text in said.items():
        words = PostIncidentReview._meta.get_field(name).verbose_name
        if len(text) > MOST:
            raise NotPossible(f"“{str(words).capitalize()}” has {len(text):,} characters, and {MOST:,} fit. Shorten it.")
    new = [name for name, text in said.items() if text != getattr(review, name)]
    if not new:
        raise NotPossible("Nothing is new. Change one of the texts.")
    for name in new:
        setattr(review, name, said[name])
    words = ", ".join(str(PostIncidentReview._meta.get_field(name).verbose_name) for name in new)
    return _stored(review, f"Written: {words}", by, at)


@_writing
def answer(
    *,
    review: PostIncidentReview,
    question: str,
    said: str,
    note: str = "",
    service: Service | None = None,
    by: Any,
    at: dt.datetime,
    was: Mapping[str, str] | None = None,
) -> ReviewAnswer:
    """Answer a question of the catalogue, for the entry of `service` where it is about another one than the data chose.

    Raises NotPossible for a "no" that does not say what the entry should say instead; and where somebody answered it since whoever
    answers has read it: `was` is what they read, of what `stands` tells.
    """
    row = ReviewAnswer.objects.select_for_update(of=("self",)).filter(review=review, question=question).first()
    if row is None or said not in ReviewAnswer.Answer:
        raise NotPossible("Answer one of the questions with yes, no or not known.")
    if was is not None and any(stands(row)[name] != text for name, text in was.items()):
        raise NotPossible(_meanwhile(row))
    if said == ReviewAnswer.Answer.NO and not note.strip():
        raise NotPossible(f"“{row.get_question_display()}” No: write what the entry should say instead, for its steward.")
    if len(note.strip()) > MOST:
        raise NotPossible(f"The note has {len(note.strip()):,} characters, and {MOST:,} fit. Shorten it.")
    if service is not None:
        if service.pk not in [one["service"] for one in review.facts["services"]]:
            raise NotPossible(f"{service.code} was not part of {review.incident.number}. Choose an entry that was.")
        row.service = service
    if said == ReviewAnswer.Answer.NO and row.service is None:
        raise NotPossible("No entry is known that could be wrong. Answer yes or not known, and write down an action.")
    row.answer, row.note, row.answered_by, row.answered_at = said, note.strip(), by, at
    row._history_date = at  # type: ignore[attr-defined]
    words = f"{row.get_question_display()} {row.get_answer_display()}"
    with because(words, by=by):
        row.save()
    _stored(review, words, by, at)
    return row


def stands(row: ReviewAnswer) -> dict[str, str]:
    """What it says by now: the answer, the entry that it is about, and the note."""
    return {"answer": row.answer, "service": row.service.code if row.service else "", "note": row.note}


def _meanwhile(row: ReviewAnswer) -> str:
    who = (row.answered_by.get_full_name() or row.answered_by.get_username()) if row.answered_by else "somebody else"
    answered = row.get_answer_display() or "not answered"
    return (
        f"“{row.get_question_display()}” was answered by {who} meanwhile: {answered}. Read theirs, and answer again if that is not right."
    )


@transaction.atomic
def submit(*, review: PostIncidentReview, by: Any, at: dt.datetime) -> PostIncidentReview:
    """Hand it to somebody else to read and publish. Raises NotPossible with everything that is still missing."""
    review = _moved(review, "submit", "")
    if missing := missing_of(review):
        raise NotPossible(" ".join(missing))
    review.submitted_at, review.author_ids = at, sorted({*review.author_ids, by.pk})
    _tell_anew(review, at)
    return _stored(review, "Handed in", by, at)


def missing_of(review: PostIncidentReview) -> list[str]:
    """One sentence for everything that it lacks before it can be handed in; empty when it is whole."""
    open_ones = [one.get_question_display() for one in review.answers.filter(answer="")]
    told = [f"Answer: {' '.join(open_ones)}"] if open_ones else []
    told += [] if review.cause else ["Write what caused it."]
    return told + ([] if review.went_wrong else ["Write what went wrong."])


@transaction.atomic
def send_back(*, review: PostIncidentReview, reason: str, by: Any, at: dt.datetime) -> PostIncidentReview:
    """Give it back to its authors, who are told why. Raises NotPossible without reason."""
    review = _moved(review, "send_back", reason)
    review.submitted_at = None
    _stored(review, reason, by, at)
    publicising.tell_authors(review=review, reason=reason.strip(), by=by, at=at)
    return review


@transaction.atomic
def publish(*, review: PostIncidentReview, by: Any, at: dt.datetime) -> PostIncidentReview:
    """Publish it: whom it concerns is told, and every "no" becomes a proposal to the entry that it is about.

    From then on it is never changed, so it says what became of each message by now, and not by when it was drafted.

    Raises NotPossible for an author, for who wrote the promise that it judges, and while the incident goes on again.
    """
    review = _moved(review, "publish", "")
    if told := refusal(review, by, at):
        raise NotPossible(told)
    review.published_at, review.publisher = at, by
    _tell_anew(review, at)
    _stored(review, "Published", by, at)
    IncidentEntry.objects.create(incident=review.incident, at=at, kind="note", text=f"Its review is published: {review.number}", by=by)
    proposing.propose_for(review=review, at=at)
    publicising.announce(review=review, at=at)
    return review


def refusal(review: PostIncidentReview, by: Any, at: dt.datetime) -> str:
    """Why this person may not publish it; empty when they may."""
    if by.pk in review.author_ids:
        return f"You wrote part of {review.number}, so somebody else publishes it."
    if review.incident.state not in OVER:
        return f"{review.incident.number} is open again. Publish its review when it is resolved."
    service = review.incident.service
    return duties.clash(by=by, act="review", on=service, at=at) if service else ""


@transaction.atomic
def correct(*, review: PostIncidentReview, reason: str, by: Any, at: dt.datetime) -> PostIncidentReview:
    """The next revision of a published review, a draft with what it says; actions and proposals stay as they are.

    Raises NotPossible without reason, and for one that has a later revision.
    """
    Incident.objects.select_for_update(of=("self",)).get(pk=review.incident_id)
    held = _held(review)
    newest = PostIncidentReview.objects.filter(incident=held.incident).order_by("-revision").first()
    if held.state != State.PUBLISHED or newest is None or newest.pk != held.pk:
        raise NotPossible(f"{held.number} is not the newest published revision. Correct {newest.number if newest else 'that one'}.")
    _reasoned(reason, "it is corrected")
    made = PostIncidentReview(
        incident=held.incident, revision=held.revision + 1, required=held.required, state=State.DRAFT, proposed_at=at, author_ids=[by.pk],
        facts=held.facts, facts_at=held.facts_at, **{name: getattr(held, name) for name in FIELDS},
    )  # fmt: skip
    _stored(made, reason, by, at)
    copied = ("question", "service", "proposed", "because", "links", "suggestion", "answer", "note", "answered_by", "answered_at")
    for row in held.answers.all():
        _stored(ReviewAnswer(review=made, **{name: getattr(row, name) for name in copied}), reason, by, at)
    return made


def _tell_anew(review: PostIncidentReview, at: dt.datetime) -> None:
    """Who was told, as of now: mails leave after a draft was filled, and others are written. Nothing else on record moves."""
    review.facts = {**review.facts, "told": retelling.messages_about(review.incident), "told_at": iso(at)}


def _fill(review: PostIncidentReview, by: Any, at: dt.datetime) -> None:
    review.facts, review.facts_at = recollecting.recollect(review.incident, at=at), at
    _stored(review, "Filled with what is on record", by, at)
    rows = {row.question: row for row in review.answers.all()}
    service = review.incident.service_id
    for question, found in appraising.appraise(review.facts, service).items():
        row = rows.get(question) or ReviewAnswer(review=review, question=question, service_id=service)
        row.proposed, row.because, row.links, row.suggestion = found.answer, found.because, found.links, found.suggestion
        _stored(row, "Proposed from what is on record", by, at)


def _held(review: PostIncidentReview) -> PostIncidentReview:
    rows = PostIncidentReview.objects.select_for_update(of=("self",)).select_related("incident__service")
    return rows.get(pk=review.pk)


def _moved(review: PostIncidentReview, act: str, reason: str) -> PostIncidentReview:
    """The row in its new state, held and not saved. Raises NotPossible where the table or a missing reason stands against it."""
    held = _held(review)
    sources, target, needs_reason = TRANSITIONS[act]
    if held.state not in sources:
        raise NotPossible(f"{held.number} is {held.get_state_display().lower()}. Choose one of the steps that are offered.")
    if needs_reason:
        _reasoned(reason, f"it becomes {State(target).label.lower()}")
    held.state = target
    return held


def _reasoned(reason: str, what: str) -> None:
    if not reason.strip():
        raise NotPossible(f"Say why {what}.")


def _stored(row: Any, reason: str, by: Any, at: dt.datetime) -> Any:
    row._history_date = at
    with because(reason, by=by):
        row.save()
    return row
