"""A published figure worked out again by the version of the method that counted it, from the inputs that were kept with it."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from monitoring.methods import measure
from monitoring.models import Figure


def recalculate(figure: Figure) -> dict[str, Any]:
    """`value` now, and whether it `agrees` with the published one from inputs that are as they were.

    Raises MethodError where the method and version are not there any more.
    """
    value = measure(figure.method_id, figure.inputs, version=figure.method_version)
    kept = hashlib.sha256(msgspec.json.encode(figure.inputs, order="sorted")).digest() == bytes(figure.inputs_hash)
    return {"value": value, "agrees": kept and value == figure.value}
