"""Tools, jobs, schedules and rules, as an estate file states them."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from catalogue.declaring import Declared
from catalogue.models import Service
from itsm_backup.estate import amounts
from itsm_backup.estate.reading import Place
from itsm_backup.estate.schema import CONDITION_FIELDS, CONDITION_OPERATORS
from monitoring import declaring
from monitoring.models import BackupJob, Tool

if TYPE_CHECKING:
    from itsm_backup.estate.loading import Loading

LABELS = {
    "poll_interval_s": "asked every",
    "zone": "time zone",
    "rrule": "recurrence",
    "local_times": "at",
    "grace_s": "grace",
    "early_tolerance_s": "early by up to",
    "profile": "exit codes read as",
    "ping_key": "ping key",
}


def declare_monitoring(loading: Loading) -> None:
    """Everything of the monitoring that the file names, by the monitoring administrator."""
    said = {"by": loading.monitoring_admin, "at": loading.at, "reason": loading.reason}
    for section, act in (("tools", _tool), ("jobs", _job), ("attribution_rules", _rule), ("cause_rules", _cause_rule)):
        for place, wish in loading.each(section):
            with loading.item(place):
                act(loading, place, wish, said)


def _tool(loading: Loading, place: Place, wish: dict[str, Any], said: dict[str, Any]) -> None:
    wanted: dict[str, Any] = {name: wish[name] for name in ("label", "zone", "enabled", "replayed", "ping_key") if name in wish}
    if "poll_every" in wish:
        wanted["poll_interval_s"] = amounts.seconds(wish["poll_every"])
    if "settings" in wish:
        wanted["settings"] = {name: _as_text(value) for name, value in wish["settings"].items()}
    if "secrets" in wish:
        wanted["secrets"] = {name: _secret(loading.estate.path, reference) for name, reference in wish["secrets"].items()}
    if not Tool.objects.filter(name=wish["name"]).exists():
        wanted = {"zone": settings.TIME_ZONE, **wanted}
    declared = declaring.declare_tool(**said, name=wish["name"], kind=wish["kind"], **wanted)
    loading.tell(f"tool {wish['name']} ({wish['kind']})", declared, LABELS)


def _as_text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _secret(file: Path, reference: str) -> str:
    """The secret that `env:NAME` or `file:PATH` points to; raises ValueError naming the place, never the content."""
    kind, _, where = reference.partition(":")
    if kind == "env":
        found = os.environ.get(where, "")
        if not found:
            raise ValueError(f"{where} is not set in the environment. Set it and load again.")
        return found
    try:
        found = (file.parent / where).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{where} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{where} is no text in UTF-8.") from None
    if not found:
        raise ValueError(f"{where} is empty.")
    return found


def _job(loading: Loading, place: Place, wish: dict[str, Any], said: dict[str, Any]) -> None:
    (tool,) = loading.find(Tool, "tools", wish["tool"])
    title = f"job {wish['id']} of {tool.name}"
    wanted = {name: wish[name] for name in ("name", "profile") if name in wish}
    declared = declaring.declare_job(tool=tool, external_id=wish["id"], at=loading.at, **wanted)
    job: BackupJob = declared.row
    told = {name: change for name, change in declared.changed.items() if name != "declared" or not declared.made}
    loading.tell(title, Declared(job, declared.made, told), LABELS)
    if "service" in wish:
        conditions = [("external_id", "equals", job.external_id)]
        name = f"{tool.name}: {job.external_id}"[:120]
        (service,) = loading.find(Service, "services", wish["service"])
        rule = declaring.declare_rule(**said, approver=loading.approver, name=name, service=service, tool=tool, conditions=conditions)
        loading.tell(f"attribution rule {name}", rule, LABELS)
    if "schedule" in wish:
        _schedule(loading, title, job, wish["schedule"], said)
    if not (declared.made and loading.dry_run):
        loading.notes.append(f"Ping address of {title}: {settings.BASE_URL}/ping/{job.ping_uuid}")


def _schedule(loading: Loading, title: str, job: BackupJob, wish: dict[str, Any], said: dict[str, Any]) -> None:
    wanted: dict[str, Any] = {name: wish[name] for name in ("rrule", "zone") if name in wish}
    if "at" in wish:
        wanted["local_times"] = ", ".join([wish["at"]] if isinstance(wish["at"], str) else sorted(wish["at"]))
    for name, field in (("grace", "grace_s"), ("early", "early_tolerance_s")):
        if name in wish:
            wanted[field] = amounts.seconds(wish[name])
    if "starts_on" in wish:
        wanted["starts_on"] = dt.date.fromisoformat(wish["starts_on"])
    if not hasattr(job, "schedule"):
        wanted = {"rrule": "FREQ=DAILY", "local_times": "", "zone": job.tool.zone, **wanted}
    loading.tell(f"schedule of {title}", declaring.declare_schedule(**said, job=job, **wanted), LABELS)


def _rule(loading: Loading, place: Place, wish: dict[str, Any], said: dict[str, Any]) -> None:
    conditions = [
        (CONDITION_FIELDS[each["field"]], CONDITION_OPERATORS[name], each[name])
        for each in wish.get("conditions", [])
        for name in each.keys() - {"field"}
    ]
    if not conditions and "tool" not in wish:
        raise ValueError("The rule needs a tool, conditions, or both: without them it matches nothing.")
    wanted = {name: wish[name] for name in ("position", "enabled") if name in wish}
    tool = loading.find(Tool, "tools", wish["tool"])[0] if "tool" in wish else None
    (service,) = loading.find(Service, "services", wish["service"])
    said = {**said, "approver": loading.approver}
    declared = declaring.declare_rule(**said, name=wish["name"], service=service, tool=tool, conditions=conditions, **wanted)
    loading.tell(f"attribution rule {wish['name']}", declared, LABELS)


def _cause_rule(loading: Loading, place: Place, wish: dict[str, Any], said: dict[str, Any]) -> None:
    wanted = {name: wish[name] for name in ("title", "pattern", "component", "position", "enabled") if name in wish}
    said = {**said, "approver": loading.approver}
    loading.tell(f"cause rule {wish['name']}", declaring.declare_cause_rule(**said, name=wish["name"], **wanted), LABELS)
