"""The API's common manners: paging, and errors that say what to do (RFC 9457)."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.views import exception_handler


class Paging(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every error of the API as application/problem+json with a reason that a person can act on."""
    response = exception_handler(error, context)
    if response is None:
        return None
    detail = response.data.get("detail") if isinstance(response.data, dict) else None
    problem = {
        "type": "about:blank",
        "title": str(getattr(error, "default_detail", "The request was refused.")),
        "status": response.status_code,
        "detail": str(detail) if detail else "Some fields were not accepted.",
    }
    if not detail:
        problem["fields"] = response.data
    response.data = problem
    response.content_type = "application/problem+json"
    return response
