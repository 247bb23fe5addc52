"""The API's common manners: paging, bodies, errors that say what to do (RFC 9457), and their place in the documentation."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import JSONParser
from rest_framework.response import Response

from monitoring.api.run_schema import components

PROBLEM = "application/problem+json"
MAX_BODY_BYTES = 1024 * 1024
SIGN_IN = "Sign in, or send Authorization: Bearer TOKEN. Make a token with: manage.py token --user U --scope read"


class Paging(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class TooLarge(exceptions.APIException):
    status_code = 413
    default_detail = "The body is larger than 1 MiB. Nothing was changed."


class Parser(JSONParser):
    """JSON of a size that a form has; what is nested without end is refused like every other nonsense."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        sent = stream.read(MAX_BODY_BYTES + 1)
        if len(sent) > MAX_BODY_BYTES:
            raise TooLarge
        try:
            return super().parse(io.BytesIO(sent), media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError("The JSON is nested too deeply.") from None


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every error of the API as application/problem+json with a reason that a person can act on."""
    from rest_framework.views import exception_handler  # which itself imports this module, to know the parser

    response = exception_handler(error, context)
    if response is None:
        return None
    data = response.data
    detail = data.get("detail") if isinstance(data, dict) else None
    if isinstance(error, exceptions.NotAuthenticated):
        detail = SIGN_IN
    problem = {
        "type": "about:blank",
        "title": _title(error),
        "status": response.status_code,
        "detail": str(detail) if detail else _said(data),
    }
    if not detail:
        problem["fields"] = data
    response.data = problem
    response.content_type = PROBLEM
    return response


def _title(error: Exception) -> str:
    """What kind of refusal it is; what differs from case to case stands in the detail."""
    if isinstance(error, exceptions.MethodNotAllowed):
        return "This address does not take that method."
    if isinstance(error, exceptions.UnsupportedMediaType):
        return "This media type is not read here."
    return str(getattr(error, "default_detail", "The request was refused."))


def _said(data: Any) -> str:
    """What is wrong with which field, as one line."""
    return " ".join(_sentences(data, "")) or "Some fields were not accepted."


def _sentences(said: Any, path: str) -> Iterator[str]:
    """One for each field, named by its way there: `rows[4].unit: …`."""
    if isinstance(said, dict):
        for name, one in said.items():
            step = f"[{name}]" if isinstance(name, int) else f".{name}" if path else str(name)
            yield from _sentences(one, f"{path}{step}")
    elif isinstance(said, list) and any(isinstance(one, (dict, list)) for one in said):
        for number, one in enumerate(said):
            yield from _sentences(one, f"{path}[{number}]")
    else:
        words = " ".join(map(str, said)) if isinstance(said, list) else str(said)
        yield f"{path}: {words}" if path else words


@csrf_exempt
def nothing_here(request: HttpRequest, rest: str = "") -> JsonResponse:
    """404 for an address below /api/ that does not exist."""
    detail = "There is nothing at this address. What there is stands in /api/docs/."
    return JsonResponse({"type": "about:blank", "title": "Not found.", "status": 404, "detail": detail}, status=404, content_type=PROBLEM)


_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457. `detail` says what is wrong and what to do.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "fields": {"description": "What is wrong, by field."},
    },
}
_ERRORS = {
    "400": "The request cannot be understood; nothing was changed.",
    "401": "No valid token, and not signed in.",
    "403": "To be seen, but not to be touched: `detail` names who may.",
    "404": "Not there, or not to be seen by you.",
    "406": "Only JSON is answered.",
}
_WRITE_ERRORS = {
    "409": "Its present state does not allow this.",
    "413": "Too many records or bytes in one call.",
    "415": "A media type or encoding that is not known.",
}

_STATE_ERRORS = {
    "409": "Its present state does not allow this.",
    "412": "It changed since it was read: `detail` says what.",
    "428": "If-Match is missing.",
}


def document_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular hook: every operation's errors, and the schemas of what may be sent to /runs."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas |= components() | {"Problem": _PROBLEM_SCHEMA}
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for method, operation in operations.items():
            errors = _ERRORS | (_WRITE_ERRORS if method == "post" else _STATE_ERRORS if method in ("patch", "delete") else {})
            for code, words in errors.items():
                operation["responses"][code] = {"description": words, "content": content}
    return result
