"""What the tables of external catalogues usually take of an entry, and how a row is found, made and changed there.

ServiceNow: the Table API with basic sign-in, found by `correlation_id`. iTop: REST/JSON 1.3, found by name. Both as documented by
their makers; only the columns of the mapping are ever written.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from catalogue.models.outward import ExternalCatalogue
from itsm_backup.common.http.client import Answer, Client

CONSTANT = "="  # a source that begins so is the text behind it
SOURCES = (
    "code", "name", "short_name", "summary", "department", "tier", "kind", "version", "release", "owner", "operations_team", "supplier",
    "rpo_s", "rto_s", "retention_days", "success_rate", "status", "status_since", "affected", "affected_by",
    "lifecycle", "leaves_at", "stage", "portal_url",
)  # fmt: skip
TABLES = {"servicenow": "cmdb_ci_service", "itop": "Service"}
MAPPINGS: dict[str, dict[str, str]] = {
    "servicenow": {
        "correlation_id": "code", "name": "name", "short_description": "summary", "u_backup_tier": "tier", "u_backup_rpo_s": "rpo_s",
        "u_backup_rto_s": "rto_s", "u_backup_retention_days": "retention_days", "u_backup_status": "status",
        "u_backup_status_since": "status_since", "u_backup_affected": "affected", "u_backup_affected_by": "affected_by",
        "u_backup_lifecycle": "lifecycle", "u_backup_leaves_at": "leaves_at",
        "u_backup_entry_version": "version", "u_backup_url": "portal_url",
    },
    "itop": {
        "name": "name", "org_id": "=SELECT Organization WHERE id = 1", "description": "summary", "status": "stage",
        "backup_code": "code", "backup_rpo_s": "rpo_s", "backup_rto_s": "rto_s", "backup_status": "status",
        "backup_status_since": "status_since", "backup_affected": "affected", "backup_affected_by": "affected_by",
        "backup_lifecycle": "lifecycle", "backup_leaves_at": "leaves_at", "backup_entry_version": "version", "backup_url": "portal_url",
    },
}  # fmt: skip
KEYS = {"servicenow": "correlation_id", "itop": "name"}


class NotTaken(Exception):
    """The catalogue answered, but did not take the row; the message says what it said and what to do."""


def furnish(catalogue: ExternalCatalogue) -> None:
    """Give the catalogue what its kind usually has, where nothing is said."""
    catalogue.table = catalogue.table or TABLES.get(catalogue.kind, "")
    catalogue.mapping = catalogue.mapping or dict(MAPPINGS.get(catalogue.kind, {}))


def problems_of(mapping: Any, kind: str) -> list[str]:
    """One sentence for everything that is wrong with a mapping."""
    if not isinstance(mapping, dict) or not all(isinstance(source, str) for source in mapping.values()):
        return ["Write each column with what it takes, such as “u_backup_rpo_s”: “rpo_s”."]
    found = [
        f"Column {column} takes {source}, which no entry has. There is: {', '.join(SOURCES)}; or = and a fixed text."
        for column, source in mapping.items()
        if not source.startswith(CONSTANT) and source not in SOURCES
    ]
    if kind in KEYS and KEYS[kind] not in mapping:
        found.append(f"The column {KEYS[kind]} is missing: by it a row is found again.")
    return found


def fields_of(mapping: Mapping[str, str], sources: Mapping[str, Any]) -> dict[str, str]:
    """The row as text, column by column."""
    return {column: source[1:] if source.startswith(CONSTANT) else _text(sources[source]) for column, source in mapping.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def put(client: Client, catalogue: ExternalCatalogue, fields: Mapping[str, str], known_id: str) -> tuple[str, str]:
    """Have the row there: changed where it is found, made where it is not. Returns its number there and what was done.

    Doing it twice makes no second row. Raises NotTaken or Unreachable.
    """
    return {"servicenow": _servicenow, "itop": _itop}[catalogue.kind](client, catalogue, fields, known_id)


def _servicenow(client: Client, catalogue: ExternalCatalogue, fields: Mapping[str, str], known_id: str) -> tuple[str, str]:
    table = f"{catalogue.address.rstrip('/')}/api/now/table/{quote(catalogue.table, safe='')}"
    sign = base64.b64encode(f"{catalogue.account}:{catalogue.secrets.get('password', '')}".encode()).decode()
    headers = {"Authorization": f"Basic {sign}", "Accept": "application/json", "Content-Type": "application/json"}
    query = {"sysparm_query": f"correlation_id={fields['correlation_id']}", "sysparm_fields": "sys_id", "sysparm_limit": "2"}
    found = _read(client.send("GET", f"{table}?{urlencode(query)}", headers=headers))["result"]
    if len(found) > 1:
        raise NotTaken(f"Two rows bear the correlation_id {fields['correlation_id']}. Nothing was written: take one of them away.")
    body = json.dumps(dict(fields)).encode()
    if found:
        number = str(found[0]["sys_id"])
        _read(client.send("PATCH", f"{table}/{quote(number, safe='')}", headers=headers, body=body))
        return number, "changed"
    return str(_read(client.send("POST", table, headers=headers, body=body))["result"]["sys_id"]), "made"


def _itop(client: Client, catalogue: ExternalCatalogue, fields: Mapping[str, str], known_id: str) -> tuple[str, str]:
    def ask(operation: str, **more: Any) -> dict[str, Any]:
        told = json.dumps({"operation": operation, "class": catalogue.table, **more})
        form = {"auth_user": catalogue.account, "auth_pwd": catalogue.secrets.get("password", ""), "json_data": told}
        url = f"{catalogue.address.rstrip('/')}/webservices/rest.php?version=1.3"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = _read(client.send("POST", url, headers=headers, body=urlencode(form).encode()))
        if answer["code"]:  # iTop refuses with status 200
            raise NotTaken(f"iTop refuses it: {str(answer.get('message'))[:200]} (code {answer['code']}).")
        return answer.get("objects") or {}

    number = known_id
    if not number:
        found = ask("core/get", key={"name": fields["name"]}, output_fields="id", limit="2", page="1")
        if len(found) > 1:
            raise NotTaken(f"Two rows bear the name {fields['name']}. Nothing was written: take one of them away.")
        number = str(next(iter(found.values()))["key"]) if found else ""
    said = {"fields": dict(fields), "output_fields": "id", "comment": "Told by the backup catalogue"}
    done = ask("core/update", key=number, **said) if number else ask("core/create", **said)
    row: dict[str, Any] = next(iter(done.values()), {})
    if row.get("code"):
        raise NotTaken(f"iTop refuses it: {str(row.get('message'))[:200]} (code {row['code']}).")
    return (number, "changed") if number else (str(row["key"]), "made")


def _read(answer: Answer) -> dict[str, Any]:
    """The JSON of a good answer. Raises NotTaken with what the catalogue says otherwise."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        told = None
    if answer.status >= 300 or not isinstance(told, dict):
        raise NotTaken(f"It answers with status {answer.status}{_why(told)}. {_REMEDIES.get(answer.status, 'It is tried again.')}")
    return told


def _why(told: Any) -> str:
    error = told.get("error") if isinstance(told, dict) else None
    said = error.get("message") if isinstance(error, dict) else error
    return f": {str(said)[:200]}" if said else ""


_REMEDIES = {
    401: "Check account and password.",
    403: "Give the account the right to read and write the table.",
    404: "Check address and table.",
    400: "Check that every column of the mapping exists there.",
}
