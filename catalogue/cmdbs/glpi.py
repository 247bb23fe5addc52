"""GLPI over apirest.php, as GLPI 10 has it (11 keeps it as its older API): items of any type, their clusters and appliances.

Columns of the plugin “Additional fields” stand in rows of their own beside the item: `backup.ownerfield` is the column `ownerfield` of
its block `backup`. GLPI has no lock: `date_mod` and everything that was read are compared with what stands there right before a write.
Its times have no zone, so `since` reaches back half a day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from catalogue.cmdbs.base import (
    ANY_ZONE,
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
    print_of,
    said,
    sorted_out,
    text,
)

PATH = "/apirest.php/"
MOST_A_PAGE = 990  # the Accept-Range of GLPI
RETIRED = ("retired", "decommissioned", "out of service", "disposed", "scrapped")  # names that people give to states
# (rows that join an item to a group, column of the group, its table, relation as it reads from the item)
RELATIONS = (("Item_Cluster", "clusters_id", "Cluster", "runs in"), ("Appliance_Item", "appliances_id", "Appliance", "is part of"))
BLOCKS = "PluginFields"
EMPTY = ("&nbsp;", "\xa0")


class Glpi(Kind):
    kind = "glpi"
    label = "GLPI (apirest.php, version 10)"
    tested: Tested = "documented"
    tables = ("Cluster", "Appliance", "Computer")
    any_table = True
    needs = (("token", "password"),)
    columns = {
        "entry": "backup.entryfield", "owner": "backup.ownerfield", "team": "backup.teamfield", "rpo_s": "backup.rposfield",
        "jobs": "backup.jobsfield", "schedule": "backup.schedulefield", "store": "backup.storefield", "status": "backup.statusfield",
    }  # fmt: skip

    def page(self, talk: Talk, table: str, *, after: str, since: dt.datetime | None) -> Page:
        """The next items. `after` is “place number” of the row before, which is asked for again: where another one stands there by now,
        rows went away meanwhile, and a page is read once more, so that none is missed."""
        told, _, last = after.partition(" ")
        place, again = int(told or 0), int(bool(last))
        order = {"sort": "id", "order": "ASC"} if since is None else {"sort": "date_mod", "order": "DESC"}
        path = quote(table, safe="")
        rows, more = _rows(talk, path, place - again, PAGE + again, {**order, "expand_dropdowns": "true"})
        if again and _number(rows[0] if rows else {}) != last:
            return Page(items=[], rejects=[], after=f"{place - PAGE} " if place > PAGE else "")
        rows = rows[again:]
        if since is not None:
            fresh = [row for row in rows if not _older(row, since)]
            rows, more = fresh, more and len(fresh) == len(rows)
        found = list(sorted_out(table, rows, lambda row: _item(talk, table, row)))
        last = _number(rows[-1]) if rows and since is None else ""  # what changes meanwhile comes first, and shifts nothing away
        items = [one for one in found if isinstance(one, Item)]
        rejects = [one for one in found if isinstance(one, Reject)]
        return Page(items=items, rejects=rejects, after=f"{place + PAGE} {last}" if more and rows else None)

    def read(self, talk: Talk, table: str, external_id: str) -> Item:
        path = f"{quote(table, safe='')}/{quote(external_id, safe='')}"
        status, told, _ = _ask(talk, "GET", path, query={"expand_dropdowns": "true", "get_hateoas": "false"}, fine=(404,))
        if status == 404 or (isinstance(told, Mapping) and told.get("is_deleted")):
            raise NotThere(f"There is no {table} {external_id} any more. Reading in full takes it away here, too.")
        if not isinstance(told, Mapping):
            raise NotAnswered("The item is no object. Check that the address is GLPI's.")
        item = _item(talk, table, told, alone=True)
        if isinstance(item, str):
            raise NotAnswered(f"The item {item}.")
        item.lock = f"{told.get('date_mod')} {print_of(item)}"
        return item

    def write(self, talk: Talk, item: Item, columns: Mapping[str, Any]) -> None:
        if self.read(talk, item.table, item.external_id).lock != item.lock:
            raise Changed
        own, blocks = {}, dict[str, dict[str, Any]]()
        for column, value in columns.items():
            block, dot, name = column.partition(".")
            if dot:
                blocks.setdefault(block, {})[name] = value
            else:
                own[column] = value
        if own:
            _put(talk, f"{quote(item.table, safe='')}/{item.external_id}", own)
        for block, values in blocks.items():
            _put_block(talk, item, block, values)

    def leave(self, talk: Talk) -> None:
        if "session" in talk.kept:
            try:
                talk.ask("GET", f"{PATH}killSession", headers=_headers(talk))
            except NotAnswered:
                pass  # it ends by itself


def _headers(talk: Talk) -> dict[str, str]:
    app = talk.source.secrets.get("app_token")
    held = {"Content-Type": "application/json", **({"App-Token": app} if app else {})}
    return {**held, **({"Session-Token": talk.kept["session"]} if "session" in talk.kept else {})}


def _sign_in(talk: Talk) -> None:
    talk.kept.pop("session", None)
    token = talk.source.secrets.get("token")
    sign = {"Authorization": f"user_token {token}" if token else basic(talk)}
    _, told, _ = talk.ask("GET", f"{PATH}initSession", headers={**_headers(talk), **sign})
    session = told.get("session_token") if isinstance(told, Mapping) else None
    if not isinstance(session, str) or not session:
        raise NotAnswered("The answer of initSession has no session token. Check that the address is GLPI's.")
    talk.kept["session"] = session


def _ask(
    talk: Talk, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None, fine: tuple[int, ...] = ()
) -> tuple[int, Any, Mapping[str, str]]:
    """One question within a session; a session that ended meanwhile is opened once more."""
    for turn in range(2):
        if "session" not in talk.kept:
            _sign_in(talk)
        status, told, headers = talk.ask(method, PATH + path, query=query, body=body, headers=_headers(talk), fine=(401, *fine))
        if status != 401:
            break
        if turn or "ERROR_SESSION_TOKEN" not in said(told):
            raise NotAnswered(f"GLPI refuses it{said(told)}. Check the account, its token and the app token.")
        talk.kept.pop("session")
    return status, told, headers


class NoType(NotAnswered):
    """GLPI knows no such type of item."""


def _rows(talk: Talk, path: str, start: int, count: int, how: Mapping[str, Any]) -> tuple[list[Any], bool]:
    """Rows of a type, and whether there are more. A range behind the end is an error of GLPI's and no rows for us. Raises NoType."""
    query = {"range": f"{start}-{start + count - 1}", "get_hateoas": "false", **how}
    status, told, headers = _ask(talk, "GET", f"{path}/", query=query, fine=(400,))
    error = said(told) if status == 400 else ""
    if "ERROR_RANGE_EXCEED_TOTAL" in error:
        return [], False
    if "NOR_COMMONDBTM" in error:
        raise NoType(f"GLPI has no type {path}. Check the tables that are named.")
    if status == 400 or not isinstance(told, list):
        raise NotAnswered(f"The answer of {path} has no list of items{error}. Check that the address is GLPI's.")
    total = headers.get("content-range", "").rpartition("/")[2]
    return told, status == 206 and (not total.isdigit() or start + len(told) < int(total))


