"""`/api/v1/services/`: what is promised and where it stands."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import retiring
from catalogue.impact import effective_tiers
from catalogue.models import AgreementVersion, Service, ServiceVersion, StatusChange
from catalogue.models.status import OperationalStatus
from catalogue.propagating import SPREADS
from itsm_backup.common.time import now
from monitoring.api.checks import NamedAgreementSerializer
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.bridging import bridge
from monitoring.models import Evaluation
from monitoring.models.ledger import Verdict
from monitoring.serving import SERVES, WORDS, serving
from monitoring.standing import standings

KINDS = ServiceVersion.Kind.values
VERDICTS = [*Verdict.choices, (SERVES, WORDS)]
VERDICT_WORDS = [value for value, _ in VERDICTS]


class CommitmentSerializer(serializers.Serializer):
    rpo_s = serializers.IntegerField(allow_null=True, help_text="Recovery point objective in seconds.")
    rto_s = serializers.IntegerField(allow_null=True, help_text="Recovery time objective in seconds.")
    retention_days = serializers.IntegerField(allow_null=True)
    success_rate = serializers.FloatField(allow_null=True, help_text="Share of due backups that succeed in a month.")
    on_time_rate = serializers.FloatField(allow_null=True)
    measurement_calendar = serializers.CharField(
        help_text="Days on which due backups count, e.g. Mon-Fri except 2026-12-25; empty means every day."
    )
    window_opens = serializers.TimeField(allow_null=True)
    window_closes = serializers.TimeField(allow_null=True)
    restore_test_days = serializers.IntegerField(allow_null=True)
    rpo_attainment_rate = serializers.FloatField(allow_null=True, help_text="Share of a month in which a fresh enough copy exists.")
    retention_min_days = serializers.IntegerField(allow_null=True, help_text="What law or contract asks for.")
    retention_max_days = serializers.IntegerField(allow_null=True, help_text="What law or contract allows.")
    immutability_days = serializers.IntegerField(allow_null=True, help_text="Copies are locked for so long.")
    copy_scheme = serializers.CharField(help_text="How many copies on which media, e.g. 3-2-1-1-0; empty means not promised.")
    encryption = serializers.CharField(help_text="none, at_rest, everywhere; empty means not promised.")


class OfferingSerializer(serializers.Serializer):
    """A package of the entry; a level that is null is the entry's own."""

    name = serializers.CharField()
    price = serializers.CharField()
    rpo_s = serializers.IntegerField(allow_null=True)
    rto_s = serializers.IntegerField(allow_null=True)
    retention_days = serializers.IntegerField(allow_null=True)
    success_rate = serializers.FloatField(allow_null=True)


class ServiceSerializer(serializers.Serializer):
    code = serializers.CharField(source="service.code")
    lifecycle = serializers.SerializerMethodField(help_text="Where it stands in the catalogue, or stood at `at`.")
    name = serializers.CharField(source="version.name", default=None, allow_null=True)
    short_name = serializers.CharField(source="version.short_name", default=None, allow_null=True)
    version = serializers.IntegerField(source="version.number", default=None, allow_null=True)
    kind = serializers.CharField(source="version.kind", default=None, allow_null=True, help_text=", ".join(KINDS))
    tier = serializers.IntegerField(source="version.tier", default=None, allow_null=True)
    department = serializers.CharField(source="version.department", default=None, allow_null=True)
    application_type = serializers.CharField(source="version.application_type", default=None, allow_null=True)
    labels = serializers.ListField(source="version.labels", child=serializers.CharField(), default=list)
    zone = serializers.CharField(source="version.zone", default=None, allow_null=True)
    owner = serializers.CharField(source="version.owner.username", default=None, allow_null=True)
    steward = serializers.CharField(source="version.steward.username", default=None, allow_null=True)
    operations_team = serializers.CharField(source="version.operations_team.name", default=None, allow_null=True)
    commitment = CommitmentSerializer(
        allow_null=True, default=None, help_text="What the version in force promises; null means not promised."
    )
    verdict = serializers.ChoiceField(
        choices=VERDICTS, help_text="`serves`: no job belongs to it, so nothing of its own is measured, and backups of others rest on it."
    )
    verdict_since = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(choices=OperationalStatus.choices)
    status_since = serializers.DateTimeField(allow_null=True)
    status_reason = serializers.CharField()
    propagated_status = serializers.ChoiceField(
        choices=SPREADS,
        allow_null=True,
        help_text="What reaches it over hard relations; worse than its own status, which stands in `status`. Of an outage that only"
        " its backup needs, `degraded`.",
    )
    propagated_since = serializers.DateTimeField(allow_null=True)
    affected_by = serializers.SerializerMethodField(help_text="Code of the service it comes from; null where you may not see that.")
    propagation = serializers.IntegerField(allow_null=True, help_text="See /api/v1/propagations/<id>/ for why.")
    captured_at = serializers.DateTimeField(allow_null=True, help_text="Newest usable point of the worst item.")
    exposure_s = serializers.IntegerField(
        allow_null=True, help_text="Seconds of work that a loss at `at` would take; null when it is not known."
    )
    next_due_at = serializers.DateTimeField(allow_null=True)
    evaluation = serializers.IntegerField(allow_null=True, help_text="See /api/v1/evaluations/<id>/ for why.")
    evaluated_at = serializers.DateTimeField(allow_null=True, help_text="When that evaluation was made.")
    known_today = serializers.BooleanField(
        help_text="True where the evaluation did not reach `at`: verdict, copy and exposure are then told from what is known today."
    )
    at = serializers.DateTimeField(help_text="The instant that all of this is about.")

    @extend_schema_field(serializers.ChoiceField(choices=Service.Lifecycle.choices))
    def get_lifecycle(self, one: Any) -> str:
        return self.context["lifecycles"].get(one.service.pk, one.service.lifecycle)  # type: ignore[no-any-return]

    def get_affected_by(self, one: Any) -> str | None:
        return one.affected_by if one.affected_by in self.context["seen"] else None


