"""What every kind of CMDB speaks: pages of items in, single columns out, under a lock that notices what others wrote meanwhile."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol
from urllib.parse import urlencode, urlsplit

import msgspec

from catalogue.agreed_fields import plain
from itsm_backup.common.http.client import Answer, Client, Unreachable

Tested = Literal["live", "recorded", "documented"]
PAGE = 200
LONGEST_TEXT = 2_000
ANY_ZONE = dt.timedelta(hours=14)


class NotAnswered(Exception):
    """The CMDB gave no useful answer; the message says what it said and what to do."""


class Changed(Exception):
    """Somebody else changed the item between reading and writing; nothing was written."""


class NotThere(NotAnswered):
    """The item is not there any more."""


class Item(msgspec.Struct, kw_only=True):
    """One item as a CMDB tells it. `lock` is what a write has to show.

    `relations` are (kind, table, number) of other items; the table is empty where a number means one item whatever its table.
    """

    table: str
    external_id: str
    name: str
    state: str = ""
    retired: bool = False
    address: str = ""
    fields: dict[str, Any] = {}
    changed_at: dt.datetime | None = None
    relations: tuple[tuple[str, str, str], ...] = ()
    lock: str = ""


class Reject(msgspec.Struct, kw_only=True):
    """One record that cannot be read, with a sentence that says why."""

    table: str
    external_id: str
    reason: str
    excerpt: str = ""


class Page(msgspec.Struct, kw_only=True):
    """A part of a listing; `after` is where the next part begins, None at the end."""

    items: list[Item]
    rejects: list[Reject]
    after: str | None


class Source(msgspec.Struct, kw_only=True, frozen=True):
    """Where a CMDB is and how one gets in; `columns` are field → column there."""

    address: str
    account: str
    secrets: Mapping[str, str]
    columns: Mapping[str, str]


class Kind(Protocol):
    """One kind of CMDB. No database, no clock: `talk` is the way out, and everything else is given."""

    kind: str
    label: str
    tested: Tested
    tables: tuple[str, ...]
    any_table: bool = False  # whether tables besides these may be named
    columns: Mapping[str, str]  # field → column that it usually has
    needs: tuple[tuple[str, ...], ...]  # secrets without which nobody gets in: one of each group
    webhooks: bool = False  # whether it can tell by itself that something changed, signed as `inventorying.hear` expects

    def page(self, talk: Talk, table: str, *, after: str, since: dt.datetime | None) -> Page:
        """One part of the table in an order that holds while others write; with `since` only what changed from then on."""
        ...

    def read(self, talk: Talk, table: str, external_id: str) -> Item:
        """One item as it is at this moment, with its lock. Raises NotThere."""
        ...

    def write(self, talk: Talk, item: Item, columns: Mapping[str, Any]) -> None:
        """Write these columns of the item, if it is as it was read. Raises Changed."""
        ...

    def told_of(self, told: Mapping[str, Any]) -> tuple[str, str] | None:
        """(table, number) of the item that a webhook tells of; None for one that is not read."""
        return None

    def leave(self, talk: Talk) -> None:
        """The conversation ends: what was opened for it is closed there."""
        talk.kept.clear()


class Talk:
    """A conversation with one CMDB: signed in, JSON both ways, and a sentence for everything that goes wrong."""

    def __init__(self, *, source: Source, client: Client) -> None:
        self.source, self.headers = source, {"Accept": "application/json"}
        self._client, self._base = client, source.address.rstrip("/")
        self.kept: dict[str, Any] = {}  # what a kind keeps while it talks, such as a session

    def ask(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None, headers: Mapping[str, str] | None = None,
        fine: tuple[int, ...] = (),
    ) -> tuple[int, Any, Mapping[str, str]]:  # fmt: skip
        """Status, JSON document and headers of an answer below 300 or among `fine`. Raises NotAnswered."""
        url = self._base + path + (f"?{urlencode(query)}" if query else "")
        given = {**self.headers, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body, given = json.dumps(body).encode(), {"Content-Type": "application/json", **given}
        try:
            answer = self._client.send(method, url, headers=given, body=body)
        except Unreachable as error:
            raise NotAnswered(str(error)) from None
        return answer.status, self._document(answer, fine), answer.headers

    def _document(self, answer: Answer, fine: tuple[int, ...]) -> Any:
        try:
            told = json.loads(answer.body) if answer.body.strip() else None
        except (ValueError, RecursionError):
            told = answer.body
        good = answer.status < 300 or answer.status in fine
        if good and not isinstance(told, bytes):
            return told
        host = urlsplit(self._base).hostname
        if isinstance(told, bytes) and good:
            raise NotAnswered(f"{host} answers with something other than JSON. Check the address.")
        raise NotAnswered(f"{host} answers with status {answer.status}{said(told)}. {REMEDIES.get(answer.status, 'It is tried again.')}")


def said(told: Any) -> str:
    """What an answer says of an error, shortened, with a colon before it; empty when it says nothing."""
    if isinstance(told, dict):
        error = told.get("error", told.get("detail", told.get("message")))
        error = error.get("message") if isinstance(error, dict) else error
        told = error if error is not None else json.dumps(told) if told else None
    elif isinstance(told, list) and told:
        told = " ".join(map(str, told))
    elif isinstance(told, bytes):
        told = None
    return f": {str(told)[:200].rstrip('.')}" if told else ""


REMEDIES = {
    400: "Check that every column that is named exists there.",
    401: "Check the account and its token or password.",
    403: "Give the account the right to read these tables, and to write the columns that are named.",
    404: "Check address and table.",
    429: "It asks for fewer questions; reading goes on later.",
}


def text(value: Any, most: int = 200) -> str:
    """A short text of anything; empty for None."""
    return "" if value is None else " ".join(str(value).split())[:most]


def at_path(row: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """(whether the record has this column, its value): `custom_fields.backup_owner`. Of an object its value, name or display counts."""
    value: Any = row
    for part in [path] if path in row else path.split("."):  # ServiceNow gives a dotted column back under its whole name
        if not isinstance(value, Mapping) or part not in value:
            return False, None
        value = value[part]
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("value", "name", "display") if key in value), None)
    return True, value


def fields_of(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Our fields that the record has a column for; an empty column is None."""
    found = {}
    for field, column in columns.items():
        there, value = at_path(row, column)
        if there:
            value = plain(field, value if isinstance(value, list) else text(value, LONGEST_TEXT))
            found[field] = value
    return found