def _listing_of(what: str, table: str) -> str:
    return f"{what} beside {table}"


def _all(talk: Talk, kind: str) -> Iterator[Mapping[str, Any]]:
    """Every row of a type; none of one that GLPI does not know."""
    start, more = 0, True
    while more:
        try:
            rows, more = _rows(talk, quote(kind), start, MOST_A_PAGE, {"sort": "id"})
        except NoType:
            return
        start += len(rows)
        yield from (row for row in rows if isinstance(row, Mapping))
        more = more and bool(rows)


def _joined(talk: Talk, table: str, number: str, *, alone: bool) -> list[tuple[str, str, str]]:
    """Relations of one item. Those of all items are asked for once in a conversation; `alone` asks for this item only."""
    name = _listing_of("relations", table)
    if alone:
        path = f"{quote(table, safe='')}/{number}/"
        return [one for joins in RELATIONS for row in _all(talk, path + joins[0]) for _, one in _relation(row, table, joins)]
    if name not in talk.kept:
        found: dict[str, list[tuple[str, str, str]]] = {}
        for joins in RELATIONS:
            for row in _all(talk, joins[0]):
                for item, one in _relation(row, table, joins):
                    found.setdefault(item, []).append(one)
        talk.kept[name] = found
    held: dict[str, list[tuple[str, str, str]]] = talk.kept[name]
    return held.get(number, [])


