"""ServiceNow over its Table API: configuration items of any class, and their relations from cmdb_rel_ci.

There is no If-Match. `sys_mod_count` and `sys_updated_on` are read again right before a write; what was written is read back by the
caller. Rows and columns that access rules hide are missing without a word: a page may be short, and a hidden column is not compared.
A time in a query is read in the zone of the account.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

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
    basic,
    fields_of,
    instant,
    sorted_out,
    text,
    zoneless,
)

TABLE = "/api/now/table/"
OWN = ("sys_id", "name", "install_status", "operational_status", "sys_updated_on", "sys_mod_count")
STATES = {
    "1": "installed", "2": "on order", "3": "in maintenance", "4": "pending install", "5": "pending repair", "6": "in stock",
    "7": "retired", "8": "stolen", "100": "absent",
}  # fmt: skip
RETIRED, OUT_OF_OPERATION = "7", "6"
RELATED_AT_ONCE = 50  # numbers in one question: addresses have an end
PLAIN = {"sysparm_display_value": "false", "sysparm_exclude_reference_link": "true"}


class ServiceNow(Kind):
    kind = "servicenow"
    label = "ServiceNow (Table API)"
    tested: Tested = "documented"
    tables = ("cmdb_ci_service", "cmdb_ci_server")
    any_table = True
    needs = (("password", "token"),)
    columns = {
        "entry": "correlation_id", "owner": "u_backup_owner", "team": "u_backup_team", "rpo_s": "u_backup_rpo_s",
        "jobs": "u_backup_jobs", "schedule": "u_backup_schedule", "store": "u_backup_store", "status": "u_backup_status",
    }  # fmt: skip

    def page(self, talk: Talk, table: str, *, after: str, since: dt.datetime | None) -> Page:
        """The next items by sys_id: rows that come or go meanwhile shift nothing. A page whose rows are all hidden is stepped over."""
        number, _, offset = after.partition(" ")
        wanted = [f"sys_id>{number}"] if number else []
        wanted += [f"sys_updated_on>={zoneless(since)}"] if since else []
        rows, more = _rows(talk, table, wanted, [*OWN, *talk.source.columns.values()], PAGE, int(offset or 0))
        found = list(sorted_out(table, rows, lambda row: _item(talk, table, row)))
        items = [one for one in found if isinstance(one, Item)]
        related = _related(talk, [one.external_id for one in items])
        for one in items:
            one.relations = tuple(dict.fromkeys(related.get(one.external_id, ())))
        numbers = [str(row["sys_id"]) for row in rows if isinstance(row, Mapping) and row.get("sys_id")]
        on = f"{max(numbers)} 0" if numbers else f"{number} {int(offset or 0) + PAGE}"
        return Page(items=items, rejects=[one for one in found if isinstance(one, Reject)], after=on if more else None)

    def read(self, talk: Talk, table: str, external_id: str) -> Item:
        query = {**PLAIN, "sysparm_fields": ",".join([*OWN, *talk.source.columns.values()])}
        path = f"{TABLE}{quote(table, safe='')}/{quote(external_id, safe='')}"
        status, told, _ = talk.ask("GET", path, query=query, headers=_sign(talk), fine=(404,))
        if status == 404:
            raise NotThere(f"There is no {table} {external_id} any more. Reading in full takes it away here, too.")
        row = told.get("result") if isinstance(told, Mapping) else None
        item = _item(talk, table, row) if isinstance(row, Mapping) else "is no object"
        if isinstance(item, str):
            raise NotAnswered(f"The record {item}.")
        item.relations = tuple(dict.fromkeys(_related(talk, [external_id]).get(external_id, ())))
        return item

    def write(self, talk: Talk, item: Item, columns: Mapping[str, Any]) -> None:
        if self.read(talk, item.table, item.external_id).lock != item.lock:
            raise Changed
        path = f"{TABLE}{quote(item.table, safe='')}/{quote(item.external_id, safe='')}"
        talk.ask("PATCH", path, query={"sysparm_fields": "sys_id"}, body=dict(columns), headers=_sign(talk))


def _rows(talk: Talk, table: str, wanted: Sequence[str], columns: Sequence[str], limit: int, offset: int) -> tuple[list[Any], bool]:
    """Rows of a table by sys_id, and whether there are more: the Link header says so, not how many rows came."""
    query = {
        **PLAIN, "sysparm_query": "^".join([*wanted, "ORDERBYsys_id"]), "sysparm_fields": ",".join(dict.fromkeys(columns)),
        "sysparm_limit": limit, "sysparm_offset": offset,
    }  # fmt: skip
    _, told, headers = talk.ask("GET", f"{TABLE}{quote(table, safe='')}", query=query, headers=_sign(talk))
    rows = told.get("result") if isinstance(told, Mapping) else None
    if not isinstance(rows, list):
        raise NotAnswered(f"The answer of {table} has no list of results. Check that the address is ServiceNow's.")
    return rows, 'rel="next"' in headers.get("link", "")


def _related(talk: Talk, numbers: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
    """Item → (relation as it reads from the item, "", other), of these items as parents: a sys_id means one item in every table."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for start in range(0, len(numbers), RELATED_AT_ONCE):
        for row in _relations(talk, numbers[start : start + RELATED_AT_ONCE]):
            parent, child = _plain(row.get("parent")), _plain(row.get("child"))
            kind = text(row.get("type.name"), 160).partition("::")[0].strip().lower()[:80]
            if parent and child:
                found.setdefault(parent, []).append((kind or "is related to", "", child))
    return found


def _relations(talk: Talk, numbers: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    after, more = "", True
    while more:
        wanted = [f"parentIN{','.join(numbers)}", *([f"sys_id>{after}"] if after else [])]
        rows, more = _rows(talk, "cmdb_rel_ci", wanted, ["sys_id", "parent", "child", "type.name"], PAGE, 0)
        good = [row for row in rows if isinstance(row, Mapping) and row.get("sys_id")]
        yield from good
        after = max((str(row["sys_id"]) for row in good), default="")
        more = more and bool(after)


def _sign(talk: Talk) -> dict[str, str]:
    token = talk.source.secrets.get("token")
    return {"Authorization": f"Bearer {token}" if token else basic(talk)}


def _plain(value: Any) -> str:
    """A reference as its number, whether it comes bare or with a link."""
    return text(value.get("value") if isinstance(value, Mapping) else value, 80)


def _item(talk: Talk, table: str, row: Mapping[str, Any]) -> Item | str:
    number, name = _plain(row.get("sys_id")), text(row.get("name"))
    if not number:
        return "has no sys_id"
    if not name:
        return "has no name"
    installed, operates = _plain(row.get("install_status")), _plain(row.get("operational_status"))
    page = f"{talk.source.address.rstrip('/')}/nav_to.do?uri={quote(f'{table}.do?sys_id={number}', safe='')}"
    return Item(
        table=table, external_id=number, name=name, state=STATES.get(installed, installed),
        retired=installed == RETIRED or operates == OUT_OF_OPERATION, address=page, fields=fields_of(row, talk.source.columns),
        changed_at=instant(row.get("sys_updated_on")), lock=f"{row.get('sys_mod_count')} {row.get('sys_updated_on')}",
    )  # fmt: skip
