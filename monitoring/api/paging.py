"""Paging for lists that grow without end: by position in time, never by counting."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination

from itsm_backup.common.time import parse_instant


class NewestFirst(CursorPagination):
    """Newest rows first; `next` and `previous` are addresses to follow as they are."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    invalid_cursor_message = "This cursor is not one of ours. Follow `next` and `previous` as they were given."

    @classmethod
    def by(cls, field: str) -> type[NewestFirst]:
        """Paging along this instant."""
        return type(f"NewestFirstBy{field}", (cls,), {"ordering": (f"-{field}", "-id")})

    def decode_cursor(self, request: Any) -> Any:
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                cursor = cursor._replace(position=str(parse_instant(cursor.position)))  # in UTC: PostgreSQL knows no odd zones
        except (ValueError, OverflowError):
            raise NotFound(self.invalid_cursor_message) from None
        return cursor