def _context(user: Any, found: list[Any], at: Any, past: bool) -> dict[str, Any]:
    """Which of the services that affect these the user may see, and of the past where each stood in the catalogue."""
    causes = {one.affected_by for one in found if one.affected_by}
    seen = set(Service.objects.visible_to(user).filter(code__in=causes).values_list("code", flat=True)) if causes else set()
    return {"seen": seen, "lifecycles": retiring.lifecycles([one.service for one in found], at) if past else {}}


class ServiceDetailSerializer(ServiceSerializer):
    summary = serializers.CharField(source="version.summary", default="")
    hosting = serializers.CharField(source="version.hosting", default=None, allow_null=True)
    provider = serializers.CharField(source="version.provider", default="", help_text="Who hosts it, where that is somebody else.")
    regions = serializers.ListField(source="version.regions", child=serializers.CharField(), default=list)
    regulations = serializers.ListField(source="version.regulations", child=serializers.CharField(), default=list)
    review_due_on = serializers.DateField(source="version.review_due_on", default=None, allow_null=True)
    escalation_policy = serializers.CharField(
        source="version.escalation_policy", default="", help_text="By which its incidents escalate; empty: the one for priority and tier."
    )
    change_reference = serializers.CharField(source="version.change_reference", default="", help_text="Under which change it was made.")
    offerings = OfferingSerializer(source="version.offerings", many=True, default=list)
    agreements = serializers.SerializerMethodField(help_text="The agreement versions that stand behind its promise.")
    effective_tier = serializers.SerializerMethodField(
        help_text="The strictest tier among it and all that hangs on it; null where nothing is in force."
    )
    claims = serializers.ListField(child=serializers.DictField(), help_text="Each promise: verdict, what was measured, from what.")

    @extend_schema_field(NamedAgreementSerializer(many=True))
    def get_agreements(self, one: Any) -> Any:
        named = [one.version.sla_id, one.version.ola_id, one.version.contract_id] if one.version else []
        rows = AgreementVersion.objects.filter(pk__in=named).select_related("agreement").order_by("agreement__name")
        return NamedAgreementSerializer(rows, many=True).data

    def get_effective_tier(self, one: Any) -> int | None:
        return self.context["tiers"].get(one.service.pk)  # type: ignore[no-any-return]


_WORDS = [
    OpenApiParameter("q", OpenApiTypes.STR, description="Part of the code or the name."),
    OpenApiParameter("verdict", OpenApiTypes.STR, description=f"One or several of {', '.join(VERDICT_WORDS)}, separated by commas."),
    OpenApiParameter("status", OpenApiTypes.STR, description=f"One or several of {', '.join(OperationalStatus.values)}."),
    OpenApiParameter("tier", OpenApiTypes.STR, description="One or several of 1, 2, 3, 4."),
    OpenApiParameter("kind", OpenApiTypes.STR, description=f"One or several of {', '.join(KINDS)}."),
    OpenApiParameter("department", OpenApiTypes.STR),
]


