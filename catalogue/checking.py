"""Whether what an entry promises can hold: the inequalities of BM-FEAS, its agreements, and the services it hangs on.

What was measured is handed in by the floors above, which know the tools.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from catalogue import feasibility, impact
from catalogue.comparing import COMMITMENT_FIELDS
from catalogue.models import AgreementVersion, Commitment, Deviation, ImpactAnalysis, Service, ServiceVersion
from itsm_backup.common.admin.fields import duration_text, share_text
from itsm_backup.common.time import duration_words, local_day

INHERITED = "INHERITED_COMMITMENT_TOO_WEAK"
WEAKER_THAN_SLA = "COMMITMENT_WEAKER_THAN_SLA"
UNDERPINNED = "AGREEMENT_TOO_WEAK"
TO_CONSIDER = frozenset({"RESTORE_TIME_UNMEASURED", "RETENTION_SHORTER_THAN_RESTORE_TEST"})  # said, but no reason to stop


@dataclass(frozen=True)
class Measured:
    """What the monitoring knows of an entry's backups; None where it knows nothing. `interval_s` is the longest time between two due
    starts, `copy_lag_s` what passes between a backup's end and its copy being usable.
    """

    interval_s: int | None = None
    p95_duration_s: int | None = None
    copy_lag_s: int | None = None
    restore_p95_s: int | None = None


UNMEASURED = Measured()


@dataclass(frozen=True)
class Finding:
    """One inequality that does not hold. It stops publication unless it is only to consider or `deviation` bears it."""

    code: str
    sentence: str
    deviation: Deviation | None = None

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


def question_of(version: ServiceVersion) -> Question:
    promise = getattr(version, "commitment", None) or Commitment()
    return Question(
        version.service,
        {name: getattr(promise, name) for name in COMMITMENT_FIELDS},
        tuple(each for each in (version.sla, version.ola, version.contract) if each is not None),
    )


def blocking(*, version: ServiceVersion, measured: Measured, at: dt.datetime) -> list[str]:
    """One sentence, with its code, for everything that stops the version from being published."""
    found = findings(asked=question_of(version), measured=measured, at=at)
    return [f"{each.sentence} ({each.code}) Change it, or have a deviation granted." for each in found if each.stops]


def findings(*, asked: Question, measured: Measured, at: dt.datetime) -> list[Finding]:
    """Every inequality that does not hold, what stops first, with the deviation that bears it; a fixed number of queries."""
    analysis = analysis_at(asked.service, at)
    told = [
        *_feasibility(asked.promise, analysis, measured),
        *_discovery(asked.promise),
        *_agreements(asked, at),
        *_inheritance(asked, at),
    ]
    borne = {row.code: row for row in deviations_at(asked.service, at)}
    return sorted((Finding(code, sentence, borne.get(code)) for code, sentence in told), key=_worst_first)


def _worst_first(finding: Finding) -> int:
    return ("stops", "borne", "consider").index(finding.state)


def analysis_at(service: Service, at: dt.datetime) -> ImpactAnalysis | None:
    """The business impact analysis that counts at that instant: the newest that was approved by then."""
    return service.analyses.filter(state="approved", approved_at__lte=at).order_by("-number").first()


def deviations_at(service: Service, at: dt.datetime) -> list[Deviation]:
    """Deviations of the service that hold at that instant; the one that holds longest last."""
    rows = service.deviations.filter(granted_at__lte=at, expires_on__gte=local_day(at, "UTC")).select_related("owner", "approver")
    return [row for row in rows.order_by("expires_on") if row.ended_at is None or row.ended_at > at]


def _feasibility(promise: Mapping[str, Any], analysis: ImpactAnalysis | None, measured: Measured) -> list[tuple[str, str]]:
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
    codes = [code for code in found["violations"] if code != "RESTORE_TIME_UNMEASURED" or promise["rto_s"] is not None]
    return [(code, _SENTENCES[code](inputs, found["worst_case_exposure_seconds"])) for code in codes]


def _span(seconds: Any) -> str:
    return duration_words(seconds) if seconds else "no time"


def _schedule(inputs: Mapping[str, Any], worst_s: Any) -> str:
    parts = [f"a backup starts every {duration_text(int(inputs['interval_seconds']))}"]
    if inputs["p95_duration_seconds"]:
        parts.append(f"takes up to {_span(inputs['p95_duration_seconds'])}")
    if inputs["copy_lag_seconds"]:
        parts.append(f"is usable {_span(inputs['copy_lag_seconds'])} later")
    said = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"A recovery point of {duration_text(inputs['rpo_seconds'])} cannot hold: {said}, so the newest copy gets {_span(worst_s)} old."


_SENTENCES = {
    "SCHEDULE_EXCEEDS_RPO": _schedule,
    "RPO_EXCEEDS_BIA_TOLERANCE": lambda i, _: (
        f"A recovery point of {duration_text(i['rpo_seconds'])} loses more than the"
        f" {duration_text(i['bia_data_loss_tolerance_seconds'])} that the impact analysis tolerates."
    ),
    "RTO_PLUS_WRT_EXCEEDS_MTPD": lambda i, _: (
        f"Recovery in {duration_text(i['rto_seconds'])} and {_span(i['wrt_seconds'])} of work after it take longer than the"
        f" {duration_text(i['mtpd_seconds'])} that the business can bear."
    ),
    "RESTORE_TIME_UNMEASURED": lambda i, _: (
        f"Recovery in {duration_text(i['rto_seconds'])} is promised, but no restore test has measured how long it takes."
    ),
    "MEASURED_RESTORE_EXCEEDS_RTO": lambda i, _: (
        f"Restore tests took up to {_span(i['measured_restore_p95_seconds'])}, longer than the {duration_text(i['rto_seconds'])} promised."
    ),
    "RETENTION_BELOW_MINIMUM": lambda i, _: (
        f"Copies are kept {i['retention_days']} d, but at least {i['retention_min_days']} d are asked for."
    ),
    "RETENTION_ABOVE_MAXIMUM": lambda i, _: f"Copies are kept {i['retention_days']} d, but only {i['retention_max_days']} d are allowed.",
}


def _discovery(promise: Mapping[str, Any]) -> list[tuple[str, str]]:
    kept, tested = promise["retention_days"], promise["restore_test_days"]
    if kept is None or tested is None or kept >= tested:
        return []
    text = f"Copies are kept {kept} d and restores are tested every {tested} d: damage found by a test may be in every copy by then."
    return [("RETENTION_SHORTER_THAN_RESTORE_TEST", text)]


def _agreements(asked: Question, at: dt.datetime) -> list[tuple[str, str]]:
    """A promise is at least as strict as its SLA; what underpins it is at least as strict as the promise."""
    found = []
    for agreed in asked.agreements:
        to_customers = agreed.agreement.kind == "sla"
        for name, words, strict in _COMPARED:
            promised, wanted = asked.promise[name], getattr(agreed, name)
            if promised is None or wanted is None:
                if to_customers and wanted is not None:
                    found.append((WEAKER_THAN_SLA, f"{agreed} agrees on {words(wanted)}, but the entry promises nothing of it."))
                continue
            weak, bound = (promised, wanted) if to_customers else (wanted, promised)
            if strict(weak, bound):
                continue
            if to_customers:
                found.append((WEAKER_THAN_SLA, f"The entry promises {words(promised)}; {agreed} asks for {words(wanted)}."))
            else:
                found.append((UNDERPINNED, f"{agreed} gives only {words(wanted)}, but the entry promises {words(promised)}."))
        if agreed.until_on is not None and agreed.until_on < at.date():
            code = WEAKER_THAN_SLA if to_customers else UNDERPINNED
            found.append((code, f"{agreed} ended on {agreed.until_on:%d %b %Y}."))
    return found


_COMPARED = (
    ("rpo_s", lambda value: f"a recovery point of {duration_text(value)}", lambda one, other: one <= other),
    ("rto_s", lambda value: f"recovery in {duration_text(value)}", lambda one, other: one <= other),
    ("retention_days", lambda value: f"{value} d of retention", lambda one, other: one >= other),
    ("success_rate", lambda value: f"{share_text(value)} success", lambda one, other: one >= other),
)


def _inheritance(asked: Question, at: dt.datetime) -> list[tuple[str, str]]:
    """No provider along hard relations promises less than what stops with it: the weakest provider and the strictest consumer count."""
    service = asked.service.pk
    above = {relation.consumer_id for relation in impact.closure([service], up=True, at=at)} - {service}
    below = {relation.provider_id for relation in impact.closure([service], up=False, at=at)} - {service}
    chain = [*((True, pk) for pk in above), *((False, pk) for pk in below)]
    rows = Commitment.objects.filter(version__in=ServiceVersion.objects.in_force(at).filter(service__in=[pk for _, pk in chain]))
    told = rows.values("rpo_s", "rto_s", pk=F("version__service"), name=F("version__name")) if chain else ()
    others: dict[int, Any] = {row["pk"]: row for row in told}
    found = []
    for field, words, _ in _COMPARED[:2]:
        mine = asked.promise[field]
        known = [(others[pk][field], others[pk]["name"], up) for up, pk in chain if pk in others and others[pk][field] is not None]
        if mine is None or not known:
            continue
        weak = max(((value, name) for value, name, up in known if not up and value > mine), default=None)
        strict = min(((value, name) for value, name, up in known if up and value < mine), default=None)
        if weak:
            found.append((INHERITED, f"It stops with {weak[1]}, which promises only {words(weak[0])}: {words(mine)} cannot hold."))
        if strict:
            found.append((INHERITED, f"{strict[1]} stops with it and promises {words(strict[0])}: {words(mine)} is too weak for that."))
    return found
