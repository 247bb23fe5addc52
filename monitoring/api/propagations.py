"""`/api/v1/propagations/<id>/`: why a service is affected by another one."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.models import Propagation, Service
from monitoring import explaining, tracing
from monitoring.api.alerts import ExplanationSerializer
from monitoring.api.permissions import get_for
from monitoring.naming import plains_for, throughout


class PropagationDetail(APIView):
    """What reaches a service over hard relations: the cause's runs, rule and promise, the relations with their versions, the comparison."""

    @extend_schema(
        operation_id="propagations_explain",
        parameters=[OpenApiParameter("again", OpenApiTypes.BOOL, description="Also work it out again and say whether the results agree.")],
        responses=ExplanationSerializer,
    )
    def get(self, request: Any, pk: int) -> Response:
        step = get_for(Propagation.objects.all(), user=request.user, pk=pk)
        cause = tracing.cause_of(step)
        if cause is None or not Service.objects.visible_to(request.user).filter(pk=cause.service_id).exists():
            raise NotFound("It is affected by a service that you may not see, or that is not judged.")
        owner = (cause.service_id, cause.tool_id)
        plain = plains_for(request.user, [owner])(owner)
        found = msgspec.to_builtins(explaining.plainly(tracing.explain_step(step, cause), plain))
        if request.query_params.get("again", "").lower() in ("true", "1"):
            repetition = tracing.repeat_step(step)
            found["again"] = {**throughout(msgspec.to_builtins(repetition), plain), "agrees": repetition.agrees}
        return Response(found)
