"""The admin site: one sign-in with the portal, an index by what people do here, refusals told and logged."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from itsm_backup.common.admin.reasons import delete_selected
from itsm_backup.common.admin.rights import LoggedAdmin, log_refusal

GROUP_NAMES = {"auth": "Who may do what", "admin": "What was done", "common": "What was sent"}


class Site(admin.AdminSite):
    site_header = site_title = index_title = "Administration"
    site_url = "/"
    empty_value_display = "–"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._actions = {"delete_selected": delete_selected}
        self._global_actions = self._actions.copy()

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only our own doors open here: those of other packages ask for no reason and know no rights on single rows."""
        if admin_class is not None and issubclass(admin_class, LoggedAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def admin_view(self, view: Callable[..., HttpResponse], cacheable: bool = False) -> Callable[..., HttpResponse]:
        def told(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except PermissionDenied as error:
                log_refusal(request, action=request.method or "", what=_what(request))
                return self.refused(request, str(error))

        guarded = super().admin_view(told, cacheable)

        @wraps(guarded)
        def entering(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            leaving = request.path == reverse("admin:logout")
            if request.user.is_authenticated and not self.has_permission(request) and not leaving:
                return self._no_entry(request, request.get_full_path())  # at once: what is sent on to a sign-in is not on record
            return guarded(request, *args, **kwargs)

        return entering

    def refused(self, request: HttpRequest, why: str = "") -> HttpResponse:
        """The page that says what was refused and who can help."""
        context = {**self.each_context(request), "title": "You may not do this", "why": why, "has_permission": self.has_permission(request)}
        return TemplateResponse(request, "admin/refused.html", context, status=403)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The portal's own sign-in (second factor included), then back; who is signed in without rights here is told so."""
        wanted = request.GET.get("next") or reverse("admin:index")
        if self.has_permission(request):
            return redirect(reverse("admin:index"))
        if request.user.is_authenticated:
            return self._no_entry(request, wanted)
        return redirect_to_login(wanted, reverse(settings.LOGIN_URL))

    def _no_entry(self, request: HttpRequest, wanted: str) -> HttpResponse:
        log_refusal(request, action="enter", what=wanted)
        return self.refused(request, "Your account has no duties in the administration.")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("account_change_password")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Groups in the order of the floors, what serves all of them last; in each, what is asked for most stands first."""
        found = self._build_app_dict(request, app_label)
        order = [config.label for config in apps.get_app_configs()]
        groups = sorted(found.values(), key=lambda group: (group["app_label"] in GROUP_NAMES, order.index(group["app_label"])))
        for group in groups:
            group["models"].sort(key=lambda entry: getattr(self._registry[entry["model"]], "place", 50))
            group["name"] = GROUP_NAMES.get(group["app_label"], group["name"])
            for entry in group["models"]:
                door = self._registry[entry["model"]]
                entry["name"], entry["door"] = getattr(door, "heading", "") or entry["name"], door
        return groups

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        groups = self.get_app_list(request)
        doors = [entry["door"] for group in groups for entry in group["models"]]
        for group in groups:
            for entry in group["models"]:
                entry["note"] = entry["door"].note(request) if hasattr(entry["door"], "note") else ""
        waiting = [item for door in doors if hasattr(door, "waiting_for") for item in door.waiting_for(request)]
        return super().index(request, {**(extra_context or {}), "app_list": groups, "waiting": waiting})


def _what(request: HttpRequest) -> str:
    """The page that was asked for, with the number of its row: `monitoring_tool_delete:36`."""
    match = request.resolver_match
    return ":".join([match.url_name or "", *map(str, match.kwargs.values())]) if match else request.path
