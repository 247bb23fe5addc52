"""The document that tells how to read a tool over HTTP: what to ask, where the runs stand in the answer, what its words mean."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import yaml

from monitoring.connectors.base import Operation, Outcome

MAPS = Path(__file__).resolve().parent / "maps"
LONGEST_DOCUMENT = 64 * 1024
LEFT_OUT = "ignored"
OUTCOMES = (*get_args(Outcome), "queued", "running", LEFT_OUT)
OPERATIONS = (*get_args(Operation), LEFT_OUT)
UNITS = {"B": 1, "kB": 1000, "KB": 1024, "KiB": 1024, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}
GIVEN = ("address", "user", "secret", "since", "cursor", "offset", "lookback_s", "token")
_PLACE = re.compile(r"\{([a-z_]{1,30})\}")
Paths = str | list[str]


class _Part(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    pass


class SignIn(_Part, kw_only=True):
    """How to get in: `header` sends `value`; `basic` sends user and secret; `token` first asks `path` for one, found at `token`."""

    kind: Literal["none", "basic", "header", "token"] = "none"
    header: str = "Authorization"
    value: str = "Bearer {token}"
    path: str = ""
    form: dict[str, str] = {}
    json: dict[str, Any] = {}
    token: str = ""


class Next(_Part, kw_only=True):
    """Where the next page is: a `cursor` in the answer (until `more` is false), a `url` in the answer, or counting by `size` rows."""

    cursor: str = ""
    more: str = ""
    url: str = ""
    size: int = 0


class Each(_Part, kw_only=True):
    """A further call for each row of the list, e.g. for what a source holds: its rows are the runs, and have what was asked for as `row`.

    The values of `query` are paths in the row of the list.
    """

    path: str
    query: dict[str, str] = {}
    items: str = ""


class List(_Part, kw_only=True):
    """The call that lists runs. `{since}`, `{cursor}`, `{offset}`, `{lookback_s}` and settings are filled in: path, query, body."""

    path: str
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, str] = {}
    query: dict[str, str | int] = {}
    body: dict[str, Any] | None = None
    since: str = "rfc3339"
    items: str = ""
    ordered: bool = False  # the oldest first, so that a long list may be read in several rounds
    next: Next | None = None
    each: Each | None = None


class Amount(_Part, kw_only=True):
    """A number of bytes in another unit."""

    at: str
    unit: Literal["B", "kB", "KB", "KiB", "MB", "MiB", "GB", "GiB"] = "B"


class Choice(_Part, kw_only=True):
    """A word of the tool's, and what each value means; `other` is for values that are not listed."""

    at: str
    words: dict[str, str]
    other: str = ""


class Runs(_Part, kw_only=True):
    """Where the fields of a run stand, as paths with dots from a row of the list."""

    id: Paths
    job: Paths
    only_with: str = ""  # rows with nothing there are no runs
    status: Paths
    started_at: str
    ended_at: str = ""
    scheduled_at: str = ""
    consistent_at: str = ""
    times: Literal["rfc3339", "epoch_s", "epoch_ms"] = "rfc3339"
    name: Paths = ""
    target: Paths = ""
    repository: Paths = ""
    message: Paths = ""
    revision: str = ""
    artefact: str = ""
    immutable_until: str = ""
    retention_until: str = ""
    operation: Choice | str = "backup"
    level: Choice | None = None
    bytes_source: Amount | str = ""
    bytes_transferred: Amount | str = ""
    bytes_stored: Amount | str = ""
    files_total: str = ""
    files_failed: str = ""
    warnings_count: str = ""
    errors_count: str = ""


class Map(_Part, kw_only=True):
    """A whole document."""

    map: Literal[1]
    product: str
    about: str = ""
    needs: dict[str, str] = {}
    sign_in: SignIn = msgspec.field(default_factory=SignIn)
    list: List | None = None
    runs: Runs
    statuses: dict[str, str]


class BadDocument(ValueError):
    """The document cannot be used; the message is a sentence that says where and why."""


