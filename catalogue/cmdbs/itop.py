"""iTop over its REST/JSON API, version 1.3: objects of any final class, and what they impact.

iTop has no lock: everything that was read of an object is compared with what stands there right before a write. It answers 200 with a
code that is not 0 when it refuses. Its times have no zone, so `since` reaches back half a day.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from catalogue.cmdbs.base import (
    REMEDIES,
    Changed,
    Item,
    Kind,
    NotAnswered,
    NotThere,
    Page,
    Reject,
    Talk,
    Tested,
    fields_of,
    print_of,
    sorted_out,
    text,
    zoneless,
)

PATH = "/webservices/rest.php?version=1.3"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
AT_ONCE = 50  # objects come with all their link sets
RETIRED = ("obsolete",)
REFUSED = 1  # RestResult::UNAUTHORIZED: sign-in or rights
COMMENT = "Written by the backup catalogue"


class Itop(Kind):
    kind = "itop"
    label = "iTop (REST/JSON 1.3)"
    tested: Tested = "documented"
    tables = ("BusinessProcess", "ApplicationSolution", "Server", "VirtualMachine")
    any_table = True
    needs = (("password", "token"),)
    columns = {
        "entry": "backup_entry", "owner": "backup_owner", "team": "backup_team", "rpo_s": "backup_rpo_s", "jobs": "backup_jobs",
        "schedule": "backup_schedule", "store": "backup_store", "status": "backup_status",
    }  # fmt: skip

    def page(self, talk: Talk, table: str, *, after: str, since: dt.datetime | None) -> Page:
        """The next objects by number. All numbers of the class are asked for once, so that nothing shifts while others write."""
        listed = f"numbers of {_class(table)} {since}"
        if listed not in talk.kept:
            talk.kept[listed] = _numbers(talk, table, since)
        numbers = [one for one in talk.kept[listed] if one > int(after or 0)]
        now, more = numbers[:AT_ONCE], len(numbers) > AT_ONCE
        if not now:
            return Page(items=[], rejects=[], after=None)
        found = list(sorted_out(table, _objects(talk, table, now), lambda row: _item(talk, table, row)))
        items = [one for one in found if isinstance(one, Item)]
        _relate(talk, table, items)
        rejects = [one for one in found if isinstance(one, Reject)]
        return Page(items=items, rejects=rejects, after=str(now[-1]) if more else None)

    def read(self, talk: Talk, table: str, external_id: str) -> Item:
        rows = _objects(talk, table, [int(external_id)])
        if not rows:
            raise NotThere(f"There is no {table} {external_id} any more. Reading in full takes it away here, too.")
        item = _item(talk, table, rows[0]) if isinstance(rows[0], Mapping) else "is no object"
        if isinstance(item, str):
            raise NotAnswered(f"The object {item}.")
        _relate(talk, table, [item])
        item.lock = print_of(item)
        return item

    def write(self, talk: Talk, item: Item, columns: Mapping[str, Any]) -> None:
        if self.read(talk, item.table, item.external_id).lock != item.lock:
            raise Changed
        said = {"class": item.table, "key": int(item.external_id), "fields": dict(columns), "output_fields": "id", "comment": COMMENT}
        for row in _objects_of(_ask(talk, "core/update", **said)):
            if row.get("code"):
                raise NotAnswered(_refused(row["code"], row.get("message")))


def _ask(talk: Talk, operation: str, **more: Any) -> Mapping[str, Any]:
    """What iTop answers to one operation. Raises NotAnswered for a refusal, which comes with status 200."""
    secrets, form = talk.source.secrets, {"json_data": json.dumps({"operation": operation, **more})}
    if secrets.get("token"):
        form["auth_token"] = secrets["token"]
    else:
        form |= {"auth_user": talk.source.account, "auth_pwd": secrets.get("password", "")}
    _, told, _ = talk.ask("POST", PATH, body=urlencode(form).encode(), headers=FORM)
    if not isinstance(told, Mapping) or "code" not in told:
        raise NotAnswered("The answer has no code. Check that the address is iTop's.")
    if told["code"]:
        raise NotAnswered(_refused(told["code"], told.get("message")))
    return told


def _refused(code: Any, message: Any) -> str:
    said = text(message).rstrip(".")
    return f"iTop refuses it{f': {said}' if said else ''} (code {code}). {REMEDIES[401 if code == REFUSED else 400]}"


def _objects_of(told: Mapping[str, Any]) -> list[Any]:
    found = told.get("objects")
    return list(found.values()) if isinstance(found, Mapping) else []


def _class(table: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", table):
        raise NotAnswered(f"“{table}” is no class of iTop. Name final classes, such as VirtualMachine.")
    return table


def _numbers(talk: Talk, table: str, since: dt.datetime | None) -> list[int]:
    """Numbers of all objects of the class, or of those that changed since, in order."""
    told = _ask(talk, "core/get", **{"class": table, "key": f"SELECT {table}", "output_fields": "id"})
    numbers = sorted({int(row["key"]) for row in _objects_of(told) if isinstance(row, Mapping) and str(row.get("key", "")).isdigit()})
    if since is None:
        return numbers
    joined = "SELECT CMDBChangeOp AS o JOIN CMDBChange AS c ON o.change = c.id"
    changes = f"{joined} WHERE o.objclass = '{table}' AND c.date >= '{zoneless(since)}'"
    told = _ask(talk, "core/get", **{"class": "CMDBChangeOp", "key": changes, "output_fields": "objkey"})
    changed = {str(row.get("fields", {}).get("objkey")) for row in _objects_of(told) if isinstance(row, Mapping)}
    return [number for number in numbers if str(number) in changed]


def _objects(talk: Talk, table: str, numbers: Sequence[int]) -> list[Any]:
    """`*` asks for what the class has: a column that it lacks is missing, where naming it would refuse the whole answer."""
    key = f"SELECT {_class(table)} WHERE id IN ({','.join(map(str, numbers))})"
    return _objects_of(_ask(talk, "core/get", **{"class": table, "key": key, "output_fields": "*"}))


def _relate(talk: Talk, table: str, items: Sequence[Item]) -> None:
    """What each impacts, one step far."""
    if not items:
        return
    key = f"SELECT {table} WHERE id IN ({','.join(one.external_id for one in items)})"
    said = {"class": table, "key": key, "relation": "impacts", "depth": 1, "direction": "down", "redundancy": False}
    told = _ask(talk, "core/get_related", **said).get("relations")
    for one in items:
        others = told.get(f"{table}::{one.external_id}", ()) if isinstance(told, Mapping) else ()
        pairs = [str(other.get("key", "")).partition("::") for other in others if isinstance(other, Mapping)]
        one.relations = tuple(dict.fromkeys(("impacts", kind, number) for kind, _, number in pairs if number.isdigit()))


def _item(talk: Talk, table: str, row: Mapping[str, Any]) -> Item | str:
    number, fields = text(row.get("key"), 80), row.get("fields")
    if not number.isdigit():
        return "has no number"
    if not isinstance(fields, Mapping):
        return "has no fields"
    name = text(fields.get("friendlyname") or fields.get("name"))
    if not name:
        return "has no name"
    state = text(fields.get("status"), 80)
    page = f"{talk.source.address.rstrip('/')}/pages/UI.php?operation=details&class={table}&id={number}"
    return Item(
        table=table, external_id=number, name=name, state=state, retired=state in RETIRED, address=page,
        fields=fields_of(fields, talk.source.columns),
    )  # fmt: skip
