"""What a token may do, and what a person may do: not to be seen is 404, to be seen but not touched names who can."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated

from catalogue import duties
from monitoring.models import ApiToken


class ScopeAllows(IsAuthenticated):
    """Signed in, and with a token whose scope covers the call. Views that take runs say `takes_runs = True`."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        token = request.auth
        if not isinstance(token, ApiToken) or token.scope == ApiToken.Scope.WRITE:
            return True
        needed = "read" if request.method in SAFE_METHODS else "ingest" if getattr(view, "takes_runs", False) else "write"
        if token.scope == needed:
            return True
        self.message = (
            f"This token has the scope {token.scope}; this call needs {needed}. Make another one with: manage.py token --scope {needed}"
        )
        return False


def get_for(rows: QuerySet, *, user: Any, action: str = "view", **lookup: Any) -> Any:
    """The one row of the lookup on which the user may do `action`.

    Raises NotFound when there is none that the user may see, PermissionDenied with the names of who may otherwise.
    """
    holds_nul = any("\x00" in str(value) for value in lookup.values())  # PostgreSQL knows no such text
    row = None if holds_nul else rows.visible_to(user, "view").filter(**lookup).first()  # type: ignore[attr-defined]
    if row is None:
        raise NotFound(
            f"There is no {rows.model._meta.verbose_name} {', '.join(str(value)[:80] for value in lookup.values())} that you may see."
        )
    if action != "view" and not rows.visible_to(user, action).filter(pk=row.pk).exists():  # type: ignore[attr-defined]
        able = duties.names(duties.who_may(action, row))
        told = f"Ask {able}." if able else "At present nobody but a superuser may."
        raise PermissionDenied(f"You may see {row}, but not {action} it. {told}")
    return row
