"""The parts of a copy scheme, and the places where copies lie with what people said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import clock, instant, many, person
from monitoring.placing import Part, Place

ANSWERS = {True: ("kept", "Yes"), False: ("broken", "No"), None: ("no_data", "Not known")}
OFFSITE, OFFLINE = {True: "off-site", False: "on the same site"}, {True: "offline", False: "online"}


@dataclass(frozen=True, kw_only=True)
class PartRow:
    name: str
    asked: str
    verdict: str
    words: str
    told: str
    run: str  # address of the check that it rests on


@dataclass(frozen=True, kw_only=True)
class PlaceRow:
    name: str
    newest: SafeString | str
    said: str
    by: SafeString | str
    declare: Link | None


def part_row(part: Part, moment: Moment) -> PartRow:
    verdict, words = ANSWERS[part.answer]
    run = moment.href("run", part.run) if part.run else ""
    return PartRow(name=part.name, asked=part.asked, verdict=verdict, words=words, told=part.told, run=run)


def place_row(place: Place, user: Any, moment: Moment) -> PlaceRow:
    said = place.declared
    told = (
        [said.get_medium_display(), said.site, OFFSITE.get(said.is_offsite, ""), OFFLINE.get(said.is_offline, ""), _lock(said)]
        if said
        else []
    )
    newest = clock(place.newest_at, moment) if place.written and place.newest_at else "Seen by no tool" if not place.written else "None"
    who = person(said.history_user) if said and said.history_user else "The product"
    return PlaceRow(
        name=place.words, newest=newest, said=", ".join(filter(None, told)), declare=_declare(place, user, moment),
        by=format_html("{}, {}", who, instant(said.history_date)) if said else "",
    )  # fmt: skip


def _lock(said: Any) -> str:
    return "" if said.lock_days is None else f"locked for {many(said.lock_days, 'day')}" if said.lock_days else "not locked"


def _declare(place: Place, user: Any, moment: Moment) -> Link | None:
    """Where the person may say more of it, in the administration."""
    if moment.past or not user.is_staff or not user.has_perm(f"monitoring.{'change' if place.declared else 'add'}_repository"):
        return None
    if place.declared:
        return Link("Change", reverse("admin:monitoring_repository_change", args=[place.declared.id]))
    return Link("Declare", reverse("admin:monitoring_repository_add") + "?" + urlencode({"tool": place.tool, "name": place.name}))
