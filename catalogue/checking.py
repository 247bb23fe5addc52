"""Whether what an entry promises can hold: the inequalities of BM-FEAS, its agreements, and the services it hangs on.

What was measured is handed in by the floors above, which know the tools.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalogue import balancing, feasibility, impact, inheriting
from catalogue.inheriting import INHERITED, Chain
from catalogue.levels import COMPARED, Gap, Level, Question, exact, question_of, times
from catalogue.models import AgreementVersion, Deviation, ImpactAnalysis, Service, ServiceVersion
from itsm_backup.common.time import duration_words, local_day

__all__ = [
    "INHERITED", "UNMEASURED", "Finding", "Gap", "Measured", "Question", "analysis_at", "blocking", "borne", "broken_by",
    "deviations_at", "findings", "findings_of_many", "findings_with", "question_of", "refusals",
]  # fmt: skip

WEAKER_THAN_SLA = "COMMITMENT_WEAKER_THAN_SLA"
UNDERPINNED = "AGREEMENT_TOO_WEAK"
STRONGER_OFFERING = "OFFERING_STRONGER_THAN_ENTRY"
# Said, but no reason to stop.
TO_CONSIDER = frozenset({
    "RESTORE_TIME_UNMEASURED", "RETENTION_SHORTER_THAN_RESTORE_TEST",
    "NO_JOB", "NO_SLA", "NO_RELATION", "NEWER_AGREEMENT", "LABEL_ASKS_FOR_ENCRYPTION",  # catalogue/backing.py
})  # fmt: skip
DRIFT = {
    "SCHEDULE_EXCEEDS_RPO": 1.1,
    "MEASURED_RESTORE_EXCEEDS_RTO": 1.1,
}  # durations vary: a tenth more is borne where one side is measured


@dataclass(frozen=True)
class Measured:
    """What the monitoring knows of an entry's backups; None where it knows nothing. `interval_s` is the longest time between two due
    starts, `copy_lag_s` what passes between a backup's end and its copy being usable, `jobs` how many protect it.
    """

    interval_s: int | None = None
    p95_duration_s: int | None = None
    copy_lag_s: int | None = None
    restore_p95_s: int | None = None
    jobs: int | None = None


UNMEASURED = Measured()


@dataclass(frozen=True)
class Finding:
    """One inequality that does not hold. It stops publication unless it is only to consider or `deviation` bears it."""

    code: str
    sentence: str
    deviation: Deviation | None = None
    subject: str = ""  # what of the promise breaks it
    size: float = 1.0  # how many times over

    @property
    def stops(self) -> bool:
        return self.code not in TO_CONSIDER and self.deviation is None

    @property
    def state(self) -> str:
        """stops, borne (by a deviation) or consider."""
        return "stops" if self.stops else "borne" if self.deviation else "consider"


def blocking(
    *, version: ServiceVersion, measured: Measured, at: dt.datetime, reader: Any = None, beside: Sequence[Question] = ()
) -> list[str]:
    """One sentence, with its code, for everything that stops the version from taking force at that instant, in words for this reader.

    `beside` is what other entries will promise from the same instant on.
    """
    return refusals(findings(asked=question_of(version, reader=reader), measured=measured, at=at, beside=beside))


def refusals(found: Iterable[Finding]) -> list[str]:
    """A sentence for each finding that stops publication: what is wrong, its code, and what can be done."""
    return [f"{each.sentence} ({each.code}) Change it, or have a deviation granted." for each in found if each.stops]


def findings(*, asked: Question, measured: Measured, at: dt.datetime, beside: Sequence[Question] = ()) -> list[Finding]:
    """Every inequality that does not hold, what stops first, with the deviation that bears it; a fixed number of queries."""
    return findings_with(analysis_at(asked.service, at), asked=asked, measured=measured, at=at, beside=beside)


def findings_with(
    analysis: ImpactAnalysis | None, *, asked: Question, measured: Measured, at: dt.datetime, beside: Sequence[Question] = ()
) -> list[Finding]:
    """The same where the analysis that counts is known already."""
    gaps = _gaps(asked, analysis, measured, inheriting.chain_of(asked, at, beside=beside), at)
    return _found(gaps, deviations_at(asked.service, at))


def findings_of_many(
    *, asked: Sequence[Question], measured: Mapping[int, Measured], at: dt.datetime, together: bool = False
) -> list[list[Finding]]:
    """The same of one promise of each of many services, all for one reader; as many queries for one as for thousands.

    Each against what the others promise in force, or, `together`, against what they are asked to promise where that can hold.
    """
    services = {one.service.pk for one in asked} - {None}  # one that is not stored yet has nothing around it
    rows = ImpactAnalysis.objects.filter(service__in=services, state="approved", approved_at__lte=at)
    analyses = {row.service_id: row for row in rows.order_by("number")}
    relations = impact.around(services, at=at) if asked else set()
    told = inheriting.promises_of({pk for one in relations for pk in one[:2]}, at=at, reader=asked[0].reader) if asked else {}
    nobody = bool(asked) and asked[0].for_many

    def look(promised: inheriting.Promises) -> list[list[Gap]]:
        chains = inheriting.ends_of(relations, promised, nobody=nobody)
        return [
            _gaps(one, analyses.get(one.service.pk), measured.get(one.service.pk, UNMEASURED), chains.get(one.service.pk, {}), at)
            for one in asked
        ]

    gaps = look(told)
    broken = services if together else {one.service.pk for one, found in zip(asked, gaps, strict=True) if found} - {None}
    granted = granted_to(broken, at) if broken else {}
    if together and relations:

        def stops(place: int, gap: Gap) -> bool:
            return finding_of(gap, granted.get(asked[place].service.pk, [])).stops

        gaps = balancing.weighed(asked, told=told, relations=relations, look=look, stops=stops)
    return [_found(found, granted.get(one.service.pk, [])) for one, found in zip(asked, gaps, strict=True)]


def _found(gaps: Iterable[Gap], granted: list[Deviation]) -> list[Finding]:
    return sorted((finding_of(gap, granted) for gap in gaps), key=_worst_first)


def borne(*, service: Service, code: str, measured: Measured, at: dt.datetime) -> list[Gap]:
    """What a deviation from `code` bears that is granted at this instant: all that breaks the inequality, in force or on its way."""
    versions = service.versions.select_related("service", "commitment", "sla__agreement", "ola__agreement", "contract__agreement")
    read = [*versions.in_force(at), *versions.filter(state__in=("draft", "in_review"))]
    analysis = analysis_at(service, at)
    return [gap for version in read for gap in _gaps_of(question_of(version), analysis, measured, at) if gap.code == code]


def _gaps_of(asked: Question, analysis: ImpactAnalysis | None, measured: Measured, at: dt.datetime) -> list[Gap]:
    return _gaps(asked, analysis, measured, inheriting.chain_of(asked, at), at)


def broken_by(*, analysis: ImpactAnalysis, measured: Measured, at: dt.datetime) -> list[str]:
    """What would not hold any more if this analysis counted: a sentence for each promise of its service, in force or on its way."""
    versions = analysis.service.versions.select_related("service", "commitment")
    read = [*versions.in_force(at), *versions.filter(state__in=("draft", "in_review"))]
    codes = ("RPO_EXCEEDS_BIA_TOLERANCE", "RTO_PLUS_WRT_EXCEEDS_MTPD")
    return [
        f"Version {version.number}, {version.get_state_display()}: {gap.sentence} ({gap.code})"
        for version in read
        for gap in _feasibility(question_of(version).promise, analysis, measured)
        if gap.code in codes
    ]


def finding_of(gap: Gap, granted: list[Deviation]) -> Finding:
    """With the deviation that bears it: granted for this inequality, for this part of the promise, and for as much of it."""
    fitting = [row for row in granted if row.code == gap.code]
    for row in reversed(fitting):
        if row.bears is None or gap.size <= row.bears.get(gap.subject, 0.0) * DRIFT.get(gap.code, 1.0):
            return Finding(gap.code, gap.sentence, row, gap.subject, gap.size)
    beyond = f" The deviation until {fitting[-1].expires_on:%d %b %Y} was granted for less." if fitting else ""
    return Finding(gap.code, gap.sentence + beyond, None, gap.subject, gap.size)


def _gaps(asked: Question, analysis: ImpactAnalysis | None, measured: Measured, chain: Chain, at: dt.datetime) -> list[Gap]:
    return [
        *_feasibility(asked.promise, analysis, measured),
        *_discovery(asked.promise),
        *_agreements(asked, at),
        *inheriting.gaps(asked, chain),
        *_offerings(asked, analysis, measured),
    ]


def _worst_first(finding: Finding) -> int:
    return ("stops", "borne", "consider").index(finding.state)


def analysis_at(service: Service, at: dt.datetime) -> ImpactAnalysis | None:
    """The business impact analysis that counts at that instant: the newest that was approved by then."""
    return service.analyses.filter(state="approved", approved_at__lte=at).order_by("-number").first()


def deviations_at(service: Service, at: dt.datetime) -> list[Deviation]:
    """Deviations of the service that hold at that instant; the one that holds longest last."""
    return _holding(service.deviations.all(), at)


def granted_to(services: Collection[int], at: dt.datetime) -> dict[int, list[Deviation]]:
    """The same of many services; one query."""
    granted: dict[int, list[Deviation]] = defaultdict(list)
    for row in _holding(Deviation.objects.filter(service__in=services), at):
        granted[row.service_id].append(row)
    return granted


def _holding(rows: Any, at: dt.datetime) -> list[Deviation]:
    granted = rows.filter(granted_at__lte=at, expires_on__gte=local_day(at, "UTC")).select_related("owner", "approver")
    return [row for row in granted.order_by("expires_on") if row.ended_at is None or row.ended_at > at]


def _feasibility(promise: Mapping[str, Any], analysis: ImpactAnalysis | None, measured: Measured) -> list[Gap]:
    inputs = {
        "interval_seconds": measured.interval_s,
        "p95_duration_seconds": measured.p95_duration_s,
        "copy_lag_seconds": measured.copy_lag_s,
        "tolerated_failures": 0,
        "rpo_seconds": promise["rpo_s"],
        "bia_data_loss_tolerance_seconds": analysis.tolerated_loss_s if analysis else None,
        "rto_seconds": promise["rto_s"],
        "wrt_seconds": analysis.wrt_s if analysis else None,
        "mtpd_seconds": analysis.mtpd_s if analysis else None,
        "measured_restore_p95_seconds": measured.restore_p95_s,
        "retention_days": promise["retention_days"],
        "retention_min_days": promise["retention_min_days"],
        "retention_max_days": promise["retention_max_days"],
    }
    found = feasibility.violations(inputs)
    worst = found["worst_case_exposure_seconds"]
    codes = [code for code in found["violations"] if code != "RESTORE_TIME_UNMEASURED" or promise["rto_s"] is not None]
    return [Gap(code, _SENTENCES[code](inputs, worst), "", _SIZES[code](inputs, worst) if code in _SIZES else 1.0) for code in codes]


# How far each inequality is broken: declared or measured on one side, promised on the other.
_SIZES = {
    "SCHEDULE_EXCEEDS_RPO": lambda i, worst: times(worst, i["rpo_seconds"]),
    "RPO_EXCEEDS_BIA_TOLERANCE": lambda i, _: times(i["rpo_seconds"], i["bia_data_loss_tolerance_seconds"]),
    "RTO_PLUS_WRT_EXCEEDS_MTPD": lambda i, _: times(i["rto_seconds"] + (i["wrt_seconds"] or 0), i["mtpd_seconds"]),
    "MEASURED_RESTORE_EXCEEDS_RTO": lambda i, _: times(i["measured_restore_p95_seconds"], i["rto_seconds"]),
    "RETENTION_BELOW_MINIMUM": lambda i, _: times(i["retention_min_days"], i["retention_days"]),
    "RETENTION_ABOVE_MAXIMUM": lambda i, _: times(i["retention_days"], i["retention_max_days"]),
}


def _span(seconds: Any) -> str:
    return duration_words(seconds) if seconds else "no time"


def _schedule(inputs: Mapping[str, Any], worst_s: Any) -> str:
    parts = [f"a backup starts every {exact(int(inputs['interval_seconds']))}"]
    if inputs["p95_duration_seconds"]:
        parts.append(f"takes up to {_span(inputs['p95_duration_seconds'])}")
    if inputs["copy_lag_seconds"]:
        parts.append(f"is usable {_span(inputs['copy_lag_seconds'])} later")
    said = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"A recovery point of {exact(inputs['rpo_seconds'])} cannot hold: {said}, so the newest copy gets {_span(worst_s)} old."


_SENTENCES = {
    "SCHEDULE_EXCEEDS_RPO": _schedule,
    "RPO_EXCEEDS_BIA_TOLERANCE": lambda i, _: (
        f"A recovery point of {exact(i['rpo_seconds'])} loses more than the"
        f" {exact(i['bia_data_loss_tolerance_seconds'])} that the impact analysis tolerates."
    ),
    "RTO_PLUS_WRT_EXCEEDS_MTPD": lambda i, _: (
        f"Recovery in {exact(i['rto_seconds'])} and {_span(i['wrt_seconds'])} of work after it take longer than the"
        f" {exact(i['mtpd_seconds'])} that the business can bear."
    ),
    "RESTORE_TIME_UNMEASURED": lambda i, _: (
        f"Recovery in {exact(i['rto_seconds'])} is promised, but no restore test has measured how long it takes."
    ),
    "MEASURED_RESTORE_EXCEEDS_RTO": lambda i, _: (
        f"Restore tests took up to {_span(i['measured_restore_p95_seconds'])}, longer than the {exact(i['rto_seconds'])} promised."
    ),
    "RETENTION_BELOW_MINIMUM": lambda i, _: (
        f"Copies are kept {i['retention_days']} d, but at least {i['retention_min_days']} d are asked for."
    ),
    "RETENTION_ABOVE_MAXIMUM": lambda i, _: f"Copies are kept {i['retention_days']} d, but only {i['retention_max_days']} d are allowed.",
}


def _discovery(promise: Mapping[str, Any]) -> list[Gap]:
    kept, tested = promise["retention_days"], promise["restore_test_days"]
    if kept is None or tested is None or kept >= tested:
        return []
    text = f"Copies are kept {kept} d and restores are tested every {tested} d: damage found by a test may be in every copy by then."
    return [Gap("RETENTION_SHORTER_THAN_RESTORE_TEST", text, "")]


def _agreements(asked: Question, at: dt.datetime) -> Iterator[Gap]:
    """A promise, and each package with levels of its own, is at least as strict as its SLA; what underpins it is so as the promise."""
    for agreed in asked.agreements:
        kind = agreed.agreement.kind
        code = WEAKER_THAN_SLA if kind == "sla" else UNDERPINNED
        if agreed.from_on > at.date():
            if kind != "sla":  # what customers are promised later binds nobody before; what carries the promise has to be there
                yield Gap(code, f"{agreed} begins only on {agreed.from_on:%d %b %Y}.", f"{kind} begins")
            continue
        for level in COMPARED:
            if gap := _agreed("", asked.promise[level.name], agreed, level):
                yield gap
            for one in asked.offerings:
                own = one[level.name]
                if own not in (None, asked.promise[level.name]) and (gap := _agreed(one["name"], own, agreed, level)):
                    yield gap
        if agreed.until_on is not None and agreed.until_on < at.date():
            yield Gap(code, f"{agreed} ended on {agreed.until_on:%d %b %Y}.", f"{kind} ended")


def _agreed(package: str, promised: Any, agreed: AgreementVersion, level: Level) -> Gap | None:
    """The one level, of the entry or of a package, against one agreement; None where it holds or where nothing is to be compared."""
    wanted, kind = getattr(agreed, level.name), agreed.agreement.kind
    to_customers, who = kind == "sla", package or "the entry"
    subject = f"{package}: {kind} {level.name}" if package else f"{kind} {level.name}"
    if wanted is None or (promised is None and not to_customers):
        return None
    if promised is None:
        return Gap(WEAKER_THAN_SLA, f"{agreed} agrees on {level.words(wanted)}, but {who} promises nothing of it.", f"{subject} absent")
    weak, bound = (promised, wanted) if to_customers else (wanted, promised)
    size = times(weak, bound) if level.less_is_stricter else times(bound, weak)
    if size <= 1:
        return None
    if to_customers:
        said = f"{package or 'The entry'} promises {level.words(promised)}; {agreed} asks for {level.words(wanted)}."
        return Gap(WEAKER_THAN_SLA, said, subject, size)
    return Gap(UNDERPINNED, f"{agreed} gives only {level.words(wanted)}, but {who} promises {level.words(promised)}.", subject, size)


def _offerings(asked: Question, analysis: ImpactAnalysis | None, measured: Measured) -> Iterator[Gap]:
    """Each package with levels of its own goes through the same inequalities, and none promises customers more than the entry is judged by:
    whoever is told that the entry's promise is broken is told of every package then.
    """
    for one in asked.offerings:
        levels = {level.name: one[level.name] for level in COMPARED if one[level.name] is not None}
        same = {gap.sentence for gap in _feasibility(asked.promise, analysis, measured)}
        for gap in _feasibility({**asked.promise, **levels}, analysis, measured):
            if gap.sentence not in same and gap.code != "RESTORE_TIME_UNMEASURED":
                yield gap._replace(sentence=f"{one['name']}: {gap.sentence}", subject=f"{one['name']}: {gap.subject}")
        for level in (level for level in COMPARED if level.name in levels):
            mine, theirs, subject = asked.promise[level.name], levels[level.name], f"{one['name']}: {level.name}"
            if mine is None:
                yield Gap(
                    STRONGER_OFFERING,
                    f"{one['name']} promises {level.words(theirs)}, but the entry promises nothing of it.",
                    f"{subject} absent",
                )
            elif level.is_weaker(mine, theirs):
                said = f"{one['name']} promises {level.words(theirs)}, but the entry is judged by {level.words(mine)}."
                yield Gap(STRONGER_OFFERING, said, subject, times(mine, theirs) if level.less_is_stricter else times(theirs, mine))
