"""Saved filters: the way in which somebody looks at a list of the admin, kept under a name, for oneself or for everybody."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import path, reverse

from itsm_backup.common.http.typed import typed
from itsm_backup.common.models import SavedFilter

_PASSING = ("p", "e", "all", "_popup", "_to_field")  # a page, an error: nothing to keep
MOST = 1_000


class SavingAdmin(admin.ModelAdmin):
    """A list whose filters, search and order can be kept. A filter gives no right: it only narrows what the person may see anyway."""

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_filters"
        view = self.admin_site.admin_view
        return [path("filters/save/", view(self.save_filter), name=f"{name}_save"),
                path("filters/<int:pk>/forget/", view(self.forget_filter), name=f"{name}_forget"), *super().get_urls()]  # fmt: skip

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), **self._filters(request)})

    def _filters(self, request: HttpRequest) -> dict[str, Any]:
        here = asked(request.GET)
        saved = [
            {
                "row": row,
                "href": f"?{row.query}",
                "here": row.query == here,
                "mine": row.owner_id == request.user.pk,
                "forget": f"{self._list_url()}filters/{row.pk}/forget/",
            }
            for row in SavedFilter.objects.filter(Q(owner=request.user) | Q(shared=True), list=self.opts.label_lower).select_related(
                "owner"
            )
        ]
        return {
            "saved_filters": saved,
            "save_url": f"{self._list_url()}filters/save/",
            "asked": here,
            "kept_already": any(each["here"] for each in saved),
        }

    def save_filter(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied("You may not see this list.")
        query = asked(QueryDict(typed(request, "query", most=MOST)))
        name = typed(request, "name", most=60)
        if not name or not query:
            messages.error(request, "Give the filter a name, and filter, search or order the list first.")
        else:
            shared = request.POST.get("shared") == "yes"
            SavedFilter.objects.update_or_create(
                list=self.opts.label_lower, owner=request.user, name=name, defaults={"query": query, "shared": shared}
            )
            messages.success(request, f"“{name}” is kept{' for everybody who works with this list' if shared else ''}.")
        return HttpResponseRedirect(f"{self._list_url()}?{query}")

    def forget_filter(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = SavedFilter.objects.filter(pk=pk, list=self.opts.label_lower).filter(Q(owner=request.user) | Q(shared=True)).first()
        if row is None:
            raise Http404(str(pk))
        if request.method != "POST" or row.owner_id != request.user.pk:
            raise PermissionDenied(f"{row.owner.get_full_name() or row.owner} keeps this filter and can take it away.")
        row.delete()
        messages.success(request, f"“{row.name}” is forgotten.")
        return HttpResponseRedirect(self._list_url())

    def _list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


def asked(query: QueryDict) -> str:
    """What narrows and orders the list, written the same way whatever order it came in."""
    return urlencode(sorted((name, value) for name, values in query.lists() if name not in _PASSING for value in values if value))
