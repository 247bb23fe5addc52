"""One backup service of the scope register, and the form on which somebody decides where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from catalogue import scoping
from catalogue.models import ScopeDecision, ScopeLine
from catalogue.scoping import QUESTIONS, Answer
from itsm_backup.common.time import local_day
from itsm_backup.portal import scope_lines
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.scope_lines import HOSTINGS, OUTCOMES, Finding, Line, Waiting
from itsm_backup.portal.scope_register import NEXT_REVIEW, entry_link, proposal_words
from itsm_backup.portal.words import day, instant, person, zone
from monitoring import discovering
from monitoring.models import BackupJob, ScopeClaim

ANSWERS = dict(Answer.choices)
MOST_LINES = 300


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    question: str
    answered: str
    today: str
    because: str
    turned: bool


@dataclass(frozen=True, kw_only=True)
class PartRow:
    pk: int
    name: str
    kind: str
    jobs: int
    since: SafeString


@dataclass(frozen=True, kw_only=True)
class DecisionRow:
    at: SafeString
    by: str
    outcome: str
    entry: str
    hosting: str
    reason: str
    review: str


@dataclass(frozen=True, kw_only=True)
class LinePage:
    subject: str
    name: str
    sentence: str
    findings: tuple[Finding, ...]
    facts: tuple[tuple[str, str | SafeString], ...]
    entry: Link | None
    spoken: str  # what the answers speak for
    against: bool  # whether the decision differs from that
    answers: tuple[AnswerRow, ...]
    parts: tuple[PartRow, ...]
    history: tuple[DecisionRow, ...]
    may_decide: bool


def line_page(*, line: Line, user: Any, moment: Moment) -> LinePage:
    """A backup service with its decision, the answers that led to it beside what is known now, its parts and all decisions so far."""
    decision = line.decision
    rows = ScopeDecision.objects.filter(line=line.row, decided_at__lte=moment.at).select_related("entry", "decided_by")
    spoken = scoping.propose(decision.answers) if decision else None
    return LinePage(
        subject=f"line-{line.row.pk}",
        name=line.row.name,
        sentence=_sentence(line),
        findings=line.findings,
        facts=_facts(line),
        entry=entry_link(line, moment),
        spoken=proposal_words(spoken) if spoken else "",
        against=bool(spoken and decision and decision.outcome not in (ScopeDecision.Outcome.EXCLUDED, spoken.outcome)),
        answers=tuple(_answer(name, decision, line.said) for name in QUESTIONS) if decision else (),
        parts=tuple(_parts(line, moment)),
        history=tuple(_decision(row) for row in rows.order_by("-decided_at")),
        may_decide=scope_lines.may_decide(user, moment),
    )


def _sentence(line: Line) -> str:
    decision = line.decision
    if decision is None:
        return "Nobody has decided yet where it stands in the catalogue."
    named = line.entry.name if line.entry else str(decision.entry or "")
    return {
        "listed": f"It is an entry of its own: {named}.",
        "referenced": f"It is part of another entry: {named}.",
        "excluded": "It is left out of the catalogue.",
    }[decision.outcome]


def _facts(line: Line) -> tuple[tuple[str, str | SafeString], ...]:
    decision = line.decision
    if decision is None:
        return (("In the register since", instant(line.row.created_at)),)
    return (
        ("Decision", OUTCOMES[decision.outcome]),
        ("Hosting", HOSTINGS[decision.hosting].capitalize() + (f", {decision.provider}" if decision.provider else "")),
        ("Decided by", person(decision.decided_by)),
        ("Decided", instant(decision.decided_at)),
        ("Next review", day(decision.review_on)),
    )


def _answer(name: str, decision: ScopeDecision, said: Mapping[str, scoping.Said]) -> AnswerRow:
    answered, today = decision.answers[name], said[name]
    turned = Answer.UNKNOWN not in (today.answer, answered) and today.answer != answered
    return AnswerRow(
        question=QUESTIONS[name], answered=ANSWERS[answered].capitalize(), today=ANSWERS[today.answer].capitalize(),
        because=today.because, turned=turned,
    )  # fmt: skip


def _parts(line: Line, moment: Moment) -> Any:
    claims = ScopeClaim.objects.standing(moment.at).filter(line=line.row).select_related("tool", "job")
    rows = BackupJob.objects.filter(tool__in=claims.values("tool"), first_seen_at__lte=moment.at).values("tool", "repository_name")
    counted = {(row["tool"], row["repository_name"]): row["n"] for row in rows.annotate(n=Count("pk"))}
    for one in claims:
        yield PartRow(
            pk=one.pk, name=str(one.job or one.repository_name), kind=f"{'Job' if one.job else 'Repository'} of {one.tool}",
            jobs=1 if one.job else counted.get((one.tool_id, one.repository_name), 0), since=instant(one.made_at),
        )  # fmt: skip


def _decision(row: ScopeDecision) -> DecisionRow:
    return DecisionRow(
        at=instant(row.decided_at), by=person(row.decided_by), outcome=OUTCOMES[row.outcome], entry=str(row.entry or "–"),
        hosting=HOSTINGS[row.hosting], reason=row.reason, review=day(row.review_on),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class QuestionField:
    name: str
    words: str
    because: str
    chosen: str


@dataclass(frozen=True, kw_only=True)
class DecidePage:
    subject: str
    title: str
    source: str
    named: bool  # whether it has a name in the register already
    name: str
    proposal: str
    questions: tuple[QuestionField, ...]
    outcomes: tuple[tuple[str, str], ...]
    hostings: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str], ...]
    entries: tuple[tuple[str, str], ...]
    typed: Mapping[str, str]
    seen: str
    lines: tuple[tuple[int, str], ...]  # backup services that it could be a part of
    problems: tuple[str, ...]


def find(*, subject: str, user: Any, moment: Moment) -> tuple[Waiting, Line | None] | None:
    """What the address names: `new`, `line-3`, `entry-SVC-001` or `job-12`; None for what one may not see."""
    kind, _, key = subject.partition("-")
    is_number = key.isdigit() and len(key) < 19
    if subject == "new":
        return Waiting(subject="new", name="", source="", since=moment.at, hosting="on_premises", said=scoping.evidence(consumers=())), None
    if kind == "line" and is_number:
        found = scope_lines.lines(user=user, moment=moment, only=int(key))
        return (scope_lines.line_waiting(found[0]), found[0]) if found else None
    if kind == "entry":
        entries = scope_lines.entries_waiting(user=user, moment=moment, code=key)
        return (entries[0], None) if entries else None
    if kind == "job" and is_number:
        thing = discovering.thing_at(scope_lines.jobs_waiting(user=user, moment=moment), int(key), moment.at)
        return (scope_lines.waiting_of([thing], moment)[0], None) if thing else None
    return None


def decided_already(*, subject: str, user: Any, moment: Moment) -> Line | None:
    """The backup service that what the address names belongs to by now, because somebody decided on it; None where nobody did."""
    kind, _, key = subject.partition("-")
    found = None
    if kind == "job" and key.isdigit() and len(key) < 19 and (job := BackupJob.objects.filter(pk=key).first()):
        its = Q(job=job) | Q(job=None, tool=job.tool_id, repository_name=job.repository_name)
        found = ScopeClaim.objects.standing(moment.at).filter(its).values_list("line", flat=True).first()
    elif kind == "entry":
        rows = ScopeDecision.objects.filter(entry__code=key, decided_at__lte=moment.at).order_by("-decided_at")
        found = rows.values_list("line", flat=True).first()
    return next(iter(scope_lines.lines(user=user, moment=moment, only=found)), None) if found else None


def meanwhile(line: Line) -> str:
    """Who decided what on it, in a sentence."""
    one = line.decision
    if one is None:
        return f"It belongs to {line.row} already."
    through = f" through {one.entry}" if one.outcome == ScopeDecision.Outcome.REFERENCED else ""
    when = instant(one.decided_at)
    return f"{person(one.decided_by)} decided on it ({strip_tags(when)}): {line.row} is {OUTCOMES[one.outcome].lower()}{through}."


def decide_page(
    *, one: Waiting, line: Line | None, user: Any, moment: Moment, typed: Mapping[str, str] | None = None, problems: tuple[str, ...] = ()
) -> DecidePage:
    """The form, filled with what was typed, else with the decision that stands, else with what the data say."""
    near = {one.version.service_id} if one.version else set()
    near |= set(one.thing.consumers) if one.thing else set()
    filled = dict(typed) if typed is not None else _filled(one, line, moment)
    others = ScopeLine.objects.visible_to(user).order_by("name") if one.thing else ScopeLine.objects.none()
    return DecidePage(
        subject=one.subject,
        title=f"Where does {one.name} stand?" if one.name else "Add a backup service",
        source=one.source,
        named=line is not None,
        name=one.name,
        proposal=proposal_words(one.proposal),
        questions=tuple(
            QuestionField(name=name, words=words, because=one.said[name].because, chosen=filled.get(name, ""))
            for name, words in QUESTIONS.items()
        ),
        outcomes=tuple(ScopeDecision.Outcome.choices),
        hostings=tuple(HOSTINGS.items()),
        answers=tuple(ANSWERS.items()),
        entries=tuple(scope_lines.entries_offered(user=user, moment=moment, first=near)),
        typed=filled,
        seen=str(line.decision.pk) if line and line.decision else "none",
        lines=tuple(others.values_list("pk", "name")[:MOST_LINES]),
        problems=problems,
    )


def _filled(one: Waiting, line: Line | None, moment: Moment) -> dict[str, str]:
    decision = line.decision if line else None
    review = local_day(moment.at, str(zone())) + NEXT_REVIEW
    answers = {name: said.answer for name, said in one.said.items()}
    if decision:
        kept = {name: answer for name, answer in decision.answers.items() if answers.get(name, Answer.UNKNOWN) == Answer.UNKNOWN}
        told = {"hosting": decision.hosting, "provider": decision.provider, "entry": decision.entry.code if decision.entry else ""}
        return {**answers, **kept, **told, "outcome": decision.outcome, "review_on": review.isoformat()}
    only = one.version.service.code if one.subject.startswith("entry-") and one.version else ""
    return {**answers, "hosting": one.hosting, "name": "" if one.thing else one.name, "entry": only, "review_on": review.isoformat(),
            "provider": one.version.provider if one.version and only else ""}  # fmt: skip


def told(decision: ScopeDecision) -> str:
    """What was decided, in a sentence for the one who did."""
    through = f" through {decision.entry}" if decision.outcome == ScopeDecision.Outcome.REFERENCED else ""
    return f"{decision.line} is {OUTCOMES[decision.outcome].lower()}{through}. The next review is on {day(decision.review_on)}."
