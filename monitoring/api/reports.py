"""`POST /api/v1/reports/<ping key>`: what a tool posts by itself in words of its own, read by its map. The address is the secret."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from itsm_backup.common.time import iso, now
from monitoring import intake, mapping
from monitoring.api.bodies import TooLarge, WrongEncoding, read_whole
from monitoring.api.intake import MAX_BYTES, respond
from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Step
from monitoring.connectors.mapped import DOCUMENT, Mapped
from monitoring.connectors.redaction import redact
from monitoring.models import Tool

REPORTS_PER_MINUTE = 120


@csrf_exempt
def take_report(request: HttpRequest, key: str) -> HttpResponse:
    """Store what the report says; 200 when every row was taken, 207 when some were not. No address of a report gets into a log."""
    response = _take(request, key)
    response.headers["Cache-Control"] = "no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _take(request: HttpRequest, key: str) -> HttpResponse:
    if request.method != "POST":
        return _no(405, "Send the report with POST.")
    tool = Tool.objects.filter(ping_key=key, kind=Mapped.kind, enabled=True).first()
    if tool is None:
        return _no(404, "No tool that is read by a map and switched on has this address.")
    cache.add(counter := f"reports-{tool.pk}", 0, 60)
    if cache.incr(counter) > REPORTS_PER_MINUTE:
        return _no(429, f"More than {REPORTS_PER_MINUTE} reports in a minute. Send this one again later.")
    document = mapping.document_in_force(str(tool.settings.get("map", "")))
    if not document:
        return _no(409, "The map that the tool chooses is not in force. Nothing was stored; send it again when it is.")
    try:
        body = read_whole(request, limit_bytes=MAX_BYTES).decode("utf-8", errors="replace")
        reading.document(body)
    except TooLarge:
        return _no(413, "A report has at most 5 MiB. Nothing was stored.")
    except (WrongEncoding, ValueError) as error:
        return _no(400, f"The report cannot be read: {error}.")
    at = now()
    step = Step(name="report", exit_code=200, stdout=redact(body, tool.secrets.values(), data=True))
    answer = Answer(kind="push", steps=[step], zone=tool.zone, meta={DOCUMENT: document, "received_at": iso(at) or ""})
    return respond(intake.receive(tool=tool, answer=answer, at=at))


def _no(status: int, detail: str) -> HttpResponse:
    told: dict[str, Any] = {"status": status, "title": "The report was not taken", "detail": detail}
    return JsonResponse(told, status=status, content_type="application/problem+json")
