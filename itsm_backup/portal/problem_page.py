"""Problems: what is proposed and what is worked on; and one of them with its reasons, incidents, cause, fix and story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.safestring import SafeString

from incidents import knowing, reasoning, signing, solving
from incidents.models import Incident, Problem
from incidents.models.problems import LIVE_STATES
from itsm_backup.portal import problem_past, tense
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.incident_deeds import Step
from itsm_backup.portal.incident_page import Story
from itsm_backup.portal.problem_hit import Hit, counted, hit_by
from itsm_backup.portal.problem_risk import Risk, risk_of
from itsm_backup.portal.service_list import PAGE, Choice, Paging, paging_of
from itsm_backup.portal.words import clock, many, person, recent

VIEWS = {"": "Open", "proposed": "Proposed", "over": "Over"}
CHANGE = "incidents.change_problem"
MOST, NAMED = 100, 5
STEPS = {
    ("proposed", "new"): ("Accept it", "It is a problem, and yours until somebody else takes it."),
    ("proposed", "rejected"): ("Reject it", "It is none. Its kind of failure is not proposed again for 30 days."),
    ("new", "assess"): ("Assess it", "How much it costs, and whether it is worth a fix."),
    ("assess", "root_cause_analysis"): ("Seek the root cause", ""),
    ("assess", "closed"): ("Close it: no problem of its own", "It is another one, or none."),
    ("root_cause_analysis", "fix_in_progress"): ("The cause is known: have it fixed", "Asks for the root cause."),
    ("fix_in_progress", "resolved"): ("The fix is in place", "Asks for the change. From now on it must not come back."),
    ("resolved", "fix_in_progress"): ("Go on with the fix", ""),
    ("resolved", "closed"): ("Close it", "Possible when it has not come back for 30 days."),
}


@dataclass(frozen=True, kw_only=True)
class ProblemRow:
    name: Link
    number: str
    state: str
    why: str
    incidents: int
    assignee: str
    proposed: SafeString


@dataclass(frozen=True, kw_only=True)
class ProblemsPage:
    sentence: str
    rows: tuple[ProblemRow, ...]
    views: tuple[Choice, ...]
    paging: Paging


@dataclass(frozen=True, kw_only=True)
class Text:
    name: str
    label: str
    value: str
    hint: str
    typed: str  # what stands in the field: what was typed into a form that was refused, else the value


@dataclass(frozen=True, kw_only=True)
class Came:
    """One incident of the problem."""

    name: Link
    number: str
    services: tuple[Link, ...]
    more: str  # how many further ones it hit
    state: str
    opened: SafeString


@dataclass(frozen=True, kw_only=True)
class ProblemPage:
    number: str
    title: str
    facts: tuple[tuple[str, str | SafeString], ...]
    reasons: tuple[str, ...]
    texts: tuple[Text, ...]
    may_write: bool
    steps: tuple[Step, ...]
    refusal: str
    incidents: tuple[Came, ...]
    story: tuple[Story, ...]
    known_errors: tuple[Link, ...]
    may_draft: bool
    risk: Risk


def problems_page(*, user: Any, moment: Moment, view: str, page: int) -> ProblemsPage:
    """One page of the list; what is proposed stands first."""
    view = view if view in VIEWS else ""
    rows = problem_past.with_state_then(Problem.objects.visible_to(user), moment) if moment.past else Problem.objects.visible_to(user)
    state = "state_then" if moment.past else "state"
    live = {f"{state}__in": ["proposed"] if view == "proposed" else LIVE_STATES}
    rows = rows.exclude(**live) if view == "over" else rows.filter(**live)
    total = rows.count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    theirs = counted(moment).filter(problem=OuterRef("pk"), incident__in=Incident.objects.visible_to(user)).order_by()
    how_many = Coalesce(Subquery(theirs.values("problem").annotate(of=Count("pk")).values("of")), 0)
    shown = rows.annotate(incidents=how_many).select_related("assignee").order_by("-updated_at", "-pk")
    shown = list(shown[first : first + PAGE])
    return ProblemsPage(
        sentence=_sentence(total, view),
        rows=tuple(_row(row, moment) for row in shown),
        views=tuple(Choice(value=moment.href("problems", view=key), words=words, chosen=key == view) for key, words in VIEWS.items()),
        paging=paging_of(first, len(shown), total, PAGE, lambda number: moment.href("problems", view=view, page=number)),
    )


def _sentence(total: int, view: str) -> str:
    words = {"": "is open", "proposed": "is proposed", "over": "is over"}[view]
    return f"{many(total, 'problem')} {words if total == 1 else words.replace('is', 'are', 1)}."


def _row(row: Any, moment: Moment) -> ProblemRow:
    why_then = (row.counted or "").partition(": ")[2] if moment.past else ""
    return ProblemRow(
        name=Link(row.title, moment.href("problem", row.number)),
        number=row.number,
        state=str(Problem.State(row.state_then).label) if moment.past else row.get_state_display(),
        why=why_then or "; ".join(reason["words"] for reason in row.because),
        incidents=row.incidents,
        assignee="" if moment.past else person(row.assignee) if row.assignee else "Nobody yet",
        proposed=recent(row.proposed_at, moment),
    )


def find(*, number: str, user: Any, moment: Moment) -> Problem | None:
    """The problem if the user may see it and it was proposed by the moment, as it was then; else None."""
    rows = Problem.objects.visible_to(user).filter(proposed_at__lte=moment.at)
    found = rows.select_related("assignee").filter(pk=int(number.upper().removeprefix("PRB-"))).first()
    return problem_past.as_then(found, moment) if found and moment.past else found


def problem_page(*, problem: Problem, user: Any, moment: Moment, sent: Mapping[str, str] | None = None) -> ProblemPage:
    """The page of a problem that `find` gave; `sent` is what was typed into a form that was refused."""
    may = user.has_perm(CHANGE) and not moment.past
    steps = tuple(
        Step(to=to, words=words, says=f"{says}{_against(problem, to, user)}", needs_reason=solving.TRANSITIONS[problem.state, to])
        for (before, to), (words, says) in STEPS.items()
        if before == problem.state and may
    )
    working = problem.is_live and problem.state != "proposed"
    risk = risk_of(problem=problem, user=user, moment=moment, may=may)
    hit = hit_by(problem, user, moment)
    entries = problem.entries.filter(at__lte=moment.at).select_related("by")
    return ProblemPage(
        number=problem.number,
        title=problem.title,
        facts=(*_facts(problem, moment), *risk.facts, ("Hit", hit.words)),
        reasons=tuple(reason["words"] for reason in problem.because),
        texts=_texts(problem, sent or {}),
        may_write=may and working,
        steps=steps,
        refusal="" if may else "You are looking at the past." if moment.past else "Operators can work on this.",
        incidents=tuple(_came(row, hit, moment) for row in hit.incidents),
        story=tuple(_line(entry, moment) for entry in entries.order_by("-at", "-pk")[:MOST]),
        known_errors=tuple(
            Link(f"{row.number} {row.title}", moment.href("known_error", row.number)) for row in _known_errors(problem, moment)
        ),
        may_draft=may and working and user.has_perm("incidents.add_knownerror"),
        risk=risk,
    )


def _against(problem: Problem, to: str, user: Any) -> str:
    """Before the fix is said to be in place: which incidents of its kind are open."""
    return f" {standing_words(problem, user)}" if to == "resolved" else ""


def standing_words(problem: Problem, user: Any) -> str:
    """`INC-0014 and 2 others are open …`: what fails in them from now on says that it came back; numbers that the user may see."""
    rows = solving.standing_against(problem)
    count = rows.count()
    if not count:
        return ""
    numbers = [row.number for row in rows.visible_to(user)[:NAMED]]
    others = count - len(numbers)
    named = ", ".join(
        [*numbers, *([f"{others} other{'s' if others > 1 else ''}" if numbers else many(others, "incident")] if others else [])]
    )
    verb = "is open and of the same kind: while it is" if count == 1 else "are open and of the same kind: while they are"
    return f"{named} {verb}, the problem cannot be closed, and what fails there after the fix has come back."


def _facts(problem: Problem, moment: Moment) -> tuple[tuple[str, str | SafeString], ...]:
    facts: list[tuple[str, str | SafeString]] = [
        ("State", problem.get_state_display() + (f", {problem.get_outcome_display().lower()}" if problem.outcome else "")),
        ("With", person(problem.assignee) if problem.assignee else "Nobody yet"),
        ("Proposed", recent(problem.proposed_at, moment)),
        ("Signature", signing.words_of(problem.signature)),
        ("About", reasoning.services_words(problem.service_type) if problem.service_type else "services of all types"),
    ]
    if problem.fixed_at:
        facts.append(("Fix in place", recent(problem.fixed_at, moment)))
    if problem.muted_until and problem.state == "rejected":
        facts.append(("Muted until", recent(problem.muted_until, moment)))
    return tuple(facts)


def _known_errors(problem: Problem, moment: Moment) -> list[Any]:
    rows = problem.known_errors.all()
    return knowing.as_of(rows, at=moment.at)[:MOST] if moment.past else list(rows[:MOST])


def _texts(problem: Problem, sent: Mapping[str, str]) -> tuple[Text, ...]:
    hints = {
        "root_cause": ("Root cause", "Why it happens, not how it shows."),
        "workaround": ("Workaround", "What helps until it is fixed."),
        "permanent_fix": ("Permanent fix", "The change that removes the cause: its number, such as CHG-0042, or its address."),
    }
    kept = {name: getattr(problem, name) for name in hints}
    return tuple(
        Text(name=name, label=label, value=kept[name], hint=hint, typed=_typed(name, kept[name], sent))
        for name, (label, hint) in hints.items()
    )


def _typed(name: str, value: str, sent: Mapping[str, str]) -> str:
    """What was typed; the text that is kept, where somebody else changed it meanwhile, which the refusal tells."""
    return sent.get(name, value) if sent.get(f"was-{name}", value).strip() == value.strip() else value


def _came(row: Any, hit: Hit, moment: Moment) -> Came:
    services, more = hit.of(row)
    return Came(
        name=Link(tense.told(row.told_title, over=_is_over(row, moment)), moment.href("incident", row.number)),
        number=row.number,
        services=services,
        more=more,
        state=_state_then(row, moment),
        opened=recent(row.known_at, moment),
    )


def _state_then(row: Any, moment: Moment) -> str:
    if not moment.past:
        return str(row.get_state_display())
    return "Over" if row.over else "Open"


def _is_over(row: Any, moment: Moment) -> bool:
    return bool(row.over) if moment.past else not row.is_open


def _line(entry: Any, moment: Moment) -> Story:
    return Story(when=clock(entry.at, moment), text=entry.text, who=person(entry.by) if entry.by else "")
