"""The scope register: what is wrong first, then what waits for a decision, then every backup service and where it stands."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from catalogue import scoping
from catalogue.models import ScopeDecision
from itsm_backup.common.time import local_day
from itsm_backup.portal import scope_lines
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.scope_lines import HOSTINGS, OUTCOMES, Finding, Line, Waiting
from itsm_backup.portal.service_list import Choice, Paging, harmless, paging_of
from itsm_backup.portal.words import day, instant, many, person, zone
from monitoring import discovering

PAGE, MOST_FINDINGS, FILTERS = 50, 50, ("text", "outcome", "hosting", "finding")
NEXT_REVIEW = dt.timedelta(days=182)
FINDINGS = {"orphaned": "Carrier gone", "overdue": "Review overdue", "changed": "Answer changed"}


@dataclass(frozen=True, kw_only=True)
class Count:
    words: str
    count: int
    href: str


@dataclass(frozen=True, kw_only=True)
class FindingRow:
    verdict: str
    kind: str
    line: Link
    words: str
    deed: Link | None


@dataclass(frozen=True, kw_only=True)
class WaitingRow:
    subject: str
    name: str
    source: str
    since: SafeString
    proposal: str
    evidence: tuple[str, ...]
    href: str
    may_decide: bool


@dataclass(frozen=True, kw_only=True)
class RegisterRow:
    name: Link
    hosting: str
    provider: str
    outcome: str
    outcome_words: str
    entry: Link | None
    reason: str
    decided_by: str
    decided_at: SafeString
    review: str
    jobs: int
    finding: Finding | None


@dataclass(frozen=True, kw_only=True)
class RegisterPage:
    sentence: str
    counts: tuple[Count, ...]
    findings: tuple[FindingRow, ...]
    more_findings: int
    waiting: tuple[WaitingRow, ...]
    waiting_paging: Paging
    rows: tuple[RegisterRow, ...]
    paging: Paging
    text: str
    outcomes: tuple[Choice, ...]
    hostings: tuple[Choice, ...]
    kinds: tuple[Choice, ...]
    filtered: bool
    csv_href: str
    may_add: bool
    review_on: str  # the day that is offered for the next review


def register_page(*, user: Any, moment: Moment, asked: Mapping[str, str], page: int, waits: int) -> RegisterPage:
    """The page; `page` counts through the register, `waits` through what is to be decided. Queries do not grow with either."""
    wanted = {name: asked.get(name, "").strip() for name in FILTERS}
    everything = scope_lines.lines(user=user, moment=moment)
    decided = [line for line in everything if line.decision]
    waiting, waiting_paging, undecided = _waiting(user, moment, [line for line in everything if not line.decision], waits)
    shown = sorted((line for line in decided if _fits(line, wanted)), key=lambda line: (not line.findings, line.row.name.casefold()))
    first = PAGE * (min(max(1, page), max(1, -(-len(shown) // PAGE))) - 1)
    may_decide = scope_lines.may_decide(user, moment)
    found = (*_undecided(undecided, moment), *_findings(decided, may_decide, moment))
    return RegisterPage(
        sentence=_sentence(len(decided), undecided, moment, limited=not user.has_perm("catalogue.view_scopeline")),
        counts=_counts(decided, undecided, len(found), moment),
        findings=found[:MOST_FINDINGS],
        more_findings=max(0, len(found) - MOST_FINDINGS),
        waiting=tuple(_waiting_row(one, moment, may_decide) for one in waiting),
        waiting_paging=waiting_paging,
        rows=tuple(_row(line, line.decision, moment) for line in shown[first : first + PAGE] if line.decision),
        paging=paging_of(first, len(shown[first : first + PAGE]), len(shown), PAGE, lambda n: moment.href("scope", **wanted, page=n)),
        text=wanted["text"],
        outcomes=_choices(OUTCOMES, wanted["outcome"]),
        hostings=_choices(HOSTINGS, wanted["hosting"]),
        kinds=_choices(FINDINGS, wanted["finding"]),
        filtered=any(wanted.values()),
        csv_href=moment.href("scope", **wanted, format="csv"),
        may_add=may_decide,
        review_on=(local_day(moment.at, str(zone())) + NEXT_REVIEW).isoformat(),
    )


def _choices(words: Mapping[str, str], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value=value, words=told.capitalize(), chosen=value == chosen) for value, told in words.items())


def _fits(line: Line, wanted: Mapping[str, str]) -> bool:
    decision = line.decision
    if decision is None:
        return False
    text = wanted["text"].casefold()
    told = f"{line.row.name} {decision.provider} {decision.entry or ''} {line.entry.name if line.entry else ''}".casefold()
    kinds = {one.kind for one in line.findings}
    return (
        text in told
        and wanted["outcome"] in ("", decision.outcome)
        and wanted["hosting"] in ("", decision.hosting)
        and (not wanted["finding"] or wanted["finding"] in kinds)
    )


def _waiting(user: Any, moment: Moment, undecided: list[Line], waits: int) -> tuple[list[Waiting], Paging, int]:
    """One page of what nobody decided on: lines and entries first, then what tools discovered."""
    ahead = [*map(scope_lines.line_waiting, undecided), *scope_lines.entries_waiting(user=user, moment=moment)]
    things = discovering.things(scope_lines.jobs_waiting(user=user, moment=moment), moment.at)
    total = len(ahead) + things.count()
    first = PAGE * (min(max(1, waits), max(1, -(-total // PAGE))) - 1)
    shown = ahead[first : first + PAGE]
    start = max(0, first - len(ahead))
    found = [discovering.thing_of(row) for row in things[start : start + PAGE - len(shown)]] if len(shown) < PAGE else []
    shown += scope_lines.waiting_of(found, moment)
    return shown, paging_of(first, len(shown), total, PAGE, lambda n: f"{moment.href('scope', waits=n)}#waiting"), total


def _sentence(decided: int, undecided: int, moment: Moment, *, limited: bool) -> str:
    total = decided + undecided
    if not total and limited:
        return f"No backup service that concerns your entries {'was' if moment.past else 'is'} known yet."
    if not total:
        return "No backup service was known yet." if moment.past else "No backup service is known yet."
    if not undecided:
        return f"{'All' if total > 1 else 'The'} {many(total, 'backup service')} {'are' if total > 1 else 'is'} decided."
    return f"{decided:,} of {many(total, 'backup service')} {'is' if decided == 1 else 'are'} decided."


def _counts(decided: list[Line], undecided: int, findings: int, moment: Moment) -> tuple[Count, ...]:
    by_outcome = Counter(line.decision.outcome for line in decided if line.decision)
    return (
        *(Count(words=words, count=by_outcome[name], href=moment.href("scope", outcome=name)) for name, words in OUTCOMES.items()),
        Count(words="To decide", count=undecided, href=f"{moment.href('scope')}#waiting"),
        Count(words="Findings", count=findings, href=f"{moment.href('scope')}#findings"),
    )


def _undecided(count: int, moment: Moment) -> tuple[FindingRow, ...]:
    """What nobody decided on is a finding, too: one line for all of it, that leads to the list."""
    if not count:
        return ()
    words = "Nobody decided whether they are entries of their own, part of another one, or left out."
    line = Link(many(count, "backup service"), f"{moment.href('scope')}#waiting")
    return (FindingRow(verdict="at_risk", kind="Undecided", line=line, words=words, deed=None),)


def _findings(decided: Iterable[Line], able: bool, moment: Moment) -> tuple[FindingRow, ...]:
    rows = [
        FindingRow(
            verdict=one.verdict, kind=FINDINGS[one.kind], line=Link(line.row.name, moment.href("scope_line", line.row.pk)), words=one.words,
            deed=Link("Decide again", moment.href("scope_decide", f"line-{line.row.pk}")) if able else None,
        )
        for line in decided for one in line.findings
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda row: (row.verdict != "broken", row.kind, row.line.words.casefold())))


def _waiting_row(one: Waiting, moment: Moment, may_decide: bool) -> WaitingRow:
    return WaitingRow(
        subject=one.subject, name=one.name, source=one.source, since=instant(one.since), proposal=proposal_words(one.proposal),
        evidence=tuple(said.because for said in one.said.values() if said.answer != scoping.Answer.UNKNOWN),
        href=moment.href("scope_decide", one.subject), may_decide=may_decide,
    )  # fmt: skip


def proposal_words(proposal: scoping.Proposal) -> str:
    """What the answers speak for, and what could still turn it."""
    if proposal.outcome == ScopeDecision.Outcome.LISTED:
        return "The answers speak for an entry of its own."
    if len(proposal.open) == len(scoping.QUESTIONS):
        return "Nothing is known of it yet that speaks for an entry of its own."
    still = f", unless one of {many(len(proposal.open), 'open question')} is answered with yes" if proposal.open else ""
    return f"The answers speak for a reference through another entry{still}."


def _row(line: Line, decision: ScopeDecision, moment: Moment) -> RegisterRow:
    return RegisterRow(
        name=Link(line.row.name, moment.href("scope_line", line.row.pk)),
        hosting=HOSTINGS[decision.hosting].capitalize(),
        provider=decision.provider,
        outcome=decision.outcome,
        outcome_words=OUTCOMES[decision.outcome],
        entry=entry_link(line, moment),
        reason=decision.reason,
        decided_by=person(decision.decided_by),
        decided_at=instant(decision.decided_at),
        review=day(decision.review_on),
        jobs=line.jobs,
        finding=line.findings[0] if line.findings else None,
    )


def entry_link(line: Line, moment: Moment) -> Link | None:
    """The entry of the decision, by name while it has a version in force; without an address once it has none."""
    if line.decision is None or line.decision.entry is None:
        return None
    if line.entry is None:
        return Link(line.decision.entry.code, "")
    return Link(line.entry.name, moment.href("service", line.decision.entry.code))


def as_csv(*, user: Any, moment: Moment, asked: Mapping[str, str]) -> str:
    """Every decided backup service of the filters; instants in UTC."""
    wanted = {name: asked.get(name, "").strip() for name in FILTERS}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["name", "hosting", "provider", "decision", "entry", "reason", "decided_by", "decided_at", "review_on", "findings"])
    for line in scope_lines.lines(user=user, moment=moment):
        decision = line.decision
        if decision is None or not _fits(line, wanted):
            continue
        told = [line.row.name, decision.hosting, decision.provider, decision.outcome, decision.entry.code if decision.entry else ""]
        told += [decision.reason, decision.decided_by.get_username(), decision.decided_at.isoformat(), decision.review_on.isoformat()]
        writer.writerow([harmless(value) for value in [*told, " ".join(one.words for one in line.findings)]])
    return out.getvalue()
