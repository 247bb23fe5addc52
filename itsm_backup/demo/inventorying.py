"""The demo's CMDB: a NetBox whose answers are made, read through the real connector, its machines linked to entries by a steward."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from django.contrib.auth import get_user_model

from catalogue import declaring, inventorying, linking
from catalogue.models import Cmdb, ConfigurationItem, ItemLink, Service
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.http.client import Answer, Client
from itsm_backup.demo.world import estate
from itsm_backup.estate import amounts
from monitoring import reconciling

INVENTORY = Path(__file__).with_name("inventory.yaml")
NAME, ADDRESS, TABLE = "netbox-northmoor", "https://netbox.northmoor.example", "/api/virtualization/virtual-machines/"
COLUMNS = {name: f"custom_fields.backup_{name}" for name in ("entry", "owner", "team", "rpo_s", "jobs")}
LAST_UPDATED = "2026-06-02T08:31:47.540911Z"
REASON = "NetBox is read, so that catalogue, CMDB and monitoring can be compared."


@lru_cache(maxsize=1)
def inventory() -> list[dict[str, Any]]:
    return yaml.safe_load(INVENTORY.read_text())


def describe(*, at: dt.datetime) -> None:
    """Declare the CMDB once, read it, link its machines to their entries, and compare. The same again changes nothing."""
    people = {person.username: person for person in get_user_model().objects.filter(username__in=("steward", "monitoring-admin"))}
    row = Cmdb.objects.filter(name=NAME).first() or Cmdb(name=NAME)
    wanted = {
        "label": "NetBox (made answers)", "kind": "netbox", "address": ADDRESS, "tables": ["virtualmachine"], "columns": COLUMNS,
        "poll_interval_s": 3_600, "replayed": True,
    }  # fmt: skip
    declaring.declare(row, wanted, by=people["monitoring-admin"], reason=REASON)
    read(at=at)
    items = {item.name: item for item in ConfigurationItem.objects.filter(cmdb=row, link=None)}
    for wish in inventory():
        if wish["name"] in items and "service" in wish and wish.get("linked", True):
            service = Service.objects.get(code=wish["service"])
            linking.link(item=items[wish["name"]], service=service, by=people["steward"], at=at, reason="The CMDB says so itself.")
    while reconciling.compare_due(at=at) >= reconciling.AT_ONCE:
        pass


def read(*, at: dt.datetime) -> bool:
    """Read the demo's CMDB if it is due; returns whether it was."""
    row = Cmdb.objects.filter(name=NAME, replayed=True).first()
    if row is None or inventorying.begin(cmdb=row, at=at).next_read_at > at:
        return False
    inventorying.read(cmdb=row, at=at, client=Recorded())
    reconciling.touch(service_ids=ItemLink.objects.filter(item__cmdb=row).values("service"), at=at)
    return True


class Recorded(Client):
    """Answers as NetBox documents its lists; nothing leaves."""

    def __init__(self) -> None:
        super().__init__(allowed=Allowed(""))

    def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        asked = urlsplit(url)
        after = int(parse_qs(asked.query).get("id__gt", ["0"])[0])
        rows = [machine(wish) for wish in inventory() if wish["id"] > after] if asked.path == TABLE else []
        listed = {"count": len(rows), "next": None, "previous": None, "results": rows}
        return Answer(status=200, body=json.dumps(listed).encode(), headers={"content-type": "application/json"})


def machine(wish: Mapping[str, Any]) -> dict[str, Any]:
    """A machine as NetBox tells it: what its entry said when it was declared, and what somebody wrote there otherwise."""
    status = wish.get("status", "active")
    empty = dict.fromkeys(column.partition(".")[2] for column in COLUMNS.values())
    return {
        "id": wish["id"], "url": f"{ADDRESS}{TABLE}{wish['id']}/", "name": wish["name"], "display": wish["name"],
        "status": {"value": status, "label": status.capitalize()}, "last_updated": LAST_UPDATED,
        "custom_fields": {**empty, **_declared(wish.get("service")), **wish.get("says", {})},
    }  # fmt: skip


def _declared(code: str | None) -> dict[str, Any]:
    wish = next((one for one in estate()["services"] if one["code"] == code), None)
    if wish is None:
        return {}
    names = {person["username"]: person["name"] for person in estate()["users"]}
    jobs = ", ".join(job["id"] for job in estate()["jobs"] if job["service"] == code)
    return {
        "backup_entry": code, "backup_owner": names.get(wish.get("owner", "")), "backup_team": wish.get("operations_team"),
        "backup_rpo_s": amounts.seconds(wish["commitments"]["rpo"]), "backup_jobs": jobs,
    }  # fmt: skip
