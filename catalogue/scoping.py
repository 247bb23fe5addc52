"""Deciding on the scope: which backup service is an entry of its own, which is carried by another one, and which is left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from catalogue import duties
from catalogue.models import ScopeDecision, ScopeLine, Service, ServiceVersion
from catalogue.models.scope import WRITE_LOCK
from catalogue.refusing import NotAllowed, NotReady, WrongState, problems_of
from itsm_backup.common.models import because
from itsm_backup.common.time import local_day

MAY_DECIDE = "catalogue.add_scopedecision"
Outcome, Answer = ScopeDecision.Outcome, ScopeDecision.Answer
QUESTIONS = {
    "customers": "Does it have customers of its own, or can people ask for it by itself?",
    "agreement": "Does it have an agreement or a price of its own?",
    "commitments": "Does it promise something else than the entry that would carry it?",
    "consumers": "Do two or more services use it?",
    "regulated": "Does it hold regulated data?",
}
UNREAD = object()  # the person did not say which decision they read


class Said(NamedTuple):
    """What the data answer to a question, and how they know."""

    answer: str
    because: str


class Proposal(NamedTuple):
    """What the answers speak for; `open` are the questions that could still turn it."""

    outcome: str
    because: tuple[str, ...]
    open: tuple[str, ...]


def propose(answers: Mapping[str, str]) -> Proposal:
    """An entry of its own as soon as one question is answered with yes; else it is carried by another one."""
    spoken = tuple(name for name in QUESTIONS if answers.get(name) == Answer.YES)
    if spoken:
        return Proposal(Outcome.LISTED, spoken, ())
    return Proposal(Outcome.REFERENCED, (), tuple(name for name in QUESTIONS if answers.get(name) != Answer.NO))


def evidence(*, consumers: Iterable[ServiceVersion], bears_name: ServiceVersion | None = None) -> dict[str, Said]:
    """What can be known without asking: from the services that use it, and from the entry that bears its name if there is one."""
    users = sorted({version.service_id: version for version in consumers}.values(), key=lambda version: version.name)
    return {
        "customers": Said(Answer.UNKNOWN, "Only people know."),
        "agreement": _agreed(bears_name),
        "commitments": Said(Answer.UNKNOWN, "Only people know."),
        "consumers": _used(users),
        "regulated": _regulated(users),
    }


def _agreed(version: ServiceVersion | None) -> Said:
    if version is None:
        return Said(Answer.UNKNOWN, "No entry bears its name.")
    if version.sla_id or version.offerings.all():
        return Said(Answer.YES, f"The entry {version.name} has {'an SLA' if version.sla_id else 'offerings'}.")
    return Said(Answer.NO, f"The entry {version.name} has neither an SLA nor offerings.")


def _used(users: list[ServiceVersion]) -> Said:
    names = ", ".join(version.name for version in users[:3]) + (f" and {len(users) - 3:,} more" if len(users) > 3 else "")
    if not users:
        return Said(Answer.UNKNOWN, "No service is known to use it.")
    return Said(
        Answer.YES if len(users) > 1 else Answer.NO, f"{len(users):,} {'services use' if len(users) > 1 else 'service uses'} it: {names}."
    )


def _regulated(users: list[ServiceVersion]) -> Said:
    ruled = [version for version in users if version.regulations]
    if ruled:
        return Said(Answer.YES, f"{ruled[0].name} must comply with {', '.join(ruled[0].regulations)}.")
    labels = sorted({label for version in users for label in version.labels})
    if labels:
        return Said(Answer.UNKNOWN, f"Its services bear the label {', '.join(labels)}; no entry names a regulation.")
    return Said(Answer.NO, "No entry that uses it names a regulation.") if users else Said(Answer.UNKNOWN, "No service is known to use it.")


def open_line(*, name: str, by: Any, at: dt.datetime, reason: str) -> ScopeLine:
    """A backup service that stands in the register from now on, not decided yet. Raises NotAllowed, NotReady for a name that is taken."""
    if not _anywhere(by) and not Service.objects.visible_to(by, "change").exists():
        raise NotAllowed(_not_you(by))
    row = ScopeLine(name=" ".join(name.split()), created_at=at)
    problems = problems_of(row)
    if ScopeLine.objects.filter(name__iexact=row.name).exists():
        problems = [f"“{row.name}” stands in the register already. Decide on it there, or choose another name."]
    if problems:
        raise NotReady(problems)
    with transaction.atomic(), because(reason, by=by):
        row.save()
    return row


def decide_new(*, name: str, by: Any, at: dt.datetime, reason: str, **decision: Any) -> ScopeDecision:
    """A backup service of this name stands in the register and is decided on, as `decide_scope` takes it. Raises what both raise."""
    with transaction.atomic():
        line = open_line(name=name, by=by, at=at, reason=reason)
        return decide_scope(line=line, by=by, at=at, reason=reason, **decision)


def decide_scope(
    *, line: ScopeLine, outcome: str, entry: Service | None, hosting: str, answers: Mapping[str, str], review_on: dt.date,
    by: Any, at: dt.datetime, reason: str, provider: str = "", seen: Any = UNREAD,
) -> ScopeDecision:  # fmt: skip
    """Decide where the backup service stands from `at` on. `seen` is the id of the decision that the person read (None for none).

    Raises NotAllowed for who may not change the entries concerned, WrongState when somebody decided meanwhile, NotReady with
    every sentence that says what is missing.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITE_LOCK])
        held = ScopeDecision.objects.filter(line=line).select_related("entry", "decided_by").order_by("-decided_at").first()
        _check_decider(by, [one for one in (entry, held.entry if held else None) if one], at)
        if seen is not UNREAD and seen != (held.pk if held else None):
            raise WrongState(_meanwhile(line, held))
        row = ScopeDecision(
            line=line, outcome=outcome, entry=entry, hosting=hosting, provider=provider.strip(), answers=dict(answers),
            reason=reason.strip(), review_on=review_on, decided_by=by, decided_at=at,
        )  # fmt: skip
        problems = _problems(row, at)
        if problems:
            raise NotReady(problems)
        with because(reason, by=by):
            row.save()
    return row


