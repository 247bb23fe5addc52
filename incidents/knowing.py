"""Known errors: written from a problem or from incidents, published, suggested where they fit, and judged by whether they helped."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.template.loader import render_to_string

from incidents import signing
from incidents.models import Feedback, Incident, IncidentEntry, KnownError, Problem
from incidents.working import NotPossible
from itsm_backup.common import outbox
from itsm_backup.common.models import because
from itsm_backup.common.time import local_day

TRANSITIONS = {("draft", "published"), ("published", "retired"), ("retired", "published"), ("draft", "retired")}
REVIEWED_AFTER = dt.timedelta(days=180)
FIELDS = {"title": 200, "symptom": 4_000, "root_cause": 4_000, "workaround": 4_000}


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A known error that fits an incident: how often it helped, and what was said of it here."""

    known_error: KnownError
    helped: int
    failed: int
    said: bool | None  # whether it helped with this incident, where somebody said so

    @property
    def rate(self) -> float | None:
        """The share of incidents with which it helped; None before anybody said so."""
        return self.helped / (self.helped + self.failed) if self.helped + self.failed else None


def rated(rows: QuerySet[KnownError]) -> QuerySet[KnownError]:
    """Each with `helped` and `failed`, how often it did and did not help."""
    return rows.annotate(
        helped=Count("feedback", filter=Q(feedback__helped=True, feedback__corrected_by=None), distinct=True),
        failed=Count("feedback", filter=Q(feedback__helped=False, feedback__corrected_by=None), distinct=True),
    )


def suggestions_for(incident: Incident) -> list[Suggestion]:
    """Published known errors of the incident's signature, what helped oftenest first."""
    if not incident.signature:
        return []
    here = Feedback.objects.filter(known_error=OuterRef("pk"), incident=incident, corrected_by=None).values("helped")[:1]
    fitting = KnownError.objects.filter(signature=incident.signature, state=KnownError.State.PUBLISHED)
    rows: list[Any] = list(rated(fitting).annotate(said_here=Subquery(here)))
    return _best_first(rows)


def suggestions_then(incident: Incident, *, at: dt.datetime) -> list[Suggestion]:
    """What was suggested at `at`: published by then, in the words of then, by what had been said by then."""
    if not incident.signature:
        return []
    fitting = [one for one in as_of(KnownError.objects.filter(signature=incident.signature), at=at) if one.state == "published"]
    here = dict(said_by(at).filter(incident=incident).values_list("known_error", "helped"))
    for row in fitting:
        row.said_here = here.get(row.pk)
    return _best_first(fitting)


def said_by(at: dt.datetime) -> QuerySet[Feedback]:
    """What had been said by then, and not corrected by then."""
    return Feedback.objects.filter(Q(corrected_by=None) | Q(corrected_by__at__gt=at), at__lte=at)


def as_of(rows: QuerySet[KnownError], *, at: dt.datetime) -> list[Any]:
    """Those of these that were written by then, as they were, with `helped` and `failed` as counted then, by title."""
    history: Any = KnownError.history.filter(id__in=rows.values("pk"), history_date__lte=at)  # type: ignore[attr-defined]
    newest = history.order_by("id", "-history_date", "-history_id").distinct("id")
    then = [one.instance for one in newest if one.history_type != "-"]
    said = said_by(at).filter(known_error__in=[one.pk for one in then]).values("known_error")
    counts = said.annotate(yes=Count("pk", filter=Q(helped=True)), no=Count("pk", filter=Q(helped=False)))
    found = {pk: (yes, no) for pk, yes, no in counts.values_list("known_error", "yes", "no")}
    for one in then:
        one.helped, one.failed = found.get(one.pk, (0, 0))
    return sorted(then, key=lambda one: (one.title, one.pk))


def _best_first(rows: list[Any]) -> list[Suggestion]:
    found = [Suggestion(known_error=row, helped=row.helped, failed=row.failed, said=row.said_here) for row in rows]
    return sorted(found, key=lambda one: (-(one.rate if one.rate is not None else 0.5), -one.helped, one.known_error.pk))


@transaction.atomic
def draft(*, source: Problem | Incident, by: Any, at: dt.datetime) -> KnownError:
    """A draft from a problem, or from an incident and those of its signature: what is known of it is filled in.

    Raises NotPossible where there is no signature, one of this source is there already, or a draft of the signature waits for words.
    """
    if not source.signature:
        raise NotPossible(f"{source.number} has no signature yet. Try again in a few seconds.")
    if waiting := KnownError.objects.filter(signature=source.signature, state=KnownError.State.DRAFT).order_by("pk").first():
        raise NotPossible(f"{waiting.number} is a draft of this kind of failure already: {waiting.title}. Go on with that one.")
    alike = Incident.objects.filter(signature=source.signature).exclude(state="cancelled")
    kind = signing.words_of(source.signature)
    problem = source if isinstance(source, Problem) else None
    title = f"{kind} ({source.number})"
    if KnownError.objects.filter(signature=source.signature, title=title).exists():
        raise NotPossible(f"There is a draft from {source.number} already. Go on with that one.")
    newest = alike.order_by("-opened_at").first()
    symptom = f"{kind}. {alike.count()} incidents of this signature" + (f", the newest: {newest.title}." if newest else ".")
    row = KnownError(
        signature=source.signature,
        title=title,
        symptom=symptom,
        root_cause=problem.root_cause if problem else "",
        workaround=problem.workaround if problem else "",
        problem=problem,
    )
    return _stored(row, f"Draft from {source.number}", by, at)