def _relation(row: Mapping[str, Any], table: str, joins: tuple[str, str, str, str]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """(item, its relation) of a row that joins an item of this type to a group."""
    _, column, other, kind = joins
    if row.get("itemtype") == table and row.get(column) and row.get("items_id"):
        yield str(row["items_id"]), (kind, other, str(row[column]))


def _blocks(talk: Talk) -> set[str]:
    """Blocks of additional fields in which columns stand."""
    return {block for block, dot, _ in (column.partition(".") for column in talk.source.columns.values()) if dot}


def _columns_in(talk: Talk, block: str) -> list[str]:
    return [name for held, dot, name in (column.partition(".") for column in talk.source.columns.values()) if dot and held == block]


def _beside(talk: Talk, table: str, number: str, *, alone: bool) -> dict[str, dict[str, Any]]:
    """Block → what stands in it for one item, with its columns empty where nobody filled it in; blocks that the type lacks are absent.

    A whole listing is asked for once in a conversation; `alone` asks for this item only.
    """
    name = _listing_of("rows", table)
    if alone:
        rows = {block: _of_item(talk, table, block, number) for block in _blocks(talk)}
        held = {block: mine[0] if mine else {} for block, mine in rows.items() if mine is not None}
    else:
        if name not in talk.kept:
            talk.kept[name] = {block: _listed(talk, table, block) for block in _blocks(talk)}
        held = {block: rows.get(number, {}) for block, rows in talk.kept[name].items() if rows is not None}
    return {block: row or dict.fromkeys(_columns_in(talk, block)) for block, row in held.items()}


def _listed(talk: Talk, table: str, block: str) -> dict[str, dict[str, Any]] | None:
    """Item → its row of the block; None where the type has no such block."""
    kind = quote(f"{BLOCKS}{table}{block}", safe="")
    try:
        _rows(talk, kind, 0, 1, {})
    except NoType:
        return None
    return {text(row.get("items_id"), 80): dict(row) for row in _all(talk, kind)}


def _of_item(talk: Talk, table: str, block: str, number: str) -> list[dict[str, Any]] | None:
    try:
        rows, _ = _rows(talk, f"{quote(table, safe='')}/{number}/{quote(f'{BLOCKS}{table}{block}', safe='')}", 0, 1, {})
    except NoType:
        return None
    return [dict(row) for row in rows if isinstance(row, Mapping)]


def _put(talk: Talk, path: str, values: Mapping[str, Any]) -> None:
    status, told, _ = _ask(talk, "PUT", path, body={"input": dict(values)})
    for one in told if isinstance(told, list) else ():
        if isinstance(one, Mapping) and False in one.values():
            raise NotAnswered(f"GLPI refuses it: {text(one.get('message')) or f'status {status}'}. Give the account the right to write it.")


def _put_block(talk: Talk, item: Item, block: str, values: Mapping[str, Any]) -> None:
    """Change the item's row of the block, or make it: the plugin makes none before somebody fills the block in."""
    kind = f"{BLOCKS}{item.table}{block}"
    rows = _of_item(talk, item.table, block, item.external_id)
    if rows:
        _put(talk, f"{quote(kind, safe='')}/{rows[0]['id']}", values)
        return
    held = next((one for one in _all(talk, f"{BLOCKS}Container") if one.get("name") == block), None)
    if held is None:
        raise NotAnswered(f"There is no block of additional fields called {block}. Make it there, or name other columns here.")
    new = {"items_id": int(item.external_id), "itemtype": item.table, "plugin_fields_containers_id": held["id"], **values}
    _ask(talk, "POST", f"{quote(kind, safe='')}/", body={"input": new})


def _number(row: Any) -> str:
    return text(row.get("id"), 80) if isinstance(row, Mapping) else ""


def _older(row: Any, since: dt.datetime) -> bool:
    changed = instant(row.get("date_mod")) if isinstance(row, Mapping) else None
    return changed is not None and changed < since - ANY_ZONE


def _item(talk: Talk, table: str, row: Mapping[str, Any], *, alone: bool = False) -> Item | str:
    number, name = _number(row), text(row.get("name"))
    if not number.isdigit():
        return "has no number"
    if not name:
        return "has no name"
    state = text(row.get("states_id"), 80)
    state = "" if state in (*EMPTY, "0") else state
    told = {**row, **_beside(talk, table, number, alone=alone)}
    page = f"{talk.source.address.rstrip('/')}/front/{table.lower()}.form.php?id={number}"
    return Item(
        table=table, external_id=number, name=name, state=state, retired=state.casefold() in RETIRED, address=page,
        fields=fields_of(told, talk.source.columns), relations=tuple(dict.fromkeys(_joined(talk, table, number, alone=alone))),
    )  # fmt: skip
