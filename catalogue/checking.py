"""Whether what an entry promises can hold: the inequalities of BM-FEAS, its agreements, and the services it hangs on.

What was measured is handed in by the floors above, which know the tools.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, Value

from catalogue import feasibility, impact
from catalogue.comparing import COMMITMENT_FIELDS, OFFERING_FIELDS
from catalogue.models import AgreementVersion, Commitment, Deviation, ImpactAnalysis, Service, ServiceVersion
from itsm_backup.common.admin.fields import duration_text, share_text
from itsm_backup.common.time import duration_words, local_day

INHERITED = "INHERITED_COMMITMENT_TOO_WEAK"
WEAKER_THAN_SLA = "COMMITMENT_WEAKER_THAN_SLA"
UNDERPINNED = "AGREEMENT_TOO_WEAK"
STRONGER_OFFERING = "OFFERING_STRONGER_THAN_ENTRY"
# Said, but no reason to stop.
TO_CONSIDER = frozenset({
    "RESTORE_TIME_UNMEASURED", "RETENTION_SHORTER_THAN_RESTORE_TEST", STRONGER_OFFERING,
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


class Gap(NamedTuple):
    """One inequality that does not hold: what of the promise breaks it (`subject`), and how many times over (`size`)."""

    code: str
    sentence: str
    subject: str
    size: float = 1.0


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


@dataclass(frozen=True)
class Question:
    """What is asked: promises (fields of a commitment) of a service, stored or still being typed."""

    service: Service
    promise: Mapping[str, Any]
    agreements: tuple[AgreementVersion, ...] = ()
    offerings: tuple[Mapping[str, Any], ...] = ()  # name and levels of each package
    reader: Any = None  # who reads the answer: it names no service that they may not see; None for a machine, which may see all
    known_then: bool = False  # only relations that were known at the instant asked for
    labels: tuple[str, ...] = ()
    for_many: bool = False  # the answer is kept for readers who see different services: it names no other service


def question_of(version: ServiceVersion, *, reader: Any = None, known_then: bool = False, for_many: bool = False) -> Question:
    promise = getattr(version, "commitment", None) or Commitment()
    return Question(
        version.service,
        {name: getattr(promise, name) for name in COMMITMENT_FIELDS},
        tuple(each for each in (version.sla, version.ola, version.contract) if each is not None),
        tuple({name: getattr(each, name) for name in OFFERING_FIELDS} for each in version.offerings.all()),
        reader, known_then, tuple(version.labels), for_many,
    )  # fmt: skip


def blocking(*, version: ServiceVersion, measured: Measured, at: dt.datetime, reader: Any = None) -> list[str]:
    """One sentence, with its code, for everything that stops the version from being published, in words for this reader."""
    found = findings(asked=question_of(version, reader=reader), measured=measured, at=at)
    return [f"{each.sentence} ({each.code}) Change it, or have a deviation granted." for each in found if each.stops]


def findings(*, asked: Question, measured: Measured, at: dt.datetime) -> list[Finding]:
    """Every inequality that does not hold, what stops first, with the deviation that bears it; a fixed number of queries."""
    return findings_with(analysis_at(asked.service, at), asked=asked, measured=measured, at=at)


def findings_with(analysis: ImpactAnalysis | None, *, asked: Question, measured: Measured, at: dt.datetime) -> list[Finding]:
    """The same where the analysis that counts is known already."""
    granted = deviations_at(asked.service, at)
    return sorted((_finding(gap, granted) for gap in _gaps(asked, analysis, measured, at)), key=_worst_first)


def borne(*, service: Service, code: str, measured: Measured, at: dt.datetime) -> list[Gap]:
    """What a deviation from `code` bears that is granted at this instant: all that breaks the inequality, in force or on its way."""
    versions = service.versions.select_related("service", "commitment", "sla__agreement", "ola__agreement", "contract__agreement")
    read = [*versions.in_force(at), *versions.filter(state__in=("draft", "in_review"))]
    return [gap for version in read for gap in _gaps(question_of(version), analysis_at(service, at), measured, at) if gap.code == code]


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


def _finding(gap: Gap, granted: list[Deviation]) -> Finding:
    """With the deviation that bears it: granted for this inequality, for this part of the promise, and for as much of it."""
    fitting = [row for row in granted if row.code == gap.code]
    for row in reversed(fitting):
        if row.bears is None or gap.size <= row.bears.get(gap.subject, 0.0) * DRIFT.get(gap.code, 1.0):
            return Finding(gap.code, gap.sentence, row, gap.subject, gap.size)
    beyond = f" The deviation until {fitting[-1].expires_on:%d %b %Y} was granted for less." if fitting else ""
    return Finding(gap.code, gap.sentence + beyond, None, gap.subject, gap.size)


def _gaps(asked: Question, analysis: ImpactAnalysis | None, measured: Measured, at: dt.datetime) -> list[Gap]:
    return [
        *_feasibility(asked.promise, analysis, measured),
        *_discovery(asked.promise),
        *_agreements(asked, at),
        *_inheritance(asked, at),
        *_offerings(asked, analysis, measured),
    ]


def _worst_first(finding: Finding) -> int:
    return ("stops", "borne", "consider").index(finding.state)


def analysis_at(service: Service, at: dt.datetime) -> ImpactAnalysis | None:
    """The business impact analysis that counts at that instant: the newest that was approved by then."""
    return service.analyses.filter(state="approved", approved_at__lte=at).order_by("-number").first()


def deviations_at(service: Service, at: dt.datetime) -> list[Deviation]:
    """Deviations of the service that hold at that instant; the one that holds longest last."""
    rows = service.deviations.filter(granted_at__lte=at, expires_on__gte=local_day(at, "UTC")).select_related("owner", "approver")
    return [row for row in rows.order_by("expires_on") if row.ended_at is None or row.ended_at > at]


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


def _times(value: Any, bound: Any) -> float:
    """How many times the bound; of a bound of nothing, of one."""
    return float(value) / (float(bound) or 1.0)


# How far each inequality is broken: declared or measured on one side, promised on the other.
_SIZES = {
    "SCHEDULE_EXCEEDS_RPO": lambda i, worst: _times(worst, i["rpo_seconds"]),
    "RPO_EXCEEDS_BIA_TOLERANCE": lambda i, _: _times(i["rpo_seconds"], i["bia_data_loss_tolerance_seconds"]),
    "RTO_PLUS_WRT_EXCEEDS_MTPD": lambda i, _: _times(i["rto_seconds"] + (i["wrt_seconds"] or 0), i["mtpd_seconds"]),
    "MEASURED_RESTORE_EXCEEDS_RTO": lambda i, _: _times(i["measured_restore_p95_seconds"], i["rto_seconds"]),
    "RETENTION_BELOW_MINIMUM": lambda i, _: _times(i["retention_min_days"], i["retention_days"]),
    "RETENTION_ABOVE_MAXIMUM": lambda i, _: _times(i["retention_days"], i["retention_max_days"]),
}


def _span(seconds: Any) -> str:
    return duration_words(seconds) if seconds else "no time"


def _exact(seconds: int) -> str:
    """As it was written, or in two units where one would be a long number of minutes."""
    return duration_text(seconds) if seconds % 3_600 == 0 or seconds < 7_200 else duration_words(seconds)


def _schedule(inputs: Mapping[str, Any], worst_s: Any) -> str:
    parts = [f"a backup starts every {_exact(int(inputs['interval_seconds']))}"]
    if inputs["p95_duration_seconds"]:
        parts.append(f"takes up to {_span(inputs['p95_duration_seconds'])}")
    if inputs["copy_lag_seconds"]:
        parts.append(f"is usable {_span(inputs['copy_lag_seconds'])} later")
    said = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"A recovery point of {_exact(inputs['rpo_seconds'])} cannot hold: {said}, so the newest copy gets {_span(worst_s)} old."


_SENTENCES = {
    "SCHEDULE_EXCEEDS_RPO": _schedule,
    "RPO_EXCEEDS_BIA_TOLERANCE": lambda i, _: (
        f"A recovery point of {_exact(i['rpo_seconds'])} loses more than the"
        f" {_exact(i['bia_data_loss_tolerance_seconds'])} that the impact analysis tolerates."
    ),
    "RTO_PLUS_WRT_EXCEEDS_MTPD": lambda i, _: (
        f"Recovery in {_exact(i['rto_seconds'])} and {_span(i['wrt_seconds'])} of work after it take longer than the"
        f" {_exact(i['mtpd_seconds'])} that the business can bear."
    ),
    "RESTORE_TIME_UNMEASURED": lambda i, _: (
        f"Recovery in {_exact(i['rto_seconds'])} is promised, but no restore test has measured how long it takes."
    ),
    "MEASURED_RESTORE_EXCEEDS_RTO": lambda i, _: (
        f"Restore tests took up to {_span(i['measured_restore_p95_seconds'])}, longer than the {_exact(i['rto_seconds'])} promised."
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
    """A promise is at least as strict as its SLA; what underpins it is at least as strict as the promise."""
    for agreed in asked.agreements:
        kind = agreed.agreement.kind
        code = WEAKER_THAN_SLA if kind == "sla" else UNDERPINNED
        for level in _COMPARED:
            if gap := _agreed(asked.promise[level.name], agreed, level):
                yield gap
        if agreed.until_on is not None and agreed.until_on < at.date():
            yield Gap(code, f"{agreed} ended on {agreed.until_on:%d %b %Y}.", f"{kind} ended")


def _agreed(promised: Any, agreed: AgreementVersion, level: _Level) -> Gap | None:
    """The one level against one agreement; None where it holds or where nothing is to be compared."""
    wanted, kind = getattr(agreed, level.name), agreed.agreement.kind
    to_customers, subject = kind == "sla", f"{kind} {level.name}"
    if wanted is None or (promised is None and not to_customers):
        return None
    if promised is None:
        return Gap(WEAKER_THAN_SLA, f"{agreed} agrees on {level.words(wanted)}, but the entry promises nothing of it.", f"{subject} absent")
    weak, bound = (promised, wanted) if to_customers else (wanted, promised)
    size = _times(weak, bound) if level.less_is_stricter else _times(bound, weak)
    if size <= 1:
        return None
    if to_customers:
        return Gap(WEAKER_THAN_SLA, f"The entry promises {level.words(promised)}; {agreed} asks for {level.words(wanted)}.", subject, size)
    return Gap(UNDERPINNED, f"{agreed} gives only {level.words(wanted)}, but the entry promises {level.words(promised)}.", subject, size)


class _Level(NamedTuple):
    """A level that promises and agreements share."""

    name: str
    words: Callable[[Any], str]
    less_is_stricter: bool


_COMPARED = (
    _Level("rpo_s", lambda value: f"a recovery point of {_exact(value)}", True),
    _Level("rto_s", lambda value: f"recovery in {_exact(value)}", True),
    _Level("retention_days", lambda value: f"{value} d of retention", False),
    _Level("success_rate", lambda value: f"{share_text(value)} success", False),
)


class _Other(NamedTuple):
    """What another service promises of one level; `name` is empty where the reader may not see it, None where nobody is named."""

    value: Any
    name: str | None
    up: bool


def _inheritance(asked: Question, at: dt.datetime) -> Iterator[Gap]:
    """No provider along hard relations promises less than what stops with it: the weakest provider and the strictest consumer count."""
    chain = _chain(asked, at)
    for level in _COMPARED[:2]:
        known = [
            _Other(row[level.name], None if asked.for_many else row["name"] if row["seen"] else "", up)
            for up, row in chain
            if row[level.name] is not None
        ]
        for package, mine in [("", asked.promise[level.name]), *((f"{one['name']}: ", one[level.name]) for one in asked.offerings)]:
            if mine is None:
                continue
            weak = max((other for other in known if not other.up and other.value > mine), default=None)
            strict = min((other for other in known if other.up and other.value < mine), default=None) if not package else None
            if weak:
                yield Gap(INHERITED, f"{package}{_too_weak(weak, mine, level)}", f"{package}below {level.name}", _times(weak.value, mine))
            if strict:
                yield Gap(INHERITED, _too_strict(strict, mine, level), f"above {level.name}", _times(mine, strict.value))


def _chain(asked: Question, at: dt.datetime) -> list[tuple[bool, dict[str, Any]]]:
    """What the other services along hard relations promise, each with whether it stands above; three queries."""
    service = asked.service.pk
    walk = partial(impact.closure, [service], at=at, known_then=asked.known_then)
    above = {relation.consumer_id for relation in walk(up=True)} - {service}
    below = {relation.provider_id for relation in walk(up=False)} - {service}
    if not above | below:
        return []
    versions = ServiceVersion.objects.in_force(at).filter(service__in=above | below)
    seen: Any = Value(True)
    if asked.reader is not None:
        seen = Exists(Service.objects.visible_to(asked.reader).filter(pk=OuterRef("version__service")))
    rows = Commitment.objects.filter(version__in=versions).annotate(seen=seen)
    told = {row["pk"]: row for row in rows.values("rpo_s", "rto_s", "seen", pk=F("version__service"), name=F("version__name"))}
    return [(up, told[pk]) for up, side in ((True, above), (False, below)) for pk in side if pk in told]


def _unnamed(other: _Other) -> str:
    return "another service" if other.name is None else "a service that you may not see"


def _too_weak(other: _Other, mine: Any, level: _Level) -> str:
    if not other.name:
        return f"It stops with {_unnamed(other)}, and that promises less than {level.words(mine)}: that cannot hold."
    return f"It stops with {other.name}, which promises only {level.words(other.value)}: {level.words(mine)} cannot hold."


def _too_strict(other: _Other, mine: Any, level: _Level) -> str:
    if not other.name:
        return f"{_unnamed(other).capitalize()} stops with it and promises more: {level.words(mine)} is too weak for that."
    return f"{other.name} stops with it and promises {level.words(other.value)}: {level.words(mine)} is too weak for that."


def _offerings(asked: Question, analysis: ImpactAnalysis | None, measured: Measured) -> Iterator[Gap]:
    """Each package with levels of its own goes through the same inequalities; where it asks more than the entry, that is said."""
    for one in asked.offerings:
        levels = {level.name: one[level.name] for level in _COMPARED if one[level.name] is not None}
        same = {gap.sentence for gap in _feasibility(asked.promise, analysis, measured)}
        for gap in _feasibility({**asked.promise, **levels}, analysis, measured):
            if gap.sentence not in same and gap.code != "RESTORE_TIME_UNMEASURED":
                yield gap._replace(sentence=f"{one['name']}: {gap.sentence}", subject=f"{one['name']}: {gap.subject}")
        for level in (level for level in _COMPARED if level.name in levels):
            mine, theirs = asked.promise[level.name], levels[level.name]
            if mine is not None and mine != theirs and (theirs < mine) == level.less_is_stricter:
                said = f"{one['name']} promises {level.words(theirs)}, but the entry is judged by {level.words(mine)}."
                yield Gap(STRONGER_OFFERING, said, f"{one['name']}: {level.name}")