@transaction.atomic
def write(*, known_error: KnownError, reason: str, by: Any, at: dt.datetime, review_on: dt.date | None = None, **texts: str) -> KnownError:
    """Change its texts, or the day by which it is looked at again, with a reason.

    Raises NotPossible without one, for texts that do not fit, for a day that is over, and when nothing would help any more.
    """
    row = KnownError.objects.select_for_update().get(pk=known_error.pk)
    _reasoned(reason)
    if review_on is not None and review_on != row.review_on:
        if review_on <= local_day(at, "UTC"):
            raise NotPossible("Choose the day by which it is looked at again: later than today.")
        row.review_on = review_on
    for name, text in texts.items():
        if name not in FIELDS:
            continue
        if len(text.strip()) > FIELDS[name]:
            told = f"{name.replace('_', ' ').capitalize()} has {len(text.strip()):,} characters, and {FIELDS[name]:,} fit. Shorten it."
            raise NotPossible(told)
        setattr(row, name, text.strip())
    if not row.title or not row.symptom:
        raise NotPossible("A known error has a title and a symptom.")
    if row.state == KnownError.State.PUBLISHED and not row.workaround:
        raise NotPossible("What is published says what helps: write the workaround, or retire it.")
    try:
        with transaction.atomic():
            _stored(row, reason, by, at)
    except IntegrityError:
        raise NotPossible("There is a known error of this signature with this title already. Choose another title.") from None
    return row


@transaction.atomic
def move(*, known_error: KnownError, to: str, reason: str, by: Any, at: dt.datetime) -> KnownError:
    """Publish, retire or bring back; what is published is looked at again after half a year, unless a day to come is set.

    Raises NotPossible for another step, without reason, and for what says no workaround.
    """
    row = KnownError.objects.select_for_update().get(pk=known_error.pk)
    if (row.state, to) not in TRANSITIONS:
        raise NotPossible(f"{row.number} is {row.get_state_display().lower()} and cannot become {to}.")
    _reasoned(reason)
    if to == KnownError.State.PUBLISHED and not row.workaround:
        raise NotPossible("Write the workaround first: what is published says what helps.")
    row.state = to
    today = local_day(at, "UTC")
    if to == KnownError.State.PUBLISHED and (row.review_on is None or row.review_on <= today):
        row.review_on = today + REVIEWED_AFTER
    return _stored(row, reason, by, at)


@transaction.atomic
def say(*, known_error: KnownError, incident: Incident, helped: bool, by: Any, at: dt.datetime, corrects: bool = False) -> Feedback:
    """Say whether it helped with the incident, once; with `corrects` in place of what was said before.

    Raises NotPossible the second time, for a correction of nothing or to the same, and for what does not fit the incident.
    """
    if all(one.known_error.pk != known_error.pk for one in suggestions_for(incident)):
        raise NotPossible(f"{known_error.number} is not suggested for {incident.number}.")
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)  # who comes at once waits, and finds what was said
    before = Feedback.objects.filter(known_error=known_error, incident=incident, corrected_by=None).first()
    if before is not None and (not corrects or before.helped == helped):
        raise NotPossible(f"It is said already whether {known_error.number} helped with {incident.number}.")
    if before is None and corrects:
        raise NotPossible(f"Nobody said yet whether {known_error.number} helped with {incident.number}.")
    words = f"{'Corrected: ' if before else ''}{known_error.number} {'helped' if helped else 'did not help'}: {known_error.title}"
    IncidentEntry.objects.create(incident=incident, at=at, kind="note", text=words, by=by)
    return Feedback.objects.create(known_error=known_error, incident=incident, helped=helped, by=by, at=at, corrects=before)


def remind(*, at: dt.datetime) -> int:
    """Tell who published a known error, and who has its problem, that its day is over; once a week. Returns how many mails."""
    today = local_day(at, "UTC")
    due = KnownError.objects.filter(state=KnownError.State.PUBLISHED, review_on__lte=today).select_related("problem__assignee")
    return sum(_remind(row, person, today, at) for row in due for person in _answering_for(row))


def _answering_for(row: KnownError) -> set[Any]:
    before = row.history.exclude(state=KnownError.State.PUBLISHED).order_by("-history_id").values_list("history_id", flat=True).first()
    since = row.history.filter(state=KnownError.State.PUBLISHED, history_id__gt=before or 0).order_by("history_id")
    published = since.select_related("history_user").first()  # who changed it later did not publish it
    people = {published.history_user if published else None, row.problem.assignee if row.problem else None}
    return {one for one in people if one and one.is_active and one.email and one.has_perm("incidents.view_knownerror")}


def _remind(row: KnownError, person: Any, today: dt.date, at: dt.datetime) -> bool:
    address = f"{settings.BASE_URL}/incidents/known-errors/{row.number}/"
    context = {"known_error": row, "organisation": settings.ORGANISATION, "address": address}
    weeks = (today - row.review_on).days // 7 if row.review_on else 0
    return outbox.write(
        key=f"known-error/{row.pk}/review/{row.review_on}/{weeks}/{person.pk}",
        thread=f"known-error/{row.pk}/person/{person.pk}",
        recipient=person.email,
        subject=f"[{row.number}] Look at it again: {row.title}",
        body=render_to_string("incidents/email/known_error_review.txt", context),
        at=at,
    )


def _stored(row: Any, reason: str, by: Any, at: dt.datetime) -> KnownError:
    """Saved with what its history says of this instant, from which pages of the past are read."""
    row._history_date = at
    with because(reason, by=by):
        row.save()
    return row  # type: ignore[no-any-return]


def _reasoned(reason: str) -> None:
    if not reason.strip():
        raise NotPossible("Say why, for the history.")
