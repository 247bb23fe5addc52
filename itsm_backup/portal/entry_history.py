"""Everything that was done to one entry, over all of its parts, in one order: who, what, when, why, and the way to the difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from catalogue import chronicle
from catalogue.models import Service
from catalogue.wording import Told
from itsm_backup.portal import leaving_out
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_list import Choice, Paging, paging_of
from itsm_backup.portal.version_pages import find_service
from itsm_backup.portal.views import page_number, reads, show
from itsm_backup.portal.words import instant, many
from monitoring.naming import plain_for, tells_of

PAGE, MOST_CHANGES = 50, 6


@dataclass(frozen=True, kw_only=True)
class EventRow:
    when: SafeString
    part: str
    what: str
    who: str
    why: str
    changes: tuple[Told, ...]
    more: int  # changes that are left out here and stand behind the link
    href: str
    admin_href: str


@dataclass(frozen=True, kw_only=True)
class EntryHistoryPage:
    code: str
    name: str
    sentence: str
    rows: tuple[EventRow, ...]
    parts: tuple[Choice, ...]
    part: str
    paging: Paging


@reads
def entry_history(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    service = find_service(code=code, user=request.user)
    if service is None:
        raise Http404(code)
    part = request.GET.get("part", "")
    page = history_page(service=service, user=request.user, moment=moment, part=part, page=page_number(request))
    return show(request, "entry_history", section="services", moment=moment, page=page)


def history_page(*, service: Service, user: Any, moment: Moment, part: str, page: int) -> EntryHistoryPage:
    """One page of it, newest first; as many questions for a long history as for a short one."""
    asked = chronicle.Asked(service=service, user=user, at=moment.at, past=moment.past)
    words = {source.part: source.words for source in chronicle.sources}
    part = part if part in words else ""
    rows = chronicle.rows_of(asked, part=part)
    total = rows.count()
    first = PAGE * (max(1, page) - 1) if PAGE * (max(1, page) - 1) < total else 0
    asked_of = Service.objects.with_words().filter(pk=service.pk).annotate(told=ExpressionWrapper(tells_of(user), BooleanField()))
    name, told = asked_of.values_list("words", "told").get()
    plain = plain_for(user, service=service.pk, name=name or service.code, may_change=told)
    found = [leaving_out.from_event(one, plain) for one in chronicle.events(asked, rows[first : first + PAGE])]
    return EntryHistoryPage(
        code=service.code,
        name=name or service.code,
        sentence=_sentence(total, words.get(part, ""), moment),
        rows=tuple(_row(one, words, user, moment) for one in found),
        parts=tuple(Choice(value=key, words=said, chosen=key == part) for key, said in words.items()),
        part=part,
        paging=paging_of(first, len(found), total, PAGE, lambda number: moment.href("entry_history", service.code, part=part, page=number)),
    )


def _sentence(total: int, part: str, moment: Moment) -> str:
    of = f" in “{part}”" if part else ""
    until = " by then" if moment.past else ""
    return f"{many(total, 'thing')} {'was' if total == 1 else 'were'} done to it{until}{of}."


def _row(event: chronicle.Event, words: dict[str, str], user: Any, moment: Moment) -> EventRow:
    return EventRow(
        when=instant(event.at),
        part=words[event.part],
        what=event.what,
        who=event.who,
        why=event.why,
        changes=event.changes[:MOST_CHANGES],
        more=max(0, len(event.changes) - MOST_CHANGES),
        href=moment.href(event.page, *event.args) if event.page else "",
        admin_href=_field_by_field(event, user, moment),
    )


def _field_by_field(event: chronicle.Event, user: Any, moment: Moment) -> str:
    """The history of the row in the administration, for who works there; of the past nothing is shown there."""
    if moment.past or event.record is None or not user.is_staff:
        return ""
    model, pk = event.record
    if model not in admin.site._registry or not user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"):
        return ""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_history", args=[pk])
