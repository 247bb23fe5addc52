"""The scope register and the mappings of tools, as an estate file states them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings

from catalogue import scoping
from catalogue.declaring import Declared
from catalogue.models import ScopeDecision, ScopeLine, Service
from itsm_backup.estate import amounts
from monitoring import scoping as discovered
from monitoring import translating
from monitoring.models import BackupJob, Tool

if TYPE_CHECKING:
    from itsm_backup.estate.loading import Loading

LABELS = {"review_on": "next review", "outcome": "decision"}
_COMPARED = ("outcome", "entry", "hosting", "provider", "answers", "review_on")


def declare_scope(loading: Loading) -> None:
    """Every backup service that the file decides on, by the steward; a decision that differs from the one that holds is a new one."""
    said = {"by": loading.steward, "at": loading.at, "reason": loading.reason}
    for place, wish in loading.each("scope"):
        with loading.item(place):
            line = _decided(loading, wish, said)
            for where in wish.get("repositories", ()):
                (tool,) = loading.find(Tool, "tools", where["tool"])
                _claimed(loading, line, tool, {"repository_name": where["repository"]}, said)
            for where in wish.get("jobs", ()):
                (tool,) = loading.find(Tool, "tools", where["tool"])
                job = BackupJob.objects.filter(tool=tool, external_id=where["id"]).first()
                if job is None:
                    raise ValueError(f"{tool.name} has no job {where['id']}. Declare it under jobs, or correct the id.")
                _claimed(loading, line, tool, {"job": job}, said)


def declare_mappings(loading: Loading) -> None:
    """Each tool's mapping, by the monitoring administrator; versions approved by the approver."""
    for place, wish in loading.each("mappings"):
        with loading.item(place):
            (tool,) = loading.find(Tool, "tools", wish["tool"])
            rows = [{"transform": "value", **row} for row in wish["attributes"]]
            said = {"by": loading.monitoring_admin, "approver": loading.approver, "at": loading.at, "reason": loading.reason}
            declared = translating.declare_mapping(tool=tool, rows=rows, **said)
            loading.tell(f"mapping of {tool.name}, version {declared.row.number}", declared, LABELS)


def _decided(loading: Loading, wish: dict[str, Any], said: dict[str, Any]) -> ScopeLine:
    line = ScopeLine.objects.filter(name=wish["name"]).first()
    held = line.decisions.order_by("-decided_at").select_related("entry").first() if line else None
    entry = loading.find(Service, "services", wish["entry"])[0] if "entry" in wish else None
    wanted = {
        "outcome": wish["decision"], "entry": entry, "hosting": wish.get("hosting", "on_premises"), "provider": wish.get("provider", ""),
        "answers": {name: _answer(wish.get("answers", {}).get(name)) for name in scoping.QUESTIONS}, "review_on": _day(wish["review"]),
    }  # fmt: skip
    changed = {name: (getattr(held, name) if held else None, wanted[name]) for name in _COMPARED}
    changed = {name: sides for name, sides in changed.items() if held is None or sides[0] != sides[1]}
    if held is not None and not changed:
        return held.line
    said = {**said, "reason": wish["reason"]}
    if line is None:
        made: ScopeDecision = scoping.decide_new(name=wish["name"], **wanted, **said)
    else:
        made = scoping.decide_scope(line=line, **wanted, **said)
    loading.tell(f"scope of {wish['name']}", Declared(made, held is None, changed), LABELS)
    return made.line


def _answer(given: Any) -> str:
    return {True: "yes", False: "no", None: "unknown"}.get(given, str(given))


def _day(text: str) -> dt.date:
    return amounts.instant(text, settings.TIME_ZONE).astimezone(ZoneInfo(settings.TIME_ZONE)).date()


def _claimed(loading: Loading, line: ScopeLine, tool: Tool, where: dict[str, Any], said: dict[str, Any]) -> None:
    declared = discovered.declare_claim(line=line, tool=tool, where=where, **said)
    loading.tell(f"part of {line}: {declared.row}", declared, LABELS)
