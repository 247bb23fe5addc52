"""`/api/v1/services/<code>/versions/`: drafts, reviews and what was approved, with ETag and If-Match so that nobody overwrites anybody."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import IntegerField, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import comparing, publishing, withdrawing, wording
from catalogue.comparing import ALL_FIELDS, COMMITMENT_FIELDS, CONTENT_FIELDS, OFFERING_FIELDS
from catalogue.models import AgreementVersion, Offering, Service, ServiceVersion, Team
from itsm_backup.common.time import now
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.capability import measured

ACTS = ("submit", "approve", "return", "cancel", "withdraw")
PEOPLE, AGREEMENTS = ("owner", "steward"), ("sla", "ola", "contract")
AGREED = tuple(f"{name}__agreement" for name in AGREEMENTS)  # what names an agreement version in one question
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of what you read. Without it nothing is written.",
)

CHANGED = OpenApiResponse(description="Somebody changed it: `detail` says what.")
MISSING = OpenApiResponse(description="If-Match is missing.")
WRONG_STATE = OpenApiResponse(description="Its state does not allow it.")
FROM = OpenApiParameter("from", OpenApiTypes.INT, required=True, description="Number of the old version.")
TO = OpenApiParameter("to", OpenApiTypes.INT, required=True, description="Number of the new version.")


class Changed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "The content is not what you read any more."


class NotMatched(exceptions.APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_detail = "Send If-Match with the ETag of the version that you read, so that nobody's work is overwritten."


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The version does not allow this now."


class VersionSerializer(serializers.Serializer):
    number = serializers.IntegerField()
    release = serializers.CharField(help_text="major.minor.patch, by what changed.")
    level = serializers.CharField(help_text="How much it changed: major, minor or patch.")
    state = serializers.CharField()
    effective_from = serializers.DateTimeField(source="effective.lower", default=None, allow_null=True)
    effective_until = serializers.DateTimeField(source="effective.upper", default=None, allow_null=True)
    authors = serializers.ListField(child=serializers.CharField(), source="author_names")
    approver = serializers.CharField(source="approver.username", default=None, allow_null=True)
    approved_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    etag = serializers.CharField(source="hash", help_text="SHA-256 of the content; also the ETag of the version.")


class VersionDetailSerializer(VersionSerializer):
    content = serializers.DictField(
        help_text="Everything that it says and promises; people and teams by name, agreements by name and version."
    )


class WriteSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2_000)
    content = serializers.DictField(
        required=False, default=dict, help_text="The fields to change, named as in the content of a version; the others stay."
    )


class ActSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2_000, required=False, default="", allow_blank=True)
    effective_from = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="For approve: from when.")


class ChangeSerializer(serializers.Serializer):
    field = serializers.CharField()
    label = serializers.CharField(help_text="The field as people call it.")
    before = serializers.CharField(help_text="The value in words.")
    after = serializers.CharField()


class DiffSerializer(serializers.Serializer):
    level = serializers.CharField()
    changes = ChangeSerializer(many=True)


def _seen(service: Service, request: Any) -> QuerySet:
    """Its versions that the person may read as of the asked instant, newest first."""
    at, past = moment_of(request)
    rows = ServiceVersion.objects.filter(service=service).read_by(request.user, at=at, past=past)
    return rows.select_related("service", "approver", "commitment").prefetch_related("offerings").order_by("-number")


def version_of(request: Any, code: str, number: int, action: str = "view") -> ServiceVersion:
    """That version as of the asked instant; raises NotFound or PermissionDenied with a sentence."""
    service = get_for(Service.objects.all(), user=request.user, action=action, code=code)
    version = _seen(service, request).filter(number=number).first() if number < 2**31 else None
    if version is None:
        raise exceptions.NotFound(f"{code} has no version {number} that you may see.")
    return version  # type: ignore[no-any-return]


def _told(versions: list[ServiceVersion]) -> list[ServiceVersion]:
    wanted = {pk for version in versions for pk in version.author_ids}
    names = dict(get_user_model().objects.filter(pk__in=wanted).values_list("pk", "username"))
    for version in versions:
        version.author_names = [names[pk] for pk in version.author_ids if pk in names]
        version.hash = comparing.hash_of(comparing.content_of(version))
    return versions


def _detail(version: ServiceVersion, code: int = 200) -> Response:
    fresh = ServiceVersion.objects.select_related("approver", "commitment", "owner", "steward", "operations_team", *AGREED).get(
        pk=version.pk
    )
    (told,) = _told([fresh])
    told.content = _named(told)
    return Response(VersionDetailSerializer(told).data, status=code, headers={"ETag": f'"{told.hash}"'})


def _named(version: ServiceVersion) -> dict[str, Any]:
    content = comparing.content_of(version)
    for name in PEOPLE:
        content[name] = getattr(version, name).username if getattr(version, name) else None
    content["operations_team"] = version.operations_team.name if version.operations_team else None
    for name in AGREEMENTS:
        agreed = getattr(version, name)
        content[name] = str(agreed) if agreed else None
    return content


def etag_sent(request: Any) -> str:
    """The hash in If-Match; raises NotMatched without one."""
    sent = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if not sent:
        raise NotMatched
    return sent


def _refused(error: publishing.Refused) -> exceptions.APIException:
    if isinstance(error, publishing.Stale):
        return Changed(str(error))
    if isinstance(error, publishing.NotAllowed):
        return exceptions.PermissionDenied(str(error))
    return Conflict(str(error))


def _written(sent: dict[str, Any]) -> dict[str, Any]:
    """content, commitment and offerings of what was sent; raises ParseError naming each field that cannot be read."""
    wrong = {name: "There is no such field. Fields: " + ", ".join(ALL_FIELDS) for name in sent if name not in ALL_FIELDS}
    found: dict[str, Any] = {"content": {}, "commitment": {}, "offerings": None}
    for name, value in sent.items():
        try:
            if name in CONTENT_FIELDS:
                found["content"][name] = _value(name, value)
            elif name in COMMITMENT_FIELDS:
                found["commitment"][name] = _typed(wording.FIELDS[name], value)
            elif name == "offerings":
                found["offerings"] = _offerings(value)
        except (ValidationError, ValueError, TypeError, AttributeError, OverflowError) as error:
            wrong[name] = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
    if wrong:
        raise exceptions.ParseError(" ".join(f"{name}: {told}" for name, told in wrong.items()))
    return found


def _value(name: str, value: Any) -> Any:
    if value is not None and name in (*PEOPLE, "operations_team", *AGREEMENTS):
        if name in PEOPLE:
            row = get_user_model().objects.filter(username=str(value).replace("\x00", ""), is_active=True).first()
        elif name == "operations_team":
            row = Team.objects.filter(name=str(value).replace("\x00", "")).first()
        else:
            row = _agreed(name, str(value).replace("\x00", ""))
        if row is None:
            raise ValueError(f"There is no {name} {str(value)[:60]}.")
        return row
    return _typed(wording.FIELDS[name], value)


def _agreed(kind: str, text: str) -> AgreementVersion | None:
    """“Radiology SLA” is the newest approved version of this agreement, “Radiology SLA, version 2” is that one."""
    rows = AgreementVersion.objects.filter(agreement__kind=kind, state="approved").select_related("agreement").order_by("-number")
    name, _, number = text.rpartition(", version ")
    if name and number.isascii() and number.isdigit() and len(number) < 10:
        return rows.filter(agreement__name=name, number=int(number)).first() or rows.filter(agreement__name=text).first()
    return rows.filter(agreement__name=text).first()


def _typed(field: Any, value: Any) -> Any:
    """The value as the field holds it, checked as a form would."""
    if value is None:
        if not field.null:
            raise ValueError("It cannot be null.")
        return None
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("It holds a NUL.")
    if hasattr(field, "base_field"):
        if not isinstance(value, list):
            raise ValueError("It is a list of texts.")
        value = [_typed(field.base_field, each) for each in value]
    elif isinstance(value, (dict, list, bool)):
        raise ValueError("This is no value for it.")
    elif isinstance(value, float) and isinstance(field, IntegerField):
        raise ValueError("It is a whole number.")
    made = field.to_python(value)
    field.run_validators(made)
    if field.choices and made != "" and made not in dict(field.flatchoices):
        raise ValueError(f"It is one of {', '.join(dict(field.flatchoices))}.")
    return made


def _offerings(sent: Any) -> list[dict[str, Any]]:
    if not isinstance(sent, list) or not all(isinstance(each, dict) for each in sent):
        raise ValueError(f"It is a list of offerings, each with {', '.join(OFFERING_FIELDS)}.")
    return [_offering(each) for each in sent]


def _offering(levels: dict[str, Any]) -> dict[str, Any]:
    if unknown := [name for name in levels if name not in OFFERING_FIELDS]:
        raise ValueError(f"An offering has no {unknown[0]}. It has: {', '.join(OFFERING_FIELDS)}.")
    return {name: _typed(Offering._meta.get_field(name), value) for name, value in levels.items()}


class Versions(GenericAPIView):
    """The versions of a service, newest first; a POST writes the next draft."""

    queryset = ServiceVersion.objects.none()
    serializer_class = VersionSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="versions_list", parameters=[AS_OF], responses=VersionSerializer(many=True))
    def get(self, request: Any, code: str) -> Response:
        service = get_for(Service.objects.all(), user=request.user, code=code)
        page = self.paginate_queryset(_seen(service, request)) or []
        return self.get_paginated_response(VersionSerializer(_told(list(page)), many=True).data)

    @extend_schema(operation_id="versions_create", request=WriteSerializer, responses={201: VersionDetailSerializer})
    def post(self, request: Any, code: str) -> Response:
        service = get_for(Service.objects.all(), user=request.user, action="change", code=code)
        said = WriteSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        written = _written(said.validated_data["content"])
        first = not service.versions.exists()  # an entry that exists promises what it promised, and nothing that nobody asked for
        try:
            made = publishing.draft_version(
                service=service, by=request.user, at=now(), reason=said.validated_data["reason"], tier_defaults=first, **written
            )
        except publishing.Refused as error:
            raise _refused(error) from None
        return _detail(made, 201)


class VersionDetail(GenericAPIView):
    """One version with its content; a PATCH edits a draft."""

    queryset = ServiceVersion.objects.none()
    serializer_class = VersionDetailSerializer

    @extend_schema(operation_id="versions_retrieve", parameters=[AS_OF])
    def get(self, request: Any, code: str, number: int) -> Response:
        return _detail(version_of(request, code, number))

    @extend_schema(
        operation_id="versions_edit", request=WriteSerializer, parameters=[IF_MATCH],
        responses={200: VersionDetailSerializer, 412: CHANGED,
                   428: MISSING, 409: WRONG_STATE},
    )  # fmt: skip
    def patch(self, request: Any, code: str, number: int) -> Response:
        version = version_of(request, code, number, "change")
        base = etag_sent(request)
        said = WriteSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        written = _written(said.validated_data["content"])
        try:
            kept = publishing.edit_draft(
                version=version, base=base, by=request.user, at=now(), reason=said.validated_data["reason"], **written
            )
        except publishing.Refused as error:
            raise _refused(error) from None
        return _detail(kept)


class VersionAct(GenericAPIView):
    """Submit, approve, return, cancel or, before its day, withdraw a version. If-Match says which content is meant."""

    queryset = ServiceVersion.objects.none()
    serializer_class = ActSerializer

    @extend_schema(
        operation_id="versions_act", request=ActSerializer, parameters=[IF_MATCH],
        responses={200: VersionDetailSerializer, 412: CHANGED,
                   428: MISSING, 409: WRONG_STATE},
    )  # fmt: skip
    def post(self, request: Any, code: str, number: int, act: str) -> Response:
        if act not in ACTS:
            raise exceptions.NotFound(f"There is no act {act[:40]}. There are: {', '.join(ACTS)}.")
        version = version_of(request, code, number, "view" if act in ("approve", "return", "withdraw") else "change")
        seen = etag_sent(request)
        said = ActSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        at = now()
        given: dict[str, Any] = {"version": version, "by": request.user, "at": at, "reason": said.validated_data["reason"]}
        try:
            if seen != comparing.hash_of(comparing.content_of(version)):
                raise publishing.Stale(version, seen, comparing.content_of(version))
            if act == "approve":
                starts, known = said.validated_data["effective_from"], measured(version.service, at)
                done = publishing.approve(**given, effective_from=starts, seen=seen, measured=known, announce=True)
            elif act == "submit":
                done = publishing.submit(**given)
            else:
                done = self._ended(act, given, request.user)
        except publishing.Refused as error:
            raise _refused(error) from None
        return _detail(done)

    def _ended(self, act: str, given: dict[str, Any], user: Any) -> ServiceVersion:
        """Returned, cancelled or withdrawn: all need a reason; all but the second one the right to change or to approve."""
        version = given["version"]
        if act == "return" and not Service.objects.visible_to(user, "change").filter(pk=version.service_id).exists():
            publishing.check_approver(version, user, now())
        if not given["reason"].strip():
            raise exceptions.ParseError("reason: say why; the authors read it.")
        ends = {"return": publishing.return_to_draft, "cancel": publishing.cancel, "withdraw": withdrawing.withdraw}
        return ends[act](**given)


class Diff(GenericAPIView):
    """What differs between two versions of a service, field by field, in words."""

    queryset = ServiceVersion.objects.none()
    serializer_class = DiffSerializer

    @extend_schema(
        operation_id="versions_diff",
        parameters=[
            OpenApiParameter("from", OpenApiTypes.INT, required=True),
            OpenApiParameter("to", OpenApiTypes.INT, required=True),
            AS_OF,
        ],
    )
    def get(self, request: Any, code: str) -> Response:
        get_for(Service.objects.all(), user=request.user, code=code)
        asked = [request.query_params.get(name, "") for name in ("from", "to")]
        if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in asked):
            raise exceptions.ParseError("from and to are numbers of versions, such as ?from=1&to=2.")
        old, new = (comparing.content_of(version_of(request, code, int(text))) for text in asked)
        changes = comparing.diff(old, new)
        return Response(DiffSerializer({"level": comparing.level_of(changes), "changes": wording.tell(changes)}).data)
