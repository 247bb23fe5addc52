"""What a body of `POST /api/v1/runs` may hold, as JSON Schema: made from the same structures that read it."""

from __future__ import annotations

from typing import Any

import msgspec

from monitoring.connectors.push import Event, Report
from monitoring.connectors.push_records import Sent


def components() -> dict[str, Any]:
    """The schemas that `BODIES` refers to, for the components of the OpenAPI document."""
    _, found = msgspec.json.schema_components([Sent, Report, Event], ref_template="#/components/schemas/{name}")
    found["SentRecord"] = found.pop("Sent") | {
        "description": "One run or artefact. Required: external_id, job_external_id, a time, and the outcome of a finished run."
    }
    found["SentRecord"]["properties"]["created_at"].pop("default")  # a mark of our own for "not told"
    found["WrapperReport"] = found.pop("Report")
    found["CloudEvent"] = found.pop("Event")
    found["CloudEvent"]["properties"]["data"] = {"anyOf": [_ref("SentRecord"), _ref("WrapperReport")]}
    return found


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_ONE = {"anyOf": [_ref("SentRecord"), _ref("WrapperReport"), _ref("CloudEvent")]}
_MANY = {"type": "array", "items": _ONE, "maxItems": 5_000}
BODIES: dict[str, Any] = {
    "application/json": {"anyOf": [_MANY, _ONE]},
    "application/x-ndjson": {"type": "string", "description": "One JSON object a line."},
    "application/cloudevents+json": _ref("CloudEvent"),
    "application/cloudevents-batch+json": {"type": "array", "items": _ref("CloudEvent"), "maxItems": 5_000},
}
