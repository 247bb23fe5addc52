"""How fast error budgets burn, by rules for few events (BM-BURN): the last occurrences, and the seconds beyond the recovery point."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from catalogue.models import ServiceVersion
from itsm_backup.common.time import iso, month_bounds
from monitoring import unheard
from monitoring.asking import array, fetch
from monitoring.methods import measure
from monitoring.models import Alert
from monitoring.noted import Noted
from monitoring.recovering import recovery_of

LAST_PAGE, LAST_TICKET = 10, 30  # settled occurrences that the rules by number look back on
RULES = (
    {"name": "page", "last_n": LAST_PAGE, "short_n": 2, "threshold": 6},
    {"name": "ticket", "last_n": LAST_TICKET, "short_n": 5, "threshold": 2},
)
FAILED_WITHIN, EXCEEDED_WITHIN = dt.timedelta(days=92), dt.timedelta(days=3)
MOST_TIMED = 500  # services whose seconds are counted in one go, those that are past their recovery point for the longest time first

# The newest settled occurrences of one service, the newest first.
NEWEST = """
SELECT e.due_at, e.state FROM monitoring_backupjob j CROSS JOIN LATERAL (
  SELECT due_at, state FROM monitoring_expectedrun e
  WHERE e.job_id = j.id AND e.counts AND e.settled_at IS NOT NULL AND e.state IN ('satisfied', 'satisfied_late', 'missed')
    AND e.due_at <= %(at)s
  ORDER BY e.due_at DESC LIMIT %(most)s) e
WHERE j.service_id = {service} ORDER BY e.due_at DESC LIMIT %(most)s
"""
_SETTLED = f"""
SELECT asked.service, e.due_at, e.state FROM unnest(%(services)s::bigint[]) AS asked(service)
CROSS JOIN LATERAL ({NEWEST.format(service="asked.service")}) e ORDER BY asked.service, e.due_at
"""  # noqa: S608 - our own text


def by_number(targets: Mapping[int, float], at: dt.datetime) -> dict[int, list[dict[str, Any]]]:
    """The two rules by number of each service, whose target is given: the last 10 and the last 30 settled occurrences, two bad at least.

    Empty where nothing is settled, or where every run is promised: no budget can burn there. One question.
    """
    settled: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for service, due_at, state in fetch(_SETTLED, {"services": array(targets), "at": at, "most": LAST_TICKET}) if targets else ():
        settled[service].append((iso(due_at), state))
    return {service: counted(outcomes_of(settled[service]), slo) for service, slo in targets.items()}


def outcomes_of(settled: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """When each was due, and its state, the oldest first: as the rules by number read them."""
    return [{"scheduled_for": due_at, "good": state != "missed"} for due_at, state in settled]


def counted(outcomes: list[dict[str, Any]], slo: float) -> list[dict[str, Any]]:
    """The two rules by number over these occurrences; empty where there are none, or where every run is promised."""
    if not outcomes or slo >= 1:
        return []
    told = measure("BM-BURN", {"slo": slo, "outcomes": outcomes, "rules": list(RULES), "min_bad": 2})[-1]
    return [{**rule, **told[str(rule["name"])], "counted": min(len(outcomes), int(str(rule["last_n"])))} for rule in RULES]


def burning(at: dt.datetime) -> Iterator[Noted]:
    """Services whose budget burns by one of the four rules, of those that promise a rate and where something went wrong lately.

    What burns was told run by run already, so this opens no incident; the rule that pages is an error only in words.
    """
    failed = _lately(("job_failed", "job_missed"), at - FAILED_WITHIN)
    exceeded = _lately(("rpo_breach",), at - EXCEEDED_WITHIN)
    versions = ServiceVersion.objects.in_force(at).filter(service__in={*failed, *exceeded}).select_related("service", "commitment")
    promised = {version.service_id: (version, version.commitment) for version in versions if hasattr(version, "commitment")}
    rates = {pk: float(one.success_rate) for pk, (_, one) in promised.items() if pk in failed and one.success_rate is not None}
    runs = by_number(rates, at)
    timed = [pk for pk in exceeded if pk in promised][:MOST_TIMED]
    heard = unheard.heard_until_now(timed) if timed else {}
    for pk, (version, commitment) in promised.items():
        fired = [(rule, f"of its last {rule['counted']} due runs") for rule in runs.get(pk, ()) if rule["fires"]]
        if pk in timed:
            fired += [
                (rule, f"of {rule['long_seconds'] // 3600} hours")
                for rule in _by_time(version, commitment, at, heard.get(pk))
                if rule["fires"]
            ]
        if fired:
            yield _noted(version, fired)


def _lately(classes: tuple[str, ...], since: dt.datetime) -> list[int]:
    """Services with such an alert that is open, or was since then; the oldest first."""
    rows = Alert.objects.filter(alert_class__in=classes, service__isnull=False)
    both = rows.open().values_list("service", "opened_at").union(rows.filter(resolved_at__gte=since).values_list("service", "opened_at"))  # type: ignore[attr-defined]
    return list(dict.fromkeys(service for service, _ in sorted(both, key=lambda row: row[1])))


def _by_time(version: ServiceVersion, commitment: Any, at: dt.datetime, heard: Mapping[int, dt.datetime] | None) -> list[dict[str, Any]]:
    """The two rules over the seconds beyond the recovery point; empty where no share of time is promised.

    Behind a silent tool they stand as when it answered last: its silence is an alert of its own, and refutes and proves nothing.
    """
    if not commitment.rpo_s or commitment.rpo_attainment_rate is None:
        return []
    promised = {"rpo_s": commitment.rpo_s, "slo": float(commitment.rpo_attainment_rate), "heard_until": heard}
    return recovery_of(version=version, period=month_bounds(at, version.zone), at=at, known_at=at, **promised).burn  # type: ignore[arg-type]


def _noted(version: ServiceVersion, fired: list[tuple[dict[str, Any], str]]) -> Noted:
    rule, what = next((one for one in fired if one[0]["name"] == "page"), fired[0])
    fast = "fast" if rule["name"] == "page" else "steadily"
    return Noted(
        key=f"{version.service.code}/service/slo_burn", alert_class="slo_burn", service=version.service_id,
        title=f"{version.name} uses its error budget up {fast}: {rule['long']:.1f} times what its promise allows, {what}",
    )  # fmt: skip