def check_may_decide(*, line: ScopeLine, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed, naming who can, unless the person may decide where this backup service stands."""
    held = ScopeDecision.objects.filter(line=line).select_related("entry").order_by("-decided_at").first()
    _check_decider(by, [held.entry] if held and held.entry else [], at)


def _check_decider(by: Any, entries: list[Service], at: dt.datetime) -> None:
    for service in entries:
        duties.check(by=by, act="scope", on=service, at=at)
    if not entries and not _anywhere(by):
        raise NotAllowed(_not_you(by))
    if told := duties.objection(by, ScopeLine, at):
        raise NotAllowed(told)


def _anywhere(by: Any) -> bool:
    return bool(by.is_active and by.has_perm(MAY_DECIDE))


def _not_you(by: Any) -> str:
    return f"You may not decide on the scope of the catalogue. {who_decides(by)}"


def who_decides(by: Any) -> str:
    """Who, apart from this person, may decide on every backup service, in a sentence."""
    able = get_user_model().objects.with_perm(MAY_DECIDE, backend="django.contrib.auth.backends.ModelBackend", include_superusers=False)
    named = duties.names(able.filter(is_active=True).exclude(pk=by.pk).order_by("username"))
    return f"{named} can." if named else "Nobody holds that duty yet: an administrator can grant the role steward."


def _meanwhile(line: ScopeLine, held: ScopeDecision | None) -> str:
    if held is None:
        return f"There is no decision on {line} that could be replaced. Nothing was changed; look at it again."
    who = duties.names([held.decided_by])
    return f"{who} decided on {line} meanwhile: {held.get_outcome_display()}. Nothing was changed; look at it again."


def _problems(row: ScopeDecision, at: dt.datetime) -> list[str]:
    found = []
    if row.outcome in (Outcome.LISTED, Outcome.REFERENCED):
        if row.entry is None:
            found.append("Name the entry: the one that it is when listed, the one that carries it when referenced.")
        elif not is_published(row.entry, at):
            found.append(f"{row.entry} is not in the catalogue: choose an entry with a version in force that is not retired.")
        elif row.outcome == Outcome.LISTED and (other := _listed_as(row, at)):
            found.append(f"{row.entry} stands for “{other}” already. Choose its own entry, or reference this one through {row.entry}.")
    elif row.entry is not None:
        found.append("What is left out of the catalogue names no entry.")
    if set(row.answers) != set(QUESTIONS) or not set(row.answers.values()) <= set(Answer.values):
        found.append(f"Answer every question with yes, no or unknown: {', '.join(QUESTIONS)}.")
    if not row.review_on or row.review_on <= local_day(at, "UTC"):
        found.append("Choose a day for the next review that is still to come.")
    if not row.reason:
        found.append("Say why: the reason is kept with the decision.")
    return found or problems_of(row)


def is_published(service: Service, at: dt.datetime) -> bool:
    """Whether the entry stands in the catalogue, with a version in force at `at`."""
    return Service.objects.listed().filter(pk=service.pk, versions__in=ServiceVersion.objects.in_force(at)).exists()


def _listed_as(row: ScopeDecision, at: dt.datetime) -> ScopeLine | None:
    others = ScopeDecision.objects.current(at).exclude(line=row.line_id)
    found = others.filter(outcome=Outcome.LISTED, entry=row.entry_id).select_related("line").first()
    return found.line if found else None
