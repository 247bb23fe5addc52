"""`/api/v1/agreements/<id>/versions/`: what an agreement says, written by one person and approved by another, with ETag and If-Match."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import agreeing
from catalogue.models import Agreement, AgreementVersion
from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.time import now
from monitoring.api.agreements import AgreementVersionSerializer, agreements_of, may_write
from monitoring.api.duties import Conflict, checked
from monitoring.api.filters import AS_OF
from monitoring.api.versions import CHANGED, IF_MATCH, MISSING, WRONG_STATE, Changed, etag_sent

ACTS = {"approve": agreeing.approve, "cancel": agreeing.cancel}
_MOST_S = 2**31 - 1


class AgreementTextSerializer(serializers.Serializer):
    """What is left out stays as it is; in a new version as the newest approved one says. Null is not agreed."""

    reason = serializers.CharField(max_length=1_000)
    from_on = serializers.DateField(required=False, help_text="A new version needs it.")
    until_on = serializers.DateField(required=False, allow_null=True, help_text="The last day; null: until it is replaced.")
    rpo_s = serializers.IntegerField(required=False, allow_null=True, min_value=60, max_value=_MOST_S)
    rto_s = serializers.IntegerField(required=False, allow_null=True, min_value=60, max_value=_MOST_S)
    retention_days = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=_MOST_S)
    success_rate = serializers.DecimalField(
        required=False, allow_null=True, max_digits=6, decimal_places=5, min_value=Decimal("0.00001"), max_value=Decimal(1)
    )
    text = serializers.CharField(required=False, allow_blank=True, max_length=20_000)


class AgreementActSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=1_000, required=False, default="", allow_blank=True, help_text="Needed to cancel.")


class AgreementVersionDetailSerializer(AgreementVersionSerializer):
    etag = serializers.CharField(source="hash", help_text="SHA-256 of what it says; also its ETag.")


def acted_on_text(act: Any, **said: Any) -> Any:
    """The act, with its refusals as answers: 412 for another text than was read, 403 for who may not, 409 for the rest."""
    try:
        return act(**said)
    except agreeing.Outdated as error:
        raise Changed(str(error)) from None
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        raise Conflict(str(error)) from None


def _agreement(request: Any, pk: int) -> Agreement:
    row = agreements_of(request).filter(pk=pk).first()
    if row is None:
        raise NotFound(f"There is no agreement {pk} that you may see.")
    return row


def _version(request: Any, pk: int, number: int) -> AgreementVersion:
    found: AgreementVersion | None = next((each for each in _agreement(request, pk).told if each.number == number), None)  # type: ignore[attr-defined]
    if found is None:
        raise NotFound(f"The agreement {pk} has no version {number} that you may see.")
    return found


def _detail(row: AgreementVersion, status: int = 200) -> Response:
    row.hash = agreeing.hash_of(row)  # type: ignore[attr-defined]
    return Response(AgreementVersionDetailSerializer(row).data, status=status, headers={"ETag": f'"{row.hash}"'})  # type: ignore[attr-defined]


class AgreementTexts(GenericAPIView):
    """A POST writes the next version of the agreement, as a draft that somebody else approves."""

    queryset = AgreementVersion.objects.none()

    @extend_schema(operation_id="agreement_versions_create", request=AgreementTextSerializer,
                   responses={201: AgreementVersionDetailSerializer, 409: WRONG_STATE})  # fmt: skip
    def post(self, request: Any, pk: int) -> Response:
        agreement = _agreement(request, pk)
        may_write(request, "add", AgreementVersion)
        said = checked(AgreementTextSerializer, request)
        reason = said.pop("reason")
        content = {**agreeing.begun_with(agreement.versions.all()), **said}
        made = acted_on_text(
            agreeing.draft_agreement, agreement=agreement, content=content, by=request.user, at=now(), reason=reason, seen=""
        )
        return _detail(made, 201)


class AgreementText(GenericAPIView):
    """One version of an agreement; a PATCH edits it while it is a draft."""

    queryset = AgreementVersion.objects.none()

    @extend_schema(operation_id="agreement_versions_retrieve", parameters=[AS_OF], responses=AgreementVersionDetailSerializer)
    def get(self, request: Any, pk: int, number: int) -> Response:
        return _detail(_version(request, pk, number))

    @extend_schema(
        operation_id="agreement_versions_edit", request=AgreementTextSerializer, parameters=[IF_MATCH],
        responses={200: AgreementVersionDetailSerializer, 412: CHANGED, 428: MISSING, 409: WRONG_STATE},
    )  # fmt: skip
    def patch(self, request: Any, pk: int, number: int) -> Response:
        row = _version(request, pk, number)
        may_write(request, "change", AgreementVersion)
        seen, said = etag_sent(request), checked(AgreementTextSerializer, request)
        if row.state != AgreementVersion.State.DRAFT:
            raise Conflict(f"{row} is already {row.get_state_display()}. Nothing was changed; write the next version.")
        reason = said.pop("reason")
        kept = acted_on_text(
            agreeing.draft_agreement, agreement=row.agreement, content=said, by=request.user, at=now(), reason=reason, seen=seen
        )
        return _detail(kept)


class AgreementTextAct(GenericAPIView):
    """Approve the draft, which takes an approver who did not write it, or cancel it. If-Match says which text is meant."""

    queryset = AgreementVersion.objects.none()

    @extend_schema(
        operation_id="agreement_versions_act", request=AgreementActSerializer, parameters=[IF_MATCH],
        responses={200: AgreementVersionDetailSerializer, 412: CHANGED, 428: MISSING, 409: WRONG_STATE},
    )  # fmt: skip
    def post(self, request: Any, pk: int, number: int, act: str) -> Response:
        if act not in ACTS:
            raise NotFound(f"There is no act {act[:40]}. There are: {', '.join(ACTS)}.")
        row = _version(request, pk, number)
        if act == "cancel":
            may_write(request, "change", AgreementVersion)
        seen, said = etag_sent(request), checked(AgreementActSerializer, request)
        if act == "cancel" and not said["reason"].strip():
            raise Conflict("Say why it is cancelled. Nothing was changed.")
        return _detail(acted_on_text(ACTS[act], row=row, by=request.user, at=now(), reason=said["reason"], seen=seen))
