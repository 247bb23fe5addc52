"""One worked example a method: what goes in, what must come out. A test replays each, and the method's page shows it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

FILE = Path(__file__).with_suffix(".jsonl")


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs of a method and the result that it must give for them; `note` says what the example is about, where that is not plain."""

    method_id: str
    version: str
    note: str
    inputs: dict[str, Any]
    expected: Any


@lru_cache(maxsize=1)
def examples() -> dict[tuple[str, str], Example]:
    """Every worked example, by method and version."""
    read = msgspec.json.Decoder(Example).decode_lines(FILE.read_bytes())
    return {(one.method_id, one.version): one for one in read}
