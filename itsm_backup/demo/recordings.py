"""The recorded answers that the replay starts from, as the tools wrote them (see recordings/README.md)."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("recordings")
VERSIONS = {"restic": "restic 0.18.0", "borg": "borg 1.4.5"}


@lru_cache
def text(name: str) -> str:
    """A recorded output, e.g. `restic-disk-full.txt`."""
    return (FOLDER / name).read_text()


def document(name: str) -> Any:
    """A recorded JSON document, new for each caller, who may change it."""
    return json.loads(text(name))
