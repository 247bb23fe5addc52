"""What stands beside the forms of rows that belong to an entry: where the portal shows it, and how the entry stands at this moment."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html

from catalogue import checking
from catalogue.admin.entries import Fact, measured_of, shown_facts
from catalogue.models import Service
from itsm_backup.common.admin.rights import told
from itsm_backup.common.time import now


def stands(service: Service) -> Fact:
    """How one of several entries on a form stands: its code and name, and its status."""
    status = getattr(service, "status", None)
    words = status.get_status_display() if status else "not known yet"
    named = told(Service.objects.with_words().get(pk=service.pk))
    return named, format_html('<b class="status status--{}">{}</b>', status.status if status else "unknown", words)


def promise_of(service: Service, reader: Any) -> dict[str, Any]:
    """The check list of what is in force, as the pages of a version show it; empty where nothing is in force."""
    at = now()
    version = service.version_at(at)
    if version is None:
        return {}
    asked = checking.question_of(version, reader=reader)
    promised = any(value not in (None, "") for value in asked.promise.values()) or bool(asked.offerings)
    return {"findings": checking.findings(asked=asked, measured=measured_of(service, at), at=at), "promised": promised}


class BesideEntry:
    """A door to rows that belong to one entry. `portal_page` shows them; `with_checks` adds what of its promise does not hold."""

    portal_page: tuple[str, ...] = ("portal:service", "service.code")
    with_checks = False

    def entry_of(self, request: HttpRequest, row: Any) -> Service | None:
        """The entry of the row, or for a new one that which the address names, if the person may see it."""
        if row is not None:
            return row.service
        named = request.GET.get("service", "")
        return Service.objects.visible_to(request.user).filter(pk=named).first() if named.isdecimal() else None

    def _choices(self, db_field: Any, request: HttpRequest, offered: Any) -> Any:
        """The entry that the address names is the one that stands beside the form, so it is the one to choose."""
        narrowed = super()._choices(db_field, request, offered)  # type: ignore[misc]
        named = request.GET.get("service", "") if db_field.name == "service" else ""
        return narrowed.filter(pk=named) if named.isdecimal() else narrowed

    def facts_beside(self, request: HttpRequest, row: Any) -> list[Fact]:
        service = self.entry_of(request, row)
        return shown_facts(service) if service else []

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any) -> Any:
        service = self.entry_of(request, obj) if self.with_checks else None
        if service is not None:
            context = {**promise_of(service, request.user), **context}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[misc]
