"""`POST /api/v1/alertmanager/<tool>`: alerts of Alertmanager and Grafana, one answer per alert."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, PermissionDenied, UnsupportedMediaType
from rest_framework.views import APIView

from itsm_backup.common.time import iso, now
from monitoring import intake
from monitoring.api.bodies import TooLarge, WrongEncoding, read_whole
from monitoring.api.intake import MAX_BYTES, TooMuch, respond
from monitoring.api.permissions import get_for
from monitoring.api.runs import Taken
from monitoring.connectors.alertmanager import FAILURES, Alertmanager, payload
from monitoring.connectors.base import Answer, Step
from monitoring.connectors.redaction import redact
from monitoring.models import ApiToken, Tool

log = logging.getLogger(__name__)


class TryAgain(APIException):
    """Alertmanager sends again what was answered with 5xx, and drops what was answered with 4xx."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The alerts could not be stored. Please send them again."
    default_code = "try_again"


class Alerts(APIView):
    """Alerts as they begin and end."""

    takes_runs = True

    @extend_schema(
        operation_id="alertmanager_take",
        summary="Send alerts of Alertmanager or Grafana",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={200: Taken, 207: Taken},
    )
    def post(self, request: Any, tool: str) -> HttpResponse:
        """A webhook of Alertmanager (version 4) or Grafana. Every alert gets an answer; sending the same again changes nothing. 200 when
        all were taken, 207 when some were not. What cannot be stored for the moment is answered 503, so that it is sent again.
        """
        found = _tool(request, tool)
        body = _body(request)
        at = now()
        step = Step(name="webhook", stdout=redact(body, found.secrets.values(), data=True))
        meta = {"received_at": iso(at) or "", FAILURES: str(found.settings.get(FAILURES) or "")}
        token = request.auth if isinstance(request.auth, ApiToken) else None
        try:
            receipt = intake.receive(
                tool=found, answer=Answer(kind="push", steps=[step], meta=meta), at=at, token_id=token.pk if token else None
            )
        except Exception:  # whatever it was, the sender must keep its alerts and try again
            log.exception("Alerts could not be stored")
            raise TryAgain from None
        return respond(receipt)


def _tool(request: Any, name: str) -> Tool:
    """The tool of the address, if it takes alerts and this token or person may report for it."""
    bound = request.auth.tool if isinstance(request.auth, ApiToken) else None
    if bound is not None and bound.name != name:
        raise PermissionDenied(f"This token is bound to the tool {bound.name} and cannot report for {name[:80]}.")
    found: Tool = bound or get_for(Tool.objects.all(), user=request.user, action="change", name=name)
    if found.kind != Alertmanager.kind:
        raise ParseError(f"{found.name} is a tool of the kind {found.kind}. Alerts go to a tool of the kind {Alertmanager.kind}.")
    return found


def _body(request: Any) -> str:
    try:
        body = read_whole(request._request, limit_bytes=MAX_BYTES).decode("utf-8", errors="replace")
        payload(body)
    except TooLarge:
        raise TooMuch("One call takes at most 5 MiB. Nothing was stored.") from None
    except WrongEncoding as error:
        raise UnsupportedMediaType("", detail=str(error)) from None
    except ValueError as error:
        raise ParseError(f"This is no body of Alertmanager or Grafana: {error}. Nothing was stored.") from None
    return body
