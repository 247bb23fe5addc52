"""What the product asks of NetBox, over the reference server; the same against a real one with tests/against_netbox.py.

It makes what it needs in NetBox through its API, under names of its own, and takes it away again.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from catalogue.cmdbs.base import Changed, NotAnswered, NotThere, Source, Talk
from catalogue.cmdbs.netbox import NetBox
from itsm_backup.common.http.client import Client
from tests.netbox import TOKEN, NetBoxServer
from tests.toolserver import tool_server

VMS, CLUSTERS, TYPES = "/api/virtualization/virtual-machines/", "/api/virtualization/clusters/", "/api/virtualization/cluster-types/"
FIELDS = "/api/extras/custom-fields/"
COLUMNS = {"owner": "custom_fields.backup_owner", "jobs": "custom_fields.backup_jobs", "status": "custom_fields.backup_status"}
REAL = os.environ.get("NETBOX_URL", "")


class There:
    """A NetBox to try things on, and the hands of somebody who works in it."""

    def __init__(self, address: str, token: str) -> None:
        self.address, self.made = address, []
        source = Source(address=address, account="", secrets={"token": token}, columns=COLUMNS)
        self.client = Client(timeout_s=20.0, most_bytes=16_000_000)
        self.talk, self.netbox = Talk(source=source, client=self.client), NetBox()
        self.mark = uuid.uuid4().hex[:8]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        from catalogue.cmdbs.netbox import _sign

        return self.talk.ask(method, path, body=body, headers=_sign(self.talk))[1]

    def make(self, path: str, **told: Any) -> SimpleNamespace:
        row = self.ask("POST", path, told)
        self.made.append(f"{path}{row['id']}/")
        return SimpleNamespace(**row)

    def fields(self) -> None:
        known = {row["name"] for row in self.ask("GET", f"{FIELDS}?limit=1000")["results"]}
        for column in COLUMNS.values():
            name = column.partition(".")[2]
            if name not in known:
                self.make(FIELDS, name=name, type="text", object_types=["virtualization.virtualmachine"])

    def all(self, table: str, **how: Any) -> list[Any]:
        found, after = [], ""
        while after is not None:
            page = self.netbox.page(self.talk, table, after=after, since=how.get("since"))
            found, after = found + page.items, page.after
        return found


@pytest.fixture
def there():
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(tool_server(NetBoxServer())) if not REAL else None
        one = There(server.address if server else REAL, TOKEN if server else os.environ["NETBOX_TOKEN"])
        stack.enter_context(one.client)
        one.fields()
        yield one
        for path in reversed(one.made):
            one.ask("DELETE", path)


def a_machine(there: There, **more: Any) -> SimpleNamespace:
    kind = there.make(TYPES, name=f"type {there.mark}", slug=f"type-{there.mark}")
    cluster = there.make(CLUSTERS, name=f"cluster {there.mark}", type=kind.id)
    return there.make(VMS, name=f"vm-{there.mark}", cluster=cluster.id, status="active", **more)


def test_items_are_listed_with_state_columns_and_relations(there):
    made = a_machine(there, custom_fields={"backup_owner": "A. Novak", "backup_jobs": "nightly, hourly"})
    item = next(one for one in there.all("virtualmachine") if one.external_id == str(made.id))
    assert (item.name, item.state, item.retired) == (made.name, "active", False)
    assert item.fields == {"owner": "A. Novak", "jobs": ["hourly", "nightly"], "status": None}
    assert item.relations == (("runs in", "cluster", str(made.cluster["id"])),)
    assert item.changed_at is not None and item.address.startswith(there.address)


def test_pages_go_on_by_number_and_changes_alone_can_be_asked_for(there, monkeypatch):
    monkeypatch.setattr("catalogue.cmdbs.netbox.PAGE", 2)
    first = a_machine(there)
    others = [there.make(VMS, name=f"vm-{there.mark}-{n}", cluster=first.cluster["id"], status="active") for n in range(4)]
    mine = [one.name for one in there.all("virtualmachine") if there.mark in one.name]
    assert mine == [first.name, *(one.name for one in others)]
    there.ask("PATCH", f"{VMS}{others[1].id}/", {"status": "decommissioning"})
    changed = there.all("virtualmachine", since=there.netbox.read(there.talk, "virtualmachine", str(others[1].id)).changed_at)
    found = {one.name: one.retired for one in changed if there.mark in one.name}
    assert found[others[1].name] is True and first.name not in found


def test_a_column_is_written_and_the_others_stay(there):
    made = a_machine(there, custom_fields={"backup_owner": "A. Novak"})
    item = there.netbox.read(there.talk, "virtualmachine", str(made.id))
    there.netbox.write(there.talk, item, {"custom_fields.backup_status": "degraded"})
    again = there.netbox.read(there.talk, "virtualmachine", str(made.id))
    assert again.fields == {"owner": "A. Novak", "jobs": None, "status": "degraded"} and again.lock != item.lock


def test_what_somebody_changed_meanwhile_is_not_written_over(there):
    made = a_machine(there)
    item = there.netbox.read(there.talk, "virtualmachine", str(made.id))
    there.ask("PATCH", f"{VMS}{made.id}/", {"custom_fields": {"backup_status": "by hand"}})
    with pytest.raises(Changed):
        there.netbox.write(there.talk, item, {"custom_fields.backup_status": "degraded"})
    assert there.netbox.read(there.talk, "virtualmachine", str(made.id)).fields["status"] == "by hand"


def test_an_item_that_is_gone_and_a_column_that_is_missing_are_told(there):
    made = a_machine(there)
    item = there.netbox.read(there.talk, "virtualmachine", str(made.id))
    with pytest.raises(NotAnswered, match=r"(?s)400.*Check that every column"):
        there.netbox.write(there.talk, item, {"custom_fields.no_such_column": "x"})
    with pytest.raises(NotThere):
        there.netbox.read(there.talk, "virtualmachine", "999999999")


def test_a_wrong_token_is_told_with_what_to_do(there):
    source = Source(address=there.address, account="", secrets={"token": "nbt_wrong.x"}, columns=COLUMNS)
    with pytest.raises(NotAnswered, match=r"Give the account the right|Check the account") as told:
        there.netbox.page(Talk(source=source, client=there.client), "virtualmachine", after="", since=None)
    assert "nbt_wrong" not in str(told.value)


def test_before_etags_the_time_of_the_last_change_is_the_lock():
    server = NetBoxServer(etags=False)
    with tool_server(server) as running, Client() as client:
        netbox, talk = NetBox(), Talk(
            source=Source(address=running.address, account="", secrets={"token": TOKEN}, columns=COLUMNS), client=client
        )  # fmt: skip
        server.custom.add("backup_status")
        server(_made(VMS, {"name": "old"}))
        item = netbox.read(talk, "virtualmachine", "1")
        server.change(VMS, 1, comments="by hand")
        with pytest.raises(Changed):
            netbox.write(talk, item, {"custom_fields.backup_status": "degraded"})
        netbox.write(talk, netbox.read(talk, "virtualmachine", "1"), {"custom_fields.backup_status": "degraded"})
        assert server.tables[VMS][1]["custom_fields"] == {"backup_status": "degraded"}
        assert not any("if-match" in asked.headers for asked in running.asked)


def _made(path: str, told: dict[str, Any]) -> Any:
    from tests.toolserver import Asked

    return Asked("POST", path, {}, {"authorization": f"Bearer {TOKEN}", "host": "x"}, json.dumps(told))