def instant(value: Any) -> dt.datetime | None:
    """An aware instant of ISO text, or of `YYYY-MM-DD HH:MM:SS` that is in UTC; None for anything else."""
    try:
        at = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)


def zoneless(since: dt.datetime) -> str:
    """An instant as a server writes it that tells no zone: early enough for every zone that it may mean."""
    return f"{since.astimezone(dt.UTC) - ANY_ZONE:%Y-%m-%d %H:%M:%S}"


def print_of(item: Item) -> str:
    """What stands for everything that was read of an item: the lock where a CMDB has none of its own, shown to nobody."""
    seen = [item.name, item.state, item.retired, sorted(item.fields.items())]
    return hashlib.sha256(json.dumps(seen, default=str).encode()).hexdigest()


def basic(talk: Talk) -> str:
    """The value of Authorization for account and password."""
    pair = f"{talk.source.account}:{talk.source.secrets.get('password', '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def excerpt(row: Any) -> str:
    return json.dumps(row, default=str)[:500]


def sorted_out(table: str, rows: Any, one: Any) -> Iterator[Item | Reject]:
    """Each row as an Item or a Reject: `one(row)` gives an Item or a sentence."""
    for place, row in enumerate(rows if isinstance(rows, list) else []):
        try:
            told = one(row) if isinstance(row, Mapping) else "is no object"
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            told = f"has another form than documented ({type(error).__name__})"
        if isinstance(told, Item):
            yield told
            continue
        number = text(row.get("id") or row.get("sys_id") or row.get("key"), 80) if isinstance(row, Mapping) else ""
        yield Reject(table=table, external_id=number or f"row {place}", reason=f"The record {told}.", excerpt=excerpt(row))