class Services(GenericAPIView):
    """Services of which a version is in force, by code."""

    queryset = Service.objects.none()
    serializer_class = ServiceSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="services_list", parameters=[*_WORDS, AS_OF], responses=ServiceSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, past = moment_of(request)
        rows = Service.objects.visible_to(request.user)
        rows = (rows if past else rows.listed()).filter(Exists(_in_force(at)))
        page = self.paginate_queryset(_filtered(rows, request.query_params, at, past).order_by("code"))
        found = standings(page or [], at=at, now=now() if past else None)
        return self.get_paginated_response(ServiceSerializer(found, many=True, context=_context(request.user, found, at, past)).data)


class ServiceDetail(GenericAPIView):
    """One service: its promises, where it stands, and its claims."""

    queryset = Service.objects.none()
    serializer_class = ServiceDetailSerializer

    @extend_schema(operation_id="services_retrieve", parameters=[AS_OF])
    def get(self, request: Any, code: str) -> Response:
        at, past = moment_of(request)
        service = get_for(Service.objects.all(), user=request.user, code=code)
        found = standings([service], at=at, now=now() if past else None)
        tiers = effective_tiers([service.pk], at=at, known_then=past)
        return Response(ServiceDetailSerializer(found[0], context={**_context(request.user, found, at, past), "tiers": tiers}).data)


def _in_force(at: Any) -> QuerySet:
    return ServiceVersion.objects.in_force(at).filter(service=OuterRef("pk"))


def _filtered(rows: QuerySet, asked: Any, at: Any, past: bool) -> QuerySet:
    if text := asked.get("q", "").replace("\x00", ""):
        rows = rows.filter(Q(code__icontains=text) | Exists(_in_force(at).filter(name__icontains=text)))
    if tiers := asked.get("tier"):
        if not all(tier in ("1", "2", "3", "4") for tier in tiers.split(",")):
            raise ParseError("tier must be one or several of 1, 2, 3, 4, separated by commas.")
        rows = rows.filter(Exists(_in_force(at).filter(tier__in=tiers.split(","))))
    if kinds := asked.get("kind"):
        if unknown := [kind for kind in kinds.split(",") if kind not in KINDS]:
            raise ParseError(f"kind must be one or several of {', '.join(KINDS)}, not {unknown[0][:40]}.")
        rows = rows.filter(Exists(_in_force(at).filter(kind__in=kinds.split(","))))
    if department := asked.get("department", "").replace("\x00", ""):
        rows = rows.filter(Exists(_in_force(at).filter(department=department)))
    rows = _having(rows, asked, "verdict", VERDICT_WORDS, _verdict(rows, asked, at, past), "no_data")
    return _having(rows, asked, "status", OperationalStatus.values, _status(at, past), "unknown")


def _having(rows: QuerySet, asked: Any, name: str, choices: list[str], found: Any, otherwise: str) -> QuerySet:
    if not (wanted := asked.get(name, "").split(",") if asked.get(name) else []):
        return rows
    if unknown := [word for word in wanted if word not in choices]:
        raise ParseError(f"{name} must be one or several of {', '.join(choices)}, not {unknown[0][:40]}.")
    rows = rows.annotate(**{f"the_{name}": found})
    condition = Q(**{f"the_{name}__in": wanted})
    return rows.filter(condition | Q(**{f"the_{name}": None}) if otherwise in wanted else condition)


def _verdict(rows: QuerySet, asked: Any, at: Any, past: bool) -> Any:
    judged = _judged(rows, asked, at, past)
    serves = Exists(_in_force(at).filter(serving(at=at, known_then=past)))
    unknown = Exact(Coalesce(judged, Value(Verdict.NO_DATA), output_field=CharField()), Value(Verdict.NO_DATA))
    return Case(When(Q(unknown) & Q(serves), then=Value(SERVES)), default=judged, output_field=CharField())


def _judged(rows: QuerySet, asked: Any, at: Any, past: bool) -> Any:
    if not past or not asked.get("verdict"):
        return F("judged__verdict")
    bridged = bridge(ServiceVersion.objects.in_force(at).filter(service__in=rows), at, now=now())
    told: dict[str, list[int]] = {}
    for service, one in bridged.items():
        told.setdefault(one.verdict, []).append(service)
    latest = Evaluation.objects.filter(service=OuterRef("pk"), at__lte=at).order_by("-at", "-id").values("verdict")[:1]
    known = [When(pk__in=services, then=Value(verdict)) for verdict, services in told.items()]
    return Case(*known, default=Subquery(latest), output_field=CharField())


def _status(at: Any, past: bool) -> Any:
    if not past:
        return F("status__status")
    return Subquery(StatusChange.objects.filter(service=OuterRef("pk"), at__lte=at).order_by("-at", "-id").values("to_status")[:1])
