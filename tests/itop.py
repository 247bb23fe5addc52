"""A reference server that speaks iTop's REST/JSON 1.3 as it is documented: for tests, with state.

Everything is a POST of a form to one address; a refusal comes with status 200 and a code; there is no paging and no lock.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from tests.toolserver import Asked, Says

PASSWORD = "a very secret password"
CLASS = "VirtualMachine"
FIELDS = ("entry", "owner", "team", "rpo_s", "jobs", "schedule", "store", "status")


class ItopServer:
    """`before` runs ahead of each answer, for what goes wrong; `may_update = False` refuses writing."""

    kind, table = "itop", CLASS
    account, secrets = "backup", {"password": PASSWORD}

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.impacts: set[tuple[int, int]] = set()
        self.changes: list[tuple[dt.datetime, int]] = []
        self.may_update = True
        self.before: Callable[[Asked], Says | None] = lambda asked: None
        self._numbers = itertools.count(1)
        self.now = dt.datetime(2026, 7, 14, 10, 0, tzinfo=dt.UTC)

    def make(self, name: str, **fields: Any) -> str:
        number = next(self._numbers)
        ours = {f"backup_{field}": "" for field in FIELDS}
        self.rows[number] = {"id": str(number), "name": name, "friendlyname": name, "status": "production", **ours, **fields}
        return str(number)

    def change(self, number: str, **fields: Any) -> None:
        """Somebody edits an object by hand."""
        self.now += dt.timedelta(seconds=1)
        self.rows[int(number)] |= fields
        self.changes.append((self.now, int(number)))

    def set(self, number: str, field: str, value: str) -> None:
        self.change(number, **{f"backup_{field}": value})

    def get(self, number: str, field: str) -> Any:
        return self.rows[int(number)][f"backup_{field}"]

    def retire(self, number: str) -> None:
        self.change(number, status="obsolete")

    def delete(self, number: str) -> None:
        del self.rows[int(number)]

    def relate(self, number: str, other: str) -> tuple[str, str]:
        """The first depends on the second: in iTop's words the second impacts the first."""
        self.impacts.add((int(other), int(number)))
        return "impacts", other

    def __call__(self, asked: Asked) -> Says:
        if (said := self.before(asked)) is not None:
            return said
        assert asked.path == "/webservices/rest.php" and asked.query == {"version": "1.3"} and asked.method == "POST"
        form = {name: values[0] for name, values in parse_qs(asked.body).items()}
        if (form.get("auth_user"), form.get("auth_pwd")) != (self.account, PASSWORD):
            return Says(200, {"code": 1, "message": "Error: Invalid login"})
        told = json.loads(form["json_data"])
        return {"core/get": self._get, "core/get_related": self._related, "core/update": self._update}[told["operation"]](told)

    def _get(self, told: dict[str, Any]) -> Says:
        if told["class"] == "CMDBChangeOp":
            since = dt.datetime.fromisoformat(re.search(r"c\.date >= '([^']+)'", told["key"])[1]).replace(tzinfo=dt.UTC)
            found = {f"CMDBChangeOpSet::{n}": {"code": 0, "key": str(n), "class": "CMDBChangeOpSet", "fields": {"objkey": str(number)}}
                     for n, (at, number) in enumerate(self.changes) if at >= since}  # fmt: skip
            return Says(200, {"objects": found or None, "code": 0, "message": f"Found: {len(found)}"})
        if told["class"] != CLASS:
            return Says(200, {"objects": None, "code": 0, "message": "Found: 0"})
        names = None if told["output_fields"] == "*" else told["output_fields"].split(",")
        rows = [row for row in self.rows.values() if int(row["id"]) in self._meant(told["key"])]
        found = {f"{CLASS}::{row['id']}": self._shown(row, names) for row in rows}
        return Says(200, {"objects": found or None, "code": 0, "message": f"Found: {len(found)}"})

    def _meant(self, key: str) -> set[int]:
        only = re.fullmatch(rf"SELECT {CLASS}(?: WHERE id IN \(([0-9,]+)\))?", key)
        assert only, key
        return set(map(int, only[1].split(","))) if only[1] else set(self.rows)

    def _shown(self, row: dict[str, Any], names: list[str] | None) -> dict[str, Any]:
        fields = {name: value for name, value in row.items() if names is None or name in names}
        return {"code": 0, "message": "", "class": CLASS, "key": row["id"], "fields": fields}

    def _related(self, told: dict[str, Any]) -> Says:
        meant, found = self._meant(told["key"]), dict[str, list[dict[str, str]]]()
        assert (told["relation"], told["depth"], told["direction"]) == ("impacts", 1, "down")
        for one, other in sorted(self.impacts):
            if one in meant:
                found.setdefault(f"{CLASS}::{one}", []).append({"key": f"{CLASS}::{other}"})
        return Says(200, {"relations": found or [], "objects": {}, "code": 0, "message": f"Scope: {len(meant)}"})

    def _update(self, told: dict[str, Any]) -> Says:
        if not self.may_update:
            return Says(
                200, {"code": 1, "message": "The current user does not have enough permissions for modifying data of class VirtualMachine"}
            )
        row = self.rows[told["key"]]
        if unknown := set(told["fields"]) - row.keys():
            return Says(200, {"code": 100, "message": f"Error: {sorted(unknown)[0]}: Unknown attribute"})
        self.change(row["id"], **{name: str(value) for name, value in told["fields"].items()})
        return Says(200, {"objects": {f"{CLASS}::{row['id']}": self._shown(row, ["id"])}, "code": 0, "message": ""})
