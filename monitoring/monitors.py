"""How Icinga 2 and Zabbix are told where a service stands. No database: a client, a place there, and what is said."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from itsm_backup.common.http.client import Answer, Client

CODES = {"operational": 0, "degraded": 1, "outage": 2, "unknown": 3, "maintenance": 4}
"""A status as a number, for Zabbix and Prometheus."""
EXITS = {**CODES, "maintenance": 0}  # of a check: nothing is wrong while nothing is judged
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
IS = {"degraded": "is degraded", "outage": "is out"}
KEPT = {"kept": 1, "at_risk": 1, "broken": 0}
MOST_JOBS = 20


class NotTaken(Exception):
    """The monitoring system answered, but did not take it; the message says what it said and what to do."""


class Place(NamedTuple):
    """Where one entry's status goes: `item` is the service of Icinga, or the beginning of Zabbix's keys."""

    address: str
    account: str
    secrets: Mapping[str, str]
    host: str
    item: str


def icinga2(client: Client, place: Place, said: Mapping[str, Any], at: dt.datetime) -> str:
    """A passive check result, read back from there; returns what came of it. Raises NotTaken or Unreachable.

    It bears the instant at which it was written. Icinga takes an older result in place of a newer one, so we look first.
    """
    service, line = f"{place.host}!{place.item}", sentence(said)
    sign = base64.b64encode(f"{place.account}:{place.secrets.get('password', '')}".encode()).decode()
    headers = {"Authorization": f"Basic {sign}", "Accept": "application/json", "Content-Type": "application/json"}
    base = place.address.rstrip("/")
    look = f"{base}/v1/objects/services?{urlencode({'service': service, 'attrs': 'last_check_result'})}"
    before = _standing(client.send("GET", look, headers=headers))
    if before and before.get("execution_end", 0) > at.timestamp() + 0.001:
        raise NotTaken(f"A newer result stands there: {_shown(before)}. Is the service checked by something else, too?")
    body = {
        "exit_status": EXITS[said["status"]], "plugin_output": line, "check_source": "itsm-backup",
        "performance_data": [f"affected={affected(said)}", *(f"{name}={value}{unit}" for name, value, unit in figures(said))],
        "execution_start": at.timestamp(), "execution_end": at.timestamp(),
    }  # fmt: skip
    url = f"{base}/v1/actions/process-check-result?{urlencode({'service': service})}"
    _taken(client.send("POST", url, headers=headers, body=json.dumps(body).encode()), service)
    after = _standing(client.send("GET", look, headers=headers))
    if after is None:
        return "Taken, and not read back: give the API user the permission objects/query/Service."
    if after.get("output") != line:
        raise NotTaken(f"Another result stands there: {_shown(after)}. Is the service checked by something else, too?")
    return "Taken and read back."


def _standing(answer: Answer) -> dict[str, Any] | None:
    """The latest result of the service, empty before the first one; None where it may not be seen."""
    told = _json(answer)
    if answer.status != 200 or not isinstance(told, dict) or not told.get("results"):
        return None
    return told["results"][0]["attrs"]["last_check_result"] or {}


def _shown(result: Mapping[str, Any]) -> str:
    return str(result.get("output"))[:120].rstrip(".")


def _taken(answer: Answer, service: str) -> None:
    """Raises NotTaken unless Icinga took the result."""
    told = _json(answer)
    if answer.status == 404:
        raise NotTaken(
            f"Icinga has no service {service} that this API user may tell anything. Make it there, with passive checks, "
            "and give the user the permission actions/process-check-result."
        )
    if answer.status >= 300 or not isinstance(told, dict):
        why = f": {str(told['status'])[:200]}" if isinstance(told, dict) and told.get("status") else ""
        remedy = {401: "Check API user and password.", 403: "Give the API user the permission actions/process-check-result."}
        raise NotTaken(f"Icinga answers with status {answer.status}{why}. {_remedy(remedy, answer.status)}")
    results = told.get("results")
    if not isinstance(results, list) or not results:
        raise NotTaken("The answer has no results. Check that the address is Icinga's API.")
    if not str(results[0].get("code", "")).startswith("2"):
        raise NotTaken(f"Icinga refuses it: {str(results[0].get('status'))[:200]}")


def zabbix(client: Client, place: Place, said: Mapping[str, Any], at: dt.datetime) -> str:
    """Values of trapper items, all in one call; returns what came of it. The status has to be taken, the others where an item is there.

    Raises NotTaken or Unreachable. The instant is the one at which it was written: one that is sent twice is the same value.
    """
    values = zabbix_values(said)
    clock, ns = int(at.timestamp()), at.microsecond * 1_000
    params = [
        {"host": place.host, "key": f"{place.item}.{name}[{said['code']}]", "value": value, "clock": clock, "ns": ns}
        for name, value in values.items()
    ]
    body = {"jsonrpc": "2.0", "method": "history.push", "params": params, "id": 1}
    headers = {
        "Authorization": f"Bearer {place.secrets.get('token', '')}",
        "Content-Type": "application/json-rpc",
        "Accept": "application/json",
    }
    answer = client.send("POST", f"{place.address.rstrip('/')}/api_jsonrpc.php", headers=headers, body=json.dumps(body).encode())
    told = _json(answer)
    if answer.status >= 300 or not isinstance(told, dict):
        raise NotTaken(f"Zabbix answers with status {answer.status}. {_remedy({404: 'Check the address.'}, answer.status)}")
    if isinstance(told.get("error"), dict):
        error = told["error"]
        raise NotTaken(
            f"Zabbix refuses it: {str(error.get('data') or error.get('message'))[:200]} Check the token; Zabbix 7.0 or later is needed."
        )
    result = told.get("result")
    rows = result.get("data") if isinstance(result, dict) and result.get("response") == "success" else None
    if not isinstance(rows, list) or len(rows) != len(params):
        raise NotTaken("The answer has another form than documented. Check that the address is Zabbix's.")
    refused = {name: row["error"] for name, row in zip(values, rows, strict=True) if isinstance(row, dict) and row.get("error")}
    if "status" in refused:
        key = params[0]["key"]
        raise NotTaken(f"Zabbix does not take {key}: {str(refused['status'])[:200]} Make it there, as a trapper item of host {place.host}.")
    without = f" There is no trapper item for {', '.join(refused)}." if refused else ""
    return f"{len(values) - len(refused)} of {len(values)} values taken.{without}"


def zabbix_values(said: Mapping[str, Any]) -> dict[str, Any]:
    """Key → value; the status stands first, what is not known is left out."""
    kept = {"kept": KEPT[said["verdict"]]} if said["verdict"] in KEPT else {}
    numbers = {name: value for name, value, _ in figures(said)}
    return {"status": CODES[said["status"]], "affected": affected(said), **kept, **numbers, "jobs": ", ".join(said["jobs"][:MOST_JOBS])}


def affected(said: Mapping[str, Any]) -> int:
    """What reaches the entry from a provider, as the number of a status; 0 where nothing does. A message of before told nothing of it."""
    reached = said.get("affected")
    return CODES[reached["status"]] if reached else 0


def figures(said: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """(name, value, unit) of what is known: seconds, and instants as seconds since 1970."""
    instants = {"last_good": said["last_good_at"], "next_due": said["next_due_at"]}
    found = [("rpo", said["rpo_s"], "s")] if said["rpo_s"] else []
    return found + [(name, int(dt.datetime.fromisoformat(told).timestamp()), "") for name, told in instants.items() if told]


def sentence(said: Mapping[str, Any]) -> str:
    """One line for people, as plugins of Icinga write it."""
    promise = {"kept": "promise kept", "at_risk": "promise at risk", "broken": "promise broken"}.get(
        said["verdict"], "nothing can be said of the promise"
    )
    parts = [f"{said['name']}: {said['status']}, {promise}"]
    if reached := said.get("affected"):
        parts.append(f"affected by {reached['name']} ({reached['code']}), which {IS[reached['status']]}")
    parts.append(f"newest copy {_when(said['last_good_at'])}" if said["last_good_at"] else "no copy")
    if said["next_due_at"]:
        parts.append(f"next backup due {_when(said['next_due_at'])}")
    if said["jobs"]:
        parts.append(f"expected jobs: {', '.join(said['jobs'][:MOST_JOBS])}")
    line = f"{WORDS[EXITS[said['status']]]} - {'; '.join(parts)}"
    return line.replace("|", "/")  # what stands behind a bar would be figures


def _when(told: str) -> str:
    return f"{dt.datetime.fromisoformat(told):%d %b %Y %H:%M} UTC"


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _remedy(known: Mapping[int, str], status: int) -> str:
    return known.get(status, "It asks for fewer messages; it is told later." if status == 429 else "It is tried again.")


TELL = {"icinga2": icinga2, "zabbix": zabbix}
