"""`POST /api/v1/runs`: runs in bulk, one answer per record."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from django.http import HttpResponse
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, PermissionDenied, UnsupportedMediaType

from itsm_backup.common.time import iso, now
from monitoring import intake
from monitoring.api.bodies import TooLarge, WrongEncoding, read_whole
from monitoring.api.permissions import get_for
from monitoring.connectors.base import Answer, Step
from monitoring.connectors.push_bodies import MAX_RECORDS, NoJson, TooMany, elements
from monitoring.connectors.redaction import redact
from monitoring.models import ApiToken, Tool

MAX_BYTES = 5 * 1024 * 1024


class TooMuch(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"One call takes at most {MAX_RECORDS:,} records and 5 MiB. Send them in several calls. Nothing was stored."
    default_code = "too_large"


class Outcome(msgspec.Struct, kw_only=True):
    """What became of a call: the kept answer, how many records came to what, and one result per record."""

    answer: int
    stored: int
    unchanged: int
    quarantined: int
    results: list[intake.Result]
    notes: list[str]


def take_runs(request: Any) -> HttpResponse:
    """Store what a request brings; 200 when every record was taken, 207 when some were not."""
    tool = _tool(request)
    try:
        body = read_whole(request._request, limit_bytes=MAX_BYTES).decode("utf-8", errors="replace")
        meta = {"content_type": request._request.headers.get("Content-Type", "")[:200], **_event_headers(request._request)}
        if "ce-id" not in meta:
            elements(body, meta["content_type"])
    except (TooLarge, TooMany) as error:
        raise TooMuch(str(error) or None) from None
    except WrongEncoding as error:
        raise UnsupportedMediaType("", detail=str(error)) from None
    except NoJson as error:
        raise ParseError(str(error)) from None
    at = now()
    step = Step(name="body", stdout=redact(body, tool.secrets.values(), data=True))
    answer = Answer(kind="api", steps=[step], zone=tool.zone, meta={**meta, "received_at": iso(at) or ""})
    token = request.auth if isinstance(request.auth, ApiToken) else None
    receipt = intake.receive(tool=tool, answer=answer, at=at, token_id=token.pk if token else None)
    return respond(receipt)


def _tool(request: Any) -> Tool:
    """The tool that the runs are of: the one the token is bound to, else the one named, if the user may change it."""
    named, token = request.query_params.get("tool"), request.auth
    bound = token.tool if isinstance(token, ApiToken) else None
    if bound is not None:
        if named and named != bound.name:
            raise PermissionDenied(f"This token is bound to the tool {bound.name} and cannot report for {named[:80]}.")
        return bound
    if not named:
        raise ParseError("Which tool are the runs of? Add ?tool=NAME, or use a token that is bound to one tool. Nothing was stored.")
    return get_for(Tool.objects.all(), user=request.user, action="change", name=named)


def _event_headers(request: Any) -> dict[str, str]:
    return {name.lower(): value[:500] for name, value in request.headers.items() if name.lower().startswith("ce-")}


def respond(receipt: intake.Receipt) -> HttpResponse:
    """The answer to a call: 200 when every record was taken, 207 when some were not."""
    counts = Counter(result.status for result in receipt.results)
    outcome = Outcome(
        answer=receipt.answer,
        stored=counts["stored"],
        unchanged=counts["unchanged"],
        quarantined=counts["quarantined"],
        results=receipt.results,
        notes=receipt.problems,
    )
    code = status.HTTP_207_MULTI_STATUS if outcome.quarantined else status.HTTP_200_OK
    return HttpResponse(msgspec.json.encode(outcome), status=code, content_type="application/json")
