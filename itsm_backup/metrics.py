"""GET /metrics: the state of the estate for Prometheus, of what the token's owner may see. Reads state rows only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.db.models import Case, Count, Min, Q, QuerySet, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from rest_framework.exceptions import AuthenticationFailed

from catalogue.models import PropagatedStatus, Service, ServiceStatus
from catalogue.models.status import OperationalStatus
from catalogue.propagating import SPREADS
from incidents.models import Incident
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now, parse_instant
from monitoring import answers
from monitoring.api.authentication import TokenAuthentication
from monitoring.models import Alert, ApiToken, ExpectedRun, JobState, QuarantinedRecord, RawAnswer, ServiceState, ToolState
from monitoring.models.ledger import Verdict
from monitoring.monitors import CODES, KEPT

PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
MOST_SERVICES = 5_000  # with series of their own: an estate that grows must not flood who scrapes it
COUNTED_DAYS = 7
OF_SERVICE = {
    "exposure_seconds": "Work that would be lost by a loss now.",
    "rpo_seconds": "Recovery point objective in force.",
    "status": "Operational status: 0 operational, 1 degraded, 2 outage, 3 unknown, 4 maintenance.",
    "affected": "What reaches it from a provider, beside its own status: 0 nothing, 1 degraded, 2 outage.",
    "promise_kept": "1 while the promise is kept, 0 while it is broken; absent where nothing can be said.",
    "last_good_timestamp_seconds": "Instant of the newest copy of the worst item that could be restored.",
    "next_due_timestamp_seconds": "When the next backup is due.",
    "expected_runs_missed": f"Backups of the last {COUNTED_DAYS} days and today that were due and missed, on days that count.",
}


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text for a token that may read; 401 and 403 say what is missing."""
    try:
        found = TokenAuthentication().authenticate(request)
    except AuthenticationFailed as error:
        return _refusal(str(error.detail), 401)
    if found is None:
        return _refusal("Send Authorization: Bearer TOKEN. Make a token with: manage.py token --scope read", 401)
    user, token = found
    if token.scope == ApiToken.Scope.INGEST:
        return _refusal("This token may only send runs. Make one with: manage.py token --scope read", 403)
    registry = CollectorRegistry()
    registry.register(Estate(user, now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _refusal(sentence: str, status: int) -> HttpResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return HttpResponse(sentence + "\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)


class Estate:
    """One look at the state rows, as a collector of prometheus-client."""

    def __init__(self, user: Any, at: dt.datetime) -> None:
        self.at = at
        self.user = user
        self.services = Service.objects.listed().visible_to(user)

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        judged = ServiceState.objects.filter(service__in=self.services)
        statuses = ServiceStatus.objects.filter(service__in=self.services)
        yield _counts("services", "Services by the verdict on their promises.", "verdict", Verdict.values, judged)
        yield _counts("services_by_status", "Services by operational status.", "status", OperationalStatus.values, statuses)
        yield from self._of_services(judged)
        affected = PropagatedStatus.objects.filter(service__in=self.services)
        yield _counts("services_affected", "Services that a provider's status reaches.", "status", SPREADS, affected)
        alerts = Alert.objects.open().visible_to(self.user)
        yield _counts("alerts_open", "Open alerts by class.", "alert_class", Alert.Class.values, alerts)
        incidents = Incident.objects.open().visible_to(self.user)
        yield _counts("incidents_open", "Open incidents by priority.", "priority", PRIORITIES, incidents)
        tools = ToolState.objects.visible_to(self.user)
        yield _gauge("tools", "Tools that are read or that report.", tools.count())
        yield _gauge("tools_silent", "Tools that should answer and do not.", tools.filter(silent_since__isnull=False).count())
        waiting = QuarantinedRecord.objects.visible_to(self.user).filter(resolved_at=None)
        yield _gauge("quarantined_records", "Records that could not be read and wait for somebody.", waiting.count())
        unsent = Notice.objects.filter(sent_at=None)
        yield _gauge("notices_waiting", "Messages that wait to be sent.", unsent.filter(given_up_at=None).count())
        yield _gauge("notices_given_up", "Messages that could not be sent at all.", unsent.filter(given_up_at__isnull=False).count())
        yield _gauge("journey_lag_seconds", "Age of the oldest fact that waits to be carried on.", self._lag_s())

    def _of_services(self, judged: QuerySet) -> Iterator[GaugeMetricFamily]:
        """What is said of single services, of the first by code; a gauge says how many are left out."""
        gauges = {name: GaugeMetricFamily(f"itsm_backup_service_{name}", words, labels=["service"]) for name, words in OF_SERVICE.items()}
        claim = KeyTransform(0, KeyTransform("claims", "evaluation__result"))
        counted_from = Case(  # of what is not known nothing is measured: an item behind a silent tool could be older
            When(evaluation__result__claims__0__verdict="no_data", then=Value(None)),
            default=KeyTextTransform("counted_from", claim), output_field=TextField(),
        )  # fmt: skip
        rows = judged.annotate(counted_from=counted_from).select_related("service__status", "service__propagated")
        shown = list(rows.order_by("service__code")[:MOST_SERVICES])
        missed = self._missed([row.service_id for row in shown])
        for row in shown:
            for name, value in self._of_service(row, missed.get(row.service_id)).items():
                if value is not None:
                    gauges[name].add_metric([row.service.code], value)
        yield from gauges.values()
        yield _gauge("services_left_out", "Services without series of their own, because there are too many.", judged.count() - len(shown))

    def _of_service(self, row: Any, missed: int | None) -> dict[str, float | None]:
        status, reached = getattr(row.service, "status", None), getattr(row.service, "propagated", None)
        exposed = (self.at - parse_instant(row.counted_from)).total_seconds() if row.counted_from else None
        return {
            "exposure_seconds": None if exposed is None else max(0.0, exposed), "rpo_seconds": row.rpo_s or None,
            "status": CODES[status.status] if status else None, "affected": CODES[reached.status] if reached else 0,
            "promise_kept": KEPT.get(row.verdict),
            "last_good_timestamp_seconds": row.captured_at.timestamp() if row.captured_at else None,
            "next_due_timestamp_seconds": row.next_due_at.timestamp() if row.next_due_at else None, "expected_runs_missed": missed,
        }  # fmt: skip

    def _missed(self, services: list[int]) -> dict[int, int]:
        """Service → due backups that were missed on days that count, of services of which anything was due."""
        from_then = self.at.date() - dt.timedelta(days=COUNTED_DAYS)
        due = ExpectedRun.objects.filter(job__service__in=services, local_on__gte=from_then).exclude(state=ExpectedRun.State.EXPECTED)
        counted = due.order_by().values("job__service").annotate(missed=Count("pk", filter=Q(state=ExpectedRun.State.MISSED, counts=True)))
        return dict(counted.values_list("job__service", "missed"))

    def _lag_s(self) -> float:
        """Seconds since the oldest mark that the journey has still to take away."""
        marks = [
            JobState.objects.filter(touched_at__isnull=False).aggregate(oldest=Min("touched_at"))["oldest"],
            ServiceState.objects.filter(next_judgement_at__lte=self.at).aggregate(oldest=Min("next_judgement_at"))["oldest"],
            RawAnswer.objects.filter(pk__in=answers.unread()[:1]).aggregate(oldest=Min("received_at"))["oldest"],
        ]
        return max((max(0.0, (self.at - mark).total_seconds()) for mark in marks if mark), default=0.0)


def _counts(name: str, words: str, field: str, values: Any, rows: QuerySet) -> GaugeMetricFamily:
    found = dict(rows.order_by().values_list(field).annotate(Count("pk")))
    gauge = GaugeMetricFamily(f"itsm_backup_{name}", words, labels=[field.removeprefix("alert_")])
    for value in values:
        gauge.add_metric([value], found.get(value, 0))
    return gauge


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"itsm_backup_{name}", words, value=value)
