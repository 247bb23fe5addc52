"""A reference server that speaks apirest.php of GLPI 10 as it is documented: for tests, with state.

Sessions that end, an App-Token, ranges with 206 and Content-Range, dropdowns by name, and the rows of the plugin “Additional fields”.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

from tests.toolserver import Asked, Says

TOKEN, APP = "user-token-0123456789", "app-token-0123456789"
TYPE, BLOCK = "Computer", "PluginFieldsComputerbackup"
FIELDS = ("entry", "owner", "team", "rpos", "jobs", "schedule", "store", "status")
MOST = 990


class GlpiServer:
    """`sessions` may be cleared to end them all; `before` runs ahead of each answer, for what goes wrong."""

    kind, table = "glpi", TYPE
    account, secrets = "", {"token": TOKEN, "app_token": APP}

    def __init__(self) -> None:
        self.types: dict[str, dict[int, dict[str, Any]]] = {
            TYPE: {}, "Cluster": {}, "Appliance": {}, "Appliance_Item": {}, "Item_Cluster": {}, BLOCK: {},
            "PluginFieldsContainer": {3: {"id": 3, "name": "backup", "itemtypes": '["Computer"]'}},
        }  # fmt: skip
        self.sessions: set[str] = set()
        self.before: Callable[[Asked], Says | None] = lambda asked: None
        self._numbers = itertools.count(1)
        self.now = dt.datetime(2026, 7, 14, 10, 0, tzinfo=dt.UTC)

    def make(self, name: str, kind: str = TYPE, **fields: Any) -> str:
        number = next(self._numbers)
        self.types[kind][number] = {
            "id": number, "name": name, "states_id": "Production", "is_deleted": 0, "comment": None,
            "date_mod": f"{self.now:%Y-%m-%d %H:%M:%S}", **fields,
        }  # fmt: skip
        return str(number)

    def change(self, number: str, **fields: Any) -> None:
        """Somebody edits an item by hand."""
        self.now += dt.timedelta(seconds=1)
        self.types[TYPE][int(number)] |= {**fields, "date_mod": f"{self.now:%Y-%m-%d %H:%M:%S}"}

    def set(self, number: str, field: str, value: str) -> None:
        self._row_of(number)[f"{field.replace('_', '')}field"] = value
        self.change(number)

    def get(self, number: str, field: str) -> Any:
        row = next((one for one in self.types[BLOCK].values() if one["items_id"] == int(number)), {})
        return row.get(f"{field.replace('_', '')}field") or ""

    def _row_of(self, number: str) -> dict[str, Any]:
        for row in self.types[BLOCK].values():
            if row["items_id"] == int(number):
                return row
        return self._add(BLOCK, {"items_id": int(number), "itemtype": TYPE, "plugin_fields_containers_id": 3})

    def _add(self, kind: str, told: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        columns = {f"{field}field": None for field in FIELDS} if kind == BLOCK else {}
        self.types[kind][number] = {"id": number, **columns, **told}
        return self.types[kind][number]

    def retire(self, number: str) -> None:
        self.change(number, states_id="Decommissioned")

    def delete(self, number: str) -> None:
        self.change(number, is_deleted=1)

    def relate(self, number: str, other: str) -> tuple[str, str]:
        """The first is part of an appliance: items of GLPI hang together through what groups them."""
        self._add("Appliance_Item", {"appliances_id": int(other), "itemtype": TYPE, "items_id": int(number)})
        return "is part of", number

    def __call__(self, asked: Asked) -> Says:
        if (said := self.before(asked)) is not None:
            return said
        if asked.method == "GET" and asked.body:
            return Says(400, ["ERROR_JSON_PAYLOAD_FORBIDDEN", "GET Request should not have json payload"])
        if asked.headers.get("app-token") != APP:
            return Says(400, ["ERROR_WRONG_APP_TOKEN_PARAMETER", "parameter app_token seems wrong"])
        path = asked.path.removeprefix("/apirest.php/").strip("/")
        if path == "initSession":
            return self._sign_in(asked)
        if asked.headers.get("session-token") not in self.sessions:
            return Says(401, ["ERROR_SESSION_TOKEN_INVALID", "session_token seems invalid"])
        if path == "killSession":
            self.sessions.discard(asked.headers["session-token"])
            return Says(200, "true")
        return self._items(path.split("/"), asked)

    def _sign_in(self, asked: Asked) -> Says:
        if asked.headers.get("authorization") != f"user_token {TOKEN}":
            return Says(401, ["ERROR_GLPI_LOGIN_USER_TOKEN", "parameter user_token seems invalid"])
        session = f"session-{next(self._numbers)}"
        self.sessions.add(session)
        return Says(200, {"session_token": session})

    def _items(self, parts: list[str], asked: Asked) -> Says:
        kind = parts[-1] if len(parts) != 2 else parts[0]
        if kind not in self.types:
            return Says(400, ["ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM", "resource not found or not an instance of CommonDBTM"])
        if len(parts) == 2:
            return self._one(kind, int(parts[1]), asked)
        if asked.method == "POST":
            return Says(201, {"id": self._add(kind, asked.json["input"])["id"], "message": ""})
        rows = list(self.types[kind].values())
        if len(parts) == 3:
            rows = [row for row in rows if (row["itemtype"], row["items_id"]) == (parts[0], int(parts[1]))]
        return self._range(kind, [row for row in rows if not row.get("is_deleted")], asked)

    def _range(self, kind: str, rows: list[dict[str, Any]], asked: Asked) -> Says:
        sort = asked.query.get("sort", "id")
        if rows and sort not in rows[0]:
            return Says(400, ["ERROR", f"sort param is not a field of glpi_{kind.lower()}s"])
        rows.sort(key=lambda row: row[sort], reverse=asked.query.get("order") == "DESC")
        start, end = map(int, asked.query["range"].split("-"))
        if end - start + 1 > MOST or (start and start >= len(rows)):
            return Says(400, ["ERROR_RANGE_EXCEED_TOTAL", f"Provided range exceed total count of data: {len(rows)}"])
        shown = rows[start : end + 1]
        headers = {"Content-Range": f"{start}-{start + len(shown) - 1}/{len(rows)}", "Accept-Range": f"{kind} {MOST}"}
        return Says(206 if len(shown) < len(rows) else 200, shown, headers)

    def _one(self, kind: str, number: int, asked: Asked) -> Says:
        row = self.types[kind].get(number)
        if row is None:
            return Says(404, ["ERROR_ITEM_NOT_FOUND", "Item not found"])
        if asked.method == "PUT":
            row |= {name: str(value) for name, value in asked.json["input"].items() if name in row}
            self.change(str(row.get("items_id", number)))
            return Says(200, [{str(number): True, "message": ""}])
        return Says(200, row)
