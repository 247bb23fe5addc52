"""A reference server that speaks ServiceNow's Table API as it is documented: for tests, with state.

Encoded queries, `sysparm_limit` and `sysparm_offset` with the Link header, access rules that drop rows and columns without a word,
columns that are not known and ignored, `sys_mod_count`.
"""

from __future__ import annotations

import base64
import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from tests.toolserver import Asked, Says

PASSWORD = "a very secret password"
SIGNED = f"Basic {base64.b64encode(f'backup.reader:{PASSWORD}'.encode()).decode()}"
TABLE = "/api/now/table/"
CI, CHILD = "cmdb_ci_server", "cmdb_rel_ci"


class ServiceNowServer:
    """`hidden` rows are dropped from pages that count them; `before` runs ahead of each answer, for what goes wrong."""

    kind, table = "servicenow", CI
    account, secrets = "backup.reader", {"password": PASSWORD}

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {CI: {}, CHILD: {}, "cmdb_ci_service": {}}
        self.hidden: set[str] = set()
        self.known = {"correlation_id", *(f"u_backup_{one}" for one in ("owner", "team", "rpo_s", "jobs", "schedule", "store", "status"))}
        self.before: Callable[[Asked], Says | None] = lambda asked: None
        self._numbers = itertools.count(1)
        self.now = dt.datetime(2026, 7, 14, 10, 0, tzinfo=dt.UTC)

    def make(self, name: str, **columns: Any) -> str:
        number = f"{next(self._numbers):032x}"
        state = {"install_status": "1", "operational_status": "1", "sys_mod_count": "0", "sys_updated_on": f"{self.now:%Y-%m-%d %H:%M:%S}"}
        self.tables[CI][number] = {"sys_id": number, "name": name, **state, **dict.fromkeys(self.known, ""), **columns}
        return number

    def change(self, number: str, **columns: Any) -> None:
        """Somebody edits an item by hand."""
        row = self.tables[CI][number]
        self.now += dt.timedelta(seconds=1)
        row |= {**columns, "sys_mod_count": str(int(row["sys_mod_count"]) + 1), "sys_updated_on": f"{self.now:%Y-%m-%d %H:%M:%S}"}

    def set(self, number: str, field: str, value: str) -> None:
        self.change(number, **{"correlation_id" if field == "entry" else f"u_backup_{field}": value})

    def get(self, number: str, field: str) -> Any:
        return self.tables[CI][number]["correlation_id" if field == "entry" else f"u_backup_{field}"]

    def retire(self, number: str) -> None:
        self.change(number, install_status="7")

    def delete(self, number: str) -> None:
        del self.tables[CI][number]

    def relate(self, number: str, other: str) -> tuple[str, str]:
        """The first depends on the second; returns how that reads from the item, and from which."""
        made = f"{next(self._numbers):032x}"
        words = "Depends on::Used by"
        self.tables[CHILD][made] = {"sys_id": made, "parent": number, "child": other, "type": f"{1:032x}", "type.name": words}
        return "depends on", number

    def __call__(self, asked: Asked) -> Says:
        if (said := self.before(asked)) is not None:
            return said
        if asked.headers.get("authorization") != SIGNED:
            detail = "Required to provide Auth information"
            return Says(401, {"error": {"message": "User Not Authenticated", "detail": detail}, "status": "failure"})
        table, _, number = asked.path.removeprefix(TABLE).partition("/")
        if table not in self.tables:
            return Says(400, {"error": {"message": f"Invalid table {table}", "detail": None}, "status": "failure"})
        if not number:
            return self._list(table, asked)
        row = self.tables[table].get(number)
        if row is None or number in self.hidden:
            return Says(
                404, {"error": {"message": "No Record found", "detail": "Record doesn't exist or ACL restricts"}, "status": "failure"}
            )
        if asked.method == "PATCH":
            self.change(number, **{name: str(value) for name, value in asked.json.items() if name in row})
        return Says(200, {"result": self._shown(row, asked)})

    def _list(self, table: str, asked: Asked) -> Says:
        rows = sorted(self.tables[table].values(), key=lambda row: row["sys_id"])
        for part in asked.query["sysparm_query"].split("^"):
            rows = [row for row in rows if self._fits(row, part)]
        limit, offset = int(asked.query["sysparm_limit"]), int(asked.query["sysparm_offset"])
        link = f"<http://x{asked.path}?{urlencode({'sysparm_offset': offset + limit, 'sysparm_limit': limit})}>"
        headers = {"X-Total-Count": str(len(rows)), **({"Link": f'{link};rel="next"'} if offset + limit < len(rows) else {})}
        shown = [self._shown(row, asked) for row in rows[offset : offset + limit] if row["sys_id"] not in self.hidden]
        return Says(200, {"result": shown}, headers)

    def _fits(self, row: dict[str, Any], part: str) -> bool:
        if part.startswith("ORDERBY"):
            return True
        for sign in (">=", ">", "IN"):
            name, found, value = part.partition(sign)
            if found:
                told = row.get(name, "")
                return told in value.split(",") if sign == "IN" else told > value or (sign == ">=" and told == value)
        raise AssertionError(part)

    def _shown(self, row: dict[str, Any], asked: Asked) -> dict[str, Any]:
        wanted = asked.query["sysparm_fields"].split(",")
        shown = {name: row[name] for name in wanted if name in row}
        if asked.query.get("sysparm_exclude_reference_link") != "true":
            for name in {"parent", "child", "type"} & shown.keys():
                shown[name] = {"link": f"http://x{TABLE}cmdb_ci/{row[name]}", "value": row[name]}
        return shown
