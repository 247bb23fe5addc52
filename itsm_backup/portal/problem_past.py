"""Problems as they were at an instant of the past, read from their stories, to which lines are only added."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When

from incidents import solving
from incidents.models import Problem, ProblemEntry
from itsm_backup.portal.asof import Moment

State = Problem.State
_BACK = "It came back"
# What a line begins with that tells of a state; the line of a proposal says why it was made.
_BEGINS = {"Proposed with": State.PROPOSED, f"{_BACK}:": State.FIX_IN_PROGRESS} | {
    str(one.label): one for one in State if one != "proposed"
}
_TELLS = "^(Proposed with|It came back:|(" + "|".join(one.label for one in State if one != "proposed") + ")(:|$))"
_COUNTS = r"^(Proposed with \d+ incidents|INC-\d+ came of it, too): "  # why it was proposed, as counted then
_TEXTS = {words: name for name, words in solving.WORDS.items()}


def with_state_then(rows: QuerySet[Problem], moment: Moment) -> QuerySet[Problem]:
    """Those that were proposed by then, each with `state_then`."""
    lines = ProblemEntry.objects.filter(problem=OuterRef("pk"), at__lte=moment.at, text__regex=_TELLS).order_by("-at", "-pk")
    told = [When(said__startswith=begins, then=Value(state.value)) for begins, state in _BEGINS.items()]
    counts = ProblemEntry.objects.filter(problem=OuterRef("pk"), at__lte=moment.at, text__regex=_COUNTS).order_by("-at", "-pk")
    told_then = {"said": Subquery(lines.values("text")[:1]), "counted": Subquery(counts.values("text")[:1])}
    known = rows.filter(proposed_at__lte=moment.at).annotate(**told_then)
    return known.annotate(state_then=Case(*told, default=Value(State.PROPOSED.value)))


def as_then(problem: Problem, moment: Moment) -> Problem:
    """The same row, not to be saved, with state, texts, dates and who has it as they were."""
    problem.state, problem.outcome, problem.assignee = State.PROPOSED, "", None
    problem.fixed_at = problem.muted_until = problem.closed_at = None
    for name in _TEXTS.values():
        setattr(problem, name, "")
    for entry in problem.entries.filter(at__lte=moment.at).select_related("by").order_by("at", "pk"):
        head, _, rest = entry.text.partition(": ")
        if re.match(_COUNTS, entry.text):
            problem.because = [{"words": rest}]
        elif head in _TEXTS:
            setattr(problem, _TEXTS[head], "" if rest == solving.TAKEN_BACK else rest)
        else:
            _step(problem, head, entry)
    return problem


def _step(problem: Problem, head: str, entry: Any) -> None:
    state = State.FIX_IN_PROGRESS if head == _BACK else next((one for one in State if one.label == head), None)
    if state is None:
        return
    before, problem.state = problem.state, state
    problem.fixed_at = entry.at if state == State.RESOLVED else problem.fixed_at if state == State.CLOSED else None
    problem.muted_until = entry.at + solving.MUTED if state == State.REJECTED else None
    problem.outcome = solving.outcome_of(before) if state == State.CLOSED else ""
    problem.assignee = problem.assignee or (entry.by if state == State.NEW else None)
