"""Detected changes: which entries need a new version, because what stands behind them is not what it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from catalogue.models import Service, ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import instant, many, person
from monitoring.detecting import aspect_words
from monitoring.models import DetectedChange

SHOWN, PAST_SHOWN = 200, 50


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    pk: int
    service_id: int
    service: Link
    subject: str
    before: str
    after: str
    detected: SafeString
    since_version: str
    draft: Link | None
    new_version: str
    may_settle: bool
    ended: str


@dataclass(frozen=True, kw_only=True)
class DetectedPage:
    sentence: str
    waiting: tuple[ChangeRow, ...]
    more: int
    past: tuple[ChangeRow, ...]
    only: Link | None  # the one entry that is shown


def waiting_rows(services: Any, *, user: Any, moment: Moment) -> tuple[ChangeRow, ...]:
    """Changes of these entries that wait for a steward, newest first; four queries, however many."""
    found = DetectedChange.objects.waiting(moment.at).filter(service__in=services)
    return _rows(list(found.select_related("service", "job", "settled__settled_by")[: SHOWN + 1]), user, moment)


def detected_page(*, user: Any, moment: Moment, code: str = "") -> DetectedPage:
    """Every waiting change of entries that the person may see, or of one of them, and what became of the last others."""
    services = Service.objects.visible_to(user)
    one = services.filter(code=code).first() if code else None
    if one is not None:
        services = services.filter(pk=one.pk)
    waiting = waiting_rows(services, user=user, moment=moment)
    entries = len({row.service_id for row in waiting[:SHOWN]})
    standing = DetectedChange.objects.waiting(moment.at).values("pk")
    over = DetectedChange.objects.filter(service__in=services, detected_at__lte=moment.at).exclude(pk__in=standing)
    past = list(over.select_related("service", "job", "settled__settled_by")[:PAST_SHOWN])
    verb = "needs" if entries == 1 else "need"
    return DetectedPage(
        sentence=f"{many(entries, 'entry', 'entries')} {verb} a new version, or a word that none is needed."
        if entries
        else "Nothing changed that an entry does not know.",
        waiting=waiting[:SHOWN],
        more=max(0, len(waiting) - SHOWN),
        past=_rows(past, user, moment),
        only=Link(one.code, moment.href("service", one.code)) if one else None,
    )


def _rows(found: list[DetectedChange], user: Any, moment: Moment) -> tuple[ChangeRow, ...]:
    pks = {row.service_id for row in found}
    versions = {row.service_id: row for row in ServiceVersion.objects.in_force(moment.at).filter(service__in=pks)}
    drafts: dict[int, ServiceVersion] = {}
    changeable: set[int] = set()
    if not moment.past and pks:
        waiting = ServiceVersion.objects.filter(service__in=pks, state__in=("draft", "in_review")).read_by(user, at=moment.at, past=False)
        drafts = {row.service_id: row for row in waiting.select_related("service")}
        changeable = set(Service.objects.visible_to(user, "change").filter(pk__in=pks).values_list("pk", flat=True))
    return tuple(_row(row, versions.get(row.service_id), drafts.get(row.service_id), row.service_id in changeable, moment) for row in found)


def _row(row: DetectedChange, version: ServiceVersion | None, draft: ServiceVersion | None, mine: bool, moment: Moment) -> ChangeRow:
    code = row.service.code
    subject = aspect_words(row.aspect)
    return ChangeRow(
        pk=row.pk,
        service_id=row.service_id,
        service=Link(version.name if version else code, moment.href("service", code)),
        subject=f"{subject} of {row.job}" if row.job else subject,
        before=row.before or ("it could be held" if row.job is None else "–"),
        after=row.after,
        detected=instant(row.detected_at),
        since_version=f"version {version.number}" if version else "",
        draft=Link(f"version {draft.number} is {draft.get_state_display()}", moment.href("version", code, draft.number)) if draft else None,
        new_version=f"{reverse('admin:catalogue_serviceversion_add')}?service={row.service_id}" if mine and not draft else "",
        may_settle=mine,
        ended=_ended(row, version, moment),
    )


def _ended(row: DetectedChange, version: ServiceVersion | None, moment: Moment) -> str:
    settled = getattr(row, "settled", None)
    if settled is not None and settled.settled_at <= moment.at:
        return f"{person(settled.settled_by)}: no new version is needed. {settled.reason}"
    if row.undone_at is not None and row.undone_at <= moment.at:
        return "It was undone: all is as before."
    return f"Taken up by version {version.number}." if version else "The entry is no longer in force."
