"""The mapped connector: any tool that answers JSON over HTTP, read as a document says."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Fetch, Reading, SettingField, Step, Tested
from monitoring.connectors.capabilities import HTTP_LIMITS, Declared, declare, full, none, part
from monitoring.connectors.conversing import (
    ADDRESS,
    CERTIFICATES,
    ENDED,
    MOST_PAGES,
    POSTS,
    Conversation,
    collect,
    conclude,
    document_of,
    window,
)
from monitoring.connectors.map_document import LEFT_OUT, BadDocument, Choice, Map, filled, found, instant_text, parsed
from monitoring.connectors.mapped_runs import Reader

DOCUMENT = "document"  # in the settings given to `ask` and in the meta of the answer, so that it can be read alike ever after
EACH = "each "  # begins the names of the further calls
LONGEST_RUNNING = dt.timedelta(days=14)  # a run open for longer no longer holds the cursor back


class Mapped:
    """Reads by a document, which the answer carries with it: a later document never changes what an old answer says by itself."""

    kind = "mapped"
    label = "Mapped tool (JSON over HTTP)"
    tested: Tested = "documented"
    polled = True
    over_http = True
    settings_fields: tuple[SettingField, ...] = (
        SettingField(
            name="map", label="Map", help="Name of the document, e.g. azure-backup, commvault, duplicati, kopia, netbackup or rubrik.",
            required=True,
        ),
        msgspec.structs.replace(ADDRESS, required=False, help=f"{ADDRESS.help} Empty for a tool that posts by itself."),
        SettingField(name="user", label="User or client id", help="Where the map says that it needs one."),
        SettingField(name="secret", label="Password, key or client secret", help="As the map says.", secret=True),
        SettingField(
            name="values", label="Further values", help="One NAME=VALUE a line, as the map names them, e.g. tenant=….", lines=True
        ),
        CERTIFICATES,
    )  # fmt: skip
    capabilities = declare(
        read_runs=part("What the map lists, with the outcomes that its words mean."),
        read_schedules=part("Where the map names the time for which a run was scheduled."),
        verify_data=part("Where the map reads checks or restores."),
        incremental=part("Where the map asks from a time on."),
        authentication=part("As the map signs in."),
        rate_limits=full(HTTP_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], fetch: Fetch, cursor: Mapping[str, Any]) -> Answer:
        """Sign in and ask for the list, page by page, as the document in the settings says."""
        text, name = settings.get(DOCUMENT, ""), settings.get("map", "")
        try:
            told = parsed(text) if text else None
        except BadDocument as error:
            return Answer(kind="poll", steps=[Step(name="map", stderr=f"The map {name} cannot be used. {error}")])
        if told is None:
            return Answer(kind="poll", steps=[Step(name="map", stderr=f"There is no map {name} in force.")])
        since, at = window(cursor, settings)
        if told.list is None:  # it posts by itself: what it has not told by its deadline is missing, as with a ping
            return Answer(kind="poll", steps=[], meta={ENDED: "yes", POSTS: "yes", "at": at.isoformat(), DOCUMENT: text})
        values = _values(told, settings, secrets, since, at)
        lacking = [one for one in ("address", *told.needs) if not values.get(one)]
        if lacking:
            return Answer(
                kind="poll", steps=[Step(name="map", stderr=f"The map {name} needs values that are not set: {', '.join(lacking)}.")]
            )
        talk = Conversation(
            address=settings.get("address", ""),
            fetch=fetch,
            hidden=[secrets.get("secret", "")],
            headers=filled(told.list.headers, values),
            sign_in=lambda talk: _sign_in(talk, told, values),
        )
        ended = _list(talk, told, values) and _each(talk, told)
        return talk.end(in_full=ended, at=at.isoformat(), document=text)

    def read(self, answer: Answer) -> Reading:
        """One record for each row of the list; what the document leaves out is no run."""
        result = Reading()
        try:
            told = parsed(answer.meta.get(DOCUMENT, ""))
        except BadDocument as error:
            if answer.kind != "poll" or not any(step.stderr for step in answer.steps):
                result.problems.append(f"The answer cannot be read without its map. {error}")
            return conclude(result, answer)
        reader = Reader(told)
        names = {step.name for step in answer.steps} - {"token"}
        for name in sorted({name for name in names if name.startswith(EACH)} or names):
            collect(result, answer, name, rows=lambda document, name=name: rows_of(told, document, name), one=reader.read, noun="row")
        ordered = bool(told.list and told.list.ordered)
        return conclude(result, answer, since=_oldest_running(result, answer), ordered=ordered)


def rows_of(told: Map, document: Any, name: str = "") -> Any:
    """The rows of an answer; a tool that posts its runs may send one alone. Those of a further call have as `row` what it was asked with,
    which its `name` tells."""
    if told.list and told.list.each:
        rows = found(document, told.list.each.items)
        own = dict(parse_qsl(name.removeprefix(EACH), keep_blank_values=True)) if name.startswith(EACH) else {}
        return [{**row, "row": own} if isinstance(row, dict) else row for row in rows] if isinstance(rows, list) else rows
    rows = found(document, told.list.items) if told.list else document
    return [rows] if told.list is None and isinstance(rows, dict) else rows


def _values(told: Map, settings: Mapping[str, str], secrets: Mapping[str, str], since: dt.datetime, at: dt.datetime) -> dict[str, Any]:
    further = dict(line.split("=", 1) for line in settings.get("values", "").splitlines() if "=" in line)
    own = {name.strip(): value.strip() for name, value in further.items() if name.strip() in told.needs}
    return {
        **own,
        "address": settings.get("address", "").strip().rstrip("/"),
        "user": settings.get("user", "").strip(),
        "secret": secrets.get("secret", ""),
        "since": instant_text(since, told.list.since if told.list else "rfc3339"),
        "lookback_s": int((at - since).total_seconds()),
    }


def _sign_in(talk: Conversation, told: Map, values: Mapping[str, Any]) -> dict[str, str] | None:
    how = told.sign_in
    if how.kind == "none":
        return {}
    if how.kind == "basic":
        pair = f"{values['user']}:{values['secret']}".encode()
        return {how.header: f"Basic {base64.b64encode(pair).decode()}"}
    token = ""
    if how.kind == "token":
        form = urlencode(filled(how.form, values)).encode() if how.form else None
        kind = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
        body = form or filled(how.json, values)
        answered = talk.ask("token", _path(how.path, values), method="POST", body=body, headers=kind, secret=True)
        told_token = found(answered, how.token)
        if not isinstance(told_token, str) or not told_token:
            return None
        token = told_token
        talk.hidden.append(token)
    value = str(filled(how.value, {**values, "token": token}))
    return {how.header: value} if value.isascii() and value.isprintable() else None


def _path(template: str, values: Mapping[str, Any]) -> str:
    return str(filled(template, {name: quote(str(value), safe="") for name, value in values.items()}))


def _list(talk: Conversation, told: Map, values: dict[str, Any]) -> bool:
    """Ask page by page; True at the end of the list."""
    how = told.list
    assert how is not None  # noqa: S101 - `ask` has made sure
    paging, place, url = how.next, {"cursor": None, "offset": 0}, ""
    for number in range(1, MOST_PAGES + 1):
        given = {**values, **place}
        body, query = filled(how.body, given) if how.body else None, {} if url else filled(how.query, given)
        kind = {"Content-Type": "application/json"} if how.body else {}
        document = talk.ask("list", url or _path(how.path, given), method=how.method, query=query, body=body, headers=kind)
        if document is None:
            return False
        rows = found(document, how.items)
        if not isinstance(rows, list):
            talk.answer.meta["stopped"] = f"Page {number} of the list has no rows at {how.items or 'its top'}."
            return False
        before = (place["cursor"], url)
        if paging is None or (paging.more and found(document, paging.more) is not True):
            return True
        if paging.size and len(rows) < paging.size:
            return True
        after = found(document, paging.cursor or paging.url) if not paging.size else None
        if not paging.size and after in (None, "", False):
            return True
        place = {"cursor": after if paging.cursor else None, "offset": int(place["offset"] or 0) + len(rows)}
        url = str(after) if paging.url else ""
        if not paging.size and before == (place["cursor"], url):
            talk.answer.meta["stopped"] = f"Page {number} of the list names itself as the next one."
            return False
        if talk.spent("list", number):
            return False
    return False


def _each(talk: Conversation, told: Map) -> bool:
    """The further call for each row of the list; True when all were answered."""
    how = told.list.each if told.list else None
    if how is None or told.list is None:
        return True
    rows = [row for step in talk.answer.steps if step.name == "list" for row in found(document_of(step), told.list.items) or []]
    for number, row in enumerate(rows, start=1):
        query = {name: str(value) for name, path in how.query.items() if (value := found(row, path)) is not None}
        if len(query) < len(how.query):
            talk.answer.meta["stopped"] = f"Row {number} of the list lacks what is asked for next: {', '.join({*how.query} - {*query})}."
            return False
        if talk.ask(f"{EACH}{urlencode(query)}", how.path, query=query) is None or talk.spent("rows", number):
            return False
    return True


def _oldest_running(result: Reading, answer: Answer) -> dt.datetime | None:
    told = reading.instant(answer.meta.get("at"))
    begun = [one.created_at for one in result.records if one.state != "finished"]
    return min((start for start in begun if told and start > told.at - LONGEST_RUNNING), default=None)


def declared_by(told: Map) -> dict[str, Declared]:
    """What one document lets us read of its tool."""
    runs, how, meanings = told.runs, told.list, set(told.statuses.values())
    bad = "failed" in meanings or "partial" in meanings
    operations = (
        {*runs.operation.words.values(), runs.operation.other or LEFT_OUT} if isinstance(runs.operation, Choice) else {runs.operation}
    )
    proves = operations & {"verify", "restore", "restore_test"}
    asked = msgspec.json.encode(msgspec.to_builtins(how)).decode() if how else ""
    goes_on = how is None or "{since}" in asked or "{lookback_s}" in asked
    signs_in = how is None or told.sign_in.kind != "none"
    return declare(
        read_runs=full("Runs with their outcome, failed ones too.") if bad else part("Runs; none of the map's words means a failure."),
        read_schedules=full(f"At {runs.scheduled_at}.")
        if runs.scheduled_at
        else none("The map names no time for which a run was scheduled."),
        verify_data=full(f"Runs that {', '.join(sorted(proves))}.") if proves else none("The map reads no check and no restore."),
        incremental=full("Asked from a time on, or told by the tool itself.") if goes_on else none("Everything is listed in every round."),
        authentication=full(f"Sign-in by {told.sign_in.kind}." if how else "Its own secret address.")
        if signs_in
        else none("The map signs in nowhere."),
        rate_limits=full(HTTP_LIMITS if how else "It is never asked."),
    )
