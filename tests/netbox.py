"""A reference server that speaks NetBox's REST dialect, as NetBox 4.6.8 answered when it was asked: for tests, with state.

Lists with `limit`, `offset`, `ordering` and filters; weak ETags, If-Match and 412; custom fields that must be declared; a redirect for a
missing slash; event-rule webhooks signed with HMAC-SHA512.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import itertools
import json
from collections.abc import Callable
from typing import Any

from tests.toolserver import Asked, Says

TOKEN = "nbt_reference.0123456789abcdef"
MOST_A_PAGE = 1_000
CHOICES = ("status",)
MODELS = {
    "/api/dcim/devices/": "dcim.device", "/api/virtualization/virtual-machines/": "virtualization.virtualmachine",
    "/api/virtualization/clusters/": "virtualization.cluster", "/api/virtualization/cluster-types/": "virtualization.clustertype",
    "/api/ipam/services/": "ipam.service", "/api/extras/custom-fields/": "extras.customfield",
}  # fmt: skip
REFERENCES = {"cluster": "/api/virtualization/clusters/", "device": "/api/dcim/devices/", "type": "/api/virtualization/cluster-types/"}


class NetBoxServer:
    """Answers as NetBox does. `etags = False` makes it one of before 4.6; `before` runs ahead of each answer, for what goes wrong."""

    def __init__(self, *, etags: bool = True) -> None:
        self.etags = etags
        self.tables: dict[str, dict[int, dict[str, Any]]] = {path: {} for path in MODELS}
        self.custom: set[str] = set()
        self.before: Callable[[Asked], Says | None] = lambda asked: None
        self._numbers = itertools.count(1)
        self.now = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)

    def __call__(self, asked: Asked) -> Says:
        if (said := self.before(asked)) is not None:
            return said
        if asked.headers.get("authorization") not in (f"Bearer {TOKEN}",):
            return Says(403, {"detail": "Invalid v2 token"})
        if not asked.path.endswith("/"):
            return Says(301, "", {"Location": f"{asked.path}/"})
        path, number = self._place(asked.path)
        if path is None:
            return Says(404, {"error": "Not Found"})
        if number is None:
            return self._list(path, asked) if asked.method == "GET" else self._create(path, asked.json)
        if number not in self.tables[path]:
            return Says(404, {"detail": f"No {MODELS[path].partition('.')[2]} matches the given query."})
        return self._one(path, number, asked)

    def _place(self, path: str) -> tuple[str | None, int | None]:
        if path in MODELS:
            return path, None
        before, _, number = path.rstrip("/").rpartition("/")
        return (f"{before}/", int(number)) if f"{before}/" in MODELS and number.isdigit() else (None, None)

    def _one(self, path: str, number: int, asked: Asked) -> Says:
        row = self.tables[path][number]
        tag = self.tag(row)
        wanted = asked.headers.get("if-match")
        if asked.method in ("PATCH", "DELETE") and self.etags and wanted and wanted not in (tag, "*"):
            return Says(412, {"detail": "Precondition failed."}, {"ETag": tag})
        if asked.method == "DELETE":
            del self.tables[path][number]
            return Says(204, "")
        if asked.method == "PATCH":
            refused = self._take(row, asked.json)
            if refused:
                return refused
        return Says(200, self._shown(path, row), {"ETag": self.tag(row)} if self.etags else {})

    def _list(self, path: str, asked: Asked) -> Says:
        rows = [row for row in self.tables[path].values() if self._fits(row, asked.query)]
        rows.sort(key=lambda row: row["id"] if asked.query.get("ordering") == "id" else (row["name"] or "", row["id"]))
        limit, offset = min(int(asked.query.get("limit", 50)), MOST_A_PAGE), int(asked.query.get("offset", 0))
        later = offset + limit < len(rows)
        following = f"http://{asked.headers['host']}{path}?limit={limit}&offset={offset + limit}" if later else None
        results = [self._shown(path, row) for row in rows[offset : offset + limit]]
        return Says(200, {"count": len(rows), "next": following, "previous": None, "results": results})

    def _fits(self, row: dict[str, Any], query: dict[str, str]) -> bool:
        since = query.get("last_updated__gte")
        return (
            row["id"] > int(query.get("id__gt", 0))
            and (since is None or dt.datetime.fromisoformat(row["last_updated"]) >= dt.datetime.fromisoformat(since))
            and ("name" not in query or row["name"] == query["name"])
        )

    def _create(self, path: str, told: dict[str, Any]) -> Says:
        number = next(self._numbers)
        row: dict[str, Any] = {"id": number, "name": None, "custom_fields": {}, "last_updated": "", "version": 0}
        refused = self._take(row, told)
        if refused:
            return refused
        self.tables[path][number] = row
        if path == "/api/extras/custom-fields/":
            self.custom.add(row["name"])
        return Says(201, self._shown(path, row), {"ETag": self.tag(row)} if self.etags else {})

    def _take(self, row: dict[str, Any], told: dict[str, Any]) -> Says | None:
        unknown = set(told.get("custom_fields", {})) - self.custom
        if unknown:
            told = f"Custom field '{(name := sorted(unknown)[0])}' does not exist for this object type."
            return Says(400, {"custom_fields": {name: told}})
        for name, value in told.items():
            if name == "custom_fields":
                row["custom_fields"] = {**row["custom_fields"], **value}
            elif name != "changelog_message":
                row[name] = value
        self.now += dt.timedelta(seconds=1)
        row["version"] += 1
        row["last_updated"] = f"{self.now:%Y-%m-%dT%H:%M:%S.%fZ}"
        return None

    def tag(self, row: dict[str, Any]) -> str:
        return f'W/"{str(row["last_updated"]).replace("Z", "+00:00")}"'

    def _shown(self, path: str, row: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in row.items() if name != "version"}
        for name in CHOICES:
            if isinstance(row.get(name), str):
                shown[name] = {"value": row[name], "label": row[name].capitalize()}
        for name, table in REFERENCES.items():
            if isinstance(row.get(name), int):
                shown[name] = {"id": row[name], "name": self.tables[table][row[name]]["name"]}
        fields = {**dict.fromkeys(sorted(self.custom)), **row["custom_fields"]}
        return {**shown, "custom_fields": fields, "display": row["name"] or f"({row['id']})"}

    def change(self, path: str, number: int, **told: Any) -> None:
        """Somebody edits an item by hand."""
        assert self._take(self.tables[path][number], told) is None

    def event(self, path: str, number: int, secret: str, *, event: str = "updated") -> tuple[bytes, str]:
        """Body and X-Hook-Signature of the webhook that an event rule sends."""
        row = self.tables[path].get(number, {"id": number, "name": None, "custom_fields": {}})
        told = {
            "event": event, "timestamp": f"{self.now:%Y-%m-%dT%H:%M:%S.%f+00:00}", "object_type": MODELS[path],
            "data": self._shown(path, row), "snapshots": {"prechange": None, "postchange": None}, "request": {"id": "x", "user": "ann"},
        }  # fmt: skip
        body = json.dumps(told).encode()
        return body, hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