def parsed(text: str) -> Map:
    """The document of a YAML (or JSON) text. Raises BadDocument."""
    if len(text.encode("utf-8", errors="replace")) > LONGEST_DOCUMENT:
        raise BadDocument(f"The document is longer than {LONGEST_DOCUMENT // 1024} KiB.")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise BadDocument("The document uses an alias (*name). Write the part out.")
        told = msgspec.convert(_with_text_keys(yaml.safe_load(text)), type=Map)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise BadDocument(f"The document is no valid YAML{where}: {getattr(error, 'problem', None) or 'it cannot be read'}.") from None
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        raise BadDocument(f"The document does not fit{f' at {place}' if place else ''}: {reason.replace('`', '')}.") from None
    except (RecursionError, ValueError) as error:
        raise error if isinstance(error, BadDocument) else BadDocument("The document cannot be read as YAML.") from None
    if problems := list(_problems(told)):
        raise BadDocument(" ".join(problems))
    return told


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_whole(str(key).lower() if isinstance(key, bool) else str(key)): _with_text_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(item) for item in value]
    if isinstance(value, str):
        return _whole(value)
    return value.isoformat() if isinstance(value, dt.date) else value


def _whole(text: str) -> str:
    """The text with the halves of characters that YAML's escapes leave put together, or replaced."""
    return text.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")


def _problems(told: Map) -> Iterator[str]:
    for word, meaning in told.statuses.items():
        if meaning not in OUTCOMES:
            yield f"statuses: {word} means {meaning}, which is none of {', '.join(OUTCOMES)}."
    operation = told.runs.operation
    meanings = [*operation.words.values(), operation.other or LEFT_OUT] if isinstance(operation, Choice) else [operation]
    for meaning in meanings:
        if meaning not in OPERATIONS:
            yield f"runs.operation: {meaning} is none of {', '.join(OPERATIONS)}."
    if told.runs.level and (odd := set(told.runs.level.words.values()) - LEVELS):
        yield f"runs.level: {', '.join(sorted(odd))} is none of {', '.join(sorted(LEVELS))}."
    if "*" in told.statuses and told.statuses["*"] in ("success", "warning"):
        yield "statuses: * would turn every word that is not known, failures too, into a good run. List the good words one by one."
    for place in sorted(_places(told) - {*GIVEN, *told.needs}):
        yield f"{{{place}}} is not known: declare it under needs, or use one of {', '.join(GIVEN)}."
    if told.sign_in.kind == "token" and not (told.sign_in.path and told.sign_in.token):
        yield "sign_in: a token needs the path to ask and the place of the token in the answer."
    if told.list and not told.list.path.startswith("/"):
        yield "list.path: it begins with /; the server is the tool's own address."
    if told.list and told.list.each and not told.list.each.path.startswith("/"):
        yield "list.each.path: it begins with /; the server is the tool's own address."
    if told.list and told.list.next and sum(map(bool, (told.list.next.cursor, told.list.next.url, told.list.next.size))) != 1:
        yield "list.next: give one of cursor, url and size."


LEVELS = {"full", "incremental", "differential", "synthetic", "log", "snapshot", "unknown"}


def _places(told: Map) -> set[str]:
    asked = [msgspec.to_builtins(told.list), msgspec.to_builtins(told.sign_in)]
    return set(_PLACE.findall(msgspec.json.encode(asked).decode()))


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its places filled; one that is a place alone keeps the type of its value, and falls out where that is None."""
    if isinstance(template, dict):
        made = {key: filled(item, values) for key, item in template.items()}
        return {key: item for key, item in made.items() if item is not None}
    if isinstance(template, list):
        return [filled(item, values) for item in template]
    if not isinstance(template, str):
        return template
    if match := _PLACE.fullmatch(template):
        return values.get(match[1])
    return _PLACE.sub(lambda match: str(values.get(match[1]) or ""), template)


def found(row: Any, path: str) -> Any:
    """What stands at a path such as `attributes.client.0.name`; None when nothing does. The empty path is the row itself."""
    for part in path.split(".") if path else ():
        if isinstance(row, dict):
            row = row.get(part)
        elif isinstance(row, list) and part.isascii() and part.isdigit() and len(part) < 7 and int(part) < len(row):
            row = row[int(part)]
        else:
            return None
    return row


def instant_text(at: dt.datetime, form: str) -> str | int:
    """The instant as the tool wants it: rfc3339, epoch_s, epoch_ms, or a pattern such as %Y-%m-%d %H:%M:%S (UTC)."""
    if form in ("epoch_s", "epoch_ms"):
        return int(at.timestamp()) * (1000 if form == "epoch_ms" else 1)
    return at.astimezone(dt.UTC).strftime(form if "%" in form else "%Y-%m-%dT%H:%M:%SZ")


def shipped() -> dict[str, str]:
    """The text of every document that comes with the product, by its name."""
    return {path.stem: path.read_text() for path in sorted(MAPS.glob("*.yaml"))}
