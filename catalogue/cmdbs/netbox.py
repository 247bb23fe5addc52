"""NetBox over its REST API: virtual machines, devices, clusters and services; written with If-Match where it knows that.

From 4.6 on an item has an ETag, and a write with an outdated one is refused (412). An older one tells when an item was changed last:
that is read again right before the write, and the read-back afterwards tells whether both agree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from catalogue.cmdbs.base import (
    PAGE,
    Changed,
    Item,
    Kind,
    NotAnswered,
    NotThere,
    Page,
    Reject,
    Talk,
    Tested,
    at_path,
    fields_of,
    instant,
    sorted_out,
    text,
)

PATHS = {
    "device": "/api/dcim/devices/", "virtualmachine": "/api/virtualization/virtual-machines/",
    "cluster": "/api/virtualization/clusters/", "service": "/api/ipam/services/",
}  # fmt: skip
# table → (relation as it reads from the item, column, table of the other)
RELATIONS = {
    "virtualmachine": (("runs on", "device", "device"), ("runs in", "cluster", "cluster")),
    "device": (("is in", "cluster", "cluster"), ("is part of", "parent_device", "device")),
    "service": (("runs on", "device", "device"), ("runs on", "virtual_machine", "virtualmachine")),
}
RETIRED = ("decommissioning",)
COMMENT = "Written by the backup catalogue"


class NetBox(Kind):
    kind = "netbox"
    label = "NetBox"
    tested: Tested = "documented"
    tables = ("cluster", "device", "virtualmachine", "service")
    needs = (("token",),)
    webhooks = True
    columns = {
        "entry": "custom_fields.backup_entry", "owner": "custom_fields.backup_owner", "team": "custom_fields.backup_team",
        "rpo_s": "custom_fields.backup_rpo_s", "jobs": "custom_fields.backup_jobs", "schedule": "custom_fields.backup_schedule",
        "store": "custom_fields.backup_store", "status": "custom_fields.backup_status",
    }  # fmt: skip

    def page(self, talk: Talk, table: str, *, after: str, since: dt.datetime | None) -> Page:
        """The next items by number: rows that come or go meanwhile shift nothing."""
        query: dict[str, Any] = {"limit": PAGE, "ordering": "id", "id__gt": after or 0}
        if since is not None:
            query["last_updated__gte"] = f"{since.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
        _, told, _ = talk.ask("GET", PATHS[table], query=query, headers=_sign(talk))
        rows = told.get("results") if isinstance(told, Mapping) else None
        if not isinstance(rows, list):
            raise NotAnswered(f"The answer of {PATHS[table]} has no list of results. Check that the address is NetBox's.")
        found = list(sorted_out(table, rows, lambda row: _item(talk, table, row)))
        numbers = [row["id"] for row in rows if isinstance(row, Mapping) and isinstance(row.get("id"), int)]
        goes_on = bool(told.get("next")) and bool(numbers)
        if told.get("next") and not numbers:
            raise NotAnswered(f"A page of {PATHS[table]} has no number to go on from. It is tried again.")
        return Page(
            items=[one for one in found if isinstance(one, Item)], rejects=[one for one in found if isinstance(one, Reject)],
            after=str(max(numbers)) if goes_on else None,
        )  # fmt: skip

    def read(self, talk: Talk, table: str, external_id: str) -> Item:
        status, told, headers = talk.ask("GET", f"{PATHS[table]}{external_id}/", headers=_sign(talk), fine=(404,))
        if status == 404:
            raise NotThere(f"There is no {table} {external_id} any more. Reading in full takes it away here, too.")
        item = _item(talk, table, told) if isinstance(told, Mapping) else "is no object"
        if isinstance(item, str):
            raise NotAnswered(f"The record {item}.")
        item.lock = headers.get("etag", "") or f"changed {told.get('last_updated')}"
        return item

    def write(self, talk: Talk, item: Item, columns: Mapping[str, Any]) -> None:
        body: dict[str, Any] = {"changelog_message": COMMENT}
        for column, value in columns.items():
            outer, dot, inner = column.partition(".")
            if dot:
                body.setdefault(outer, {})[inner] = value
            else:
                body[outer] = value
        headers = _sign(talk)
        if not item.lock.startswith("changed "):
            headers["If-Match"] = item.lock
        elif self.read(talk, item.table, item.external_id).lock != item.lock:
            raise Changed
        status, _, _ = talk.ask("PATCH", f"{PATHS[item.table]}{item.external_id}/", body=body, headers=headers, fine=(412,))
        if status == 412:
            raise Changed

    def told_of(self, told: Mapping[str, Any]) -> tuple[str, str] | None:
        table = text(told.get("object_type") or told.get("model")).rpartition(".")[2]
        number = told["data"].get("id") if isinstance(told.get("data"), Mapping) else None
        return (table, str(number)) if table in PATHS and isinstance(number, int) else None


def _sign(talk: Talk) -> dict[str, str]:
    token = talk.source.secrets.get("token", "")
    return {"Authorization": f"{'Bearer' if token.startswith('nbt_') else 'Token'} {token}"}


def _item(talk: Talk, table: str, row: Mapping[str, Any]) -> Item | str:
    number = row.get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        return "has no number"
    name = text(row.get("name") or row.get("display"))
    if not name:
        return "has neither a name nor a display name"
    _, state = at_path(row, "status")
    own = talk.source.address.rstrip("/")
    page = text(row.get("display_url"), 500)
    page = page if page.startswith(f"{own}/") else f"{own}{PATHS[table].removeprefix('/api')}{number}/"  # no link that leads elsewhere
    return Item(
        table=table, external_id=str(number), name=name, state=text(state, 80), retired=state in RETIRED, address=page,
        fields=fields_of(row, talk.source.columns), changed_at=instant(row.get("last_updated")), relations=_relations(table, row),
    )  # fmt: skip


def _relations(table: str, row: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    found = [
        (kind, other, str(told["id"]))
        for kind, column, other in RELATIONS.get(table, ())
        if isinstance(told := row.get(column), Mapping) and isinstance(told.get("id"), int)
    ]
    parent = text(row.get("parent_object_type")).rpartition(".")[2]  # services, from 4.3 on
    if parent in PATHS and isinstance(row.get("parent_object_id"), int):
        found.append(("runs on", parent, str(row["parent_object_id"])))
    return tuple(dict.fromkeys(found))
