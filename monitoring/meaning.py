"""A status and unit map laid over what a connector read. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, get_args

import msgspec

from monitoring.connectors.base import Outcome, Reading, Record
from monitoring.connectors.map_document import UNITS

OUTCOMES: tuple[str, ...] = get_args(Outcome)
GOOD, MAKES_COPIES = ("success", "warning"), ("backup", "copy", "replicate", "log_backup")
NUMBERS = {"bytes_source": "bytes protected", "bytes_stored": "bytes stored"}
MOST_WORDS, LONGEST_WORD = 200, 120


class Meaning(NamedTuple):
    """One version of a map: `words` the tool's word and its outcome (`*` at the end stands for any rest), `units` by number."""

    words: Mapping[str, str] = {}
    units: Mapping[str, str] = {}

    def of(self, status: str | None) -> str | None:
        """What the tool's word means; None where the map says nothing. The exact word goes before the longest beginning."""
        if status is None or not self.words:
            return None
        word = status.casefold()
        exact = next((meant for said, meant in self.words.items() if said.casefold() == word), None)
        begins = [said for said in self.words if said.endswith("*") and word.startswith(said[:-1].casefold())]
        return exact or (self.words[max(begins, key=len)] if begins else None)

    def applied(self, reading: Reading) -> Reading:
        """The reading with this meaning: the outcome of runs that are over, and numbers in bytes."""
        if not self.words and not self.units:
            return reading
        return msgspec.structs.replace(reading, records=[self._record(record) for record in reading.records])

    def _record(self, record: Record) -> Record:
        changes: dict[str, Any] = {name: _in_bytes(getattr(record, name), unit) for name, unit in self.units.items()}
        meant = self.of(record.native_status) if record.state == "finished" else None
        if meant and meant != record.outcome:
            copies = meant in GOOD and record.operation in MAKES_COPIES
            changes |= {"outcome": meant, "consistent_at": record.consistent_at or record.started_at if copies else None}
        return msgspec.structs.replace(record, **changes)


def _in_bytes(value: int | None, unit: str) -> int | None:
    found = None if value is None else value * UNITS[unit]
    return found if found is None or found < 2**63 else None


def problems(words: Mapping[str, str], units: Mapping[str, str]) -> list[str]:
    """What stands against a map, in sentences; empty when it can be used."""
    found = [f"“{said}” means {meant}, which is none of {', '.join(OUTCOMES)}." for said, meant in words.items() if meant not in OUTCOMES]
    found += [f"“{said[:40]}…” is longer than {LONGEST_WORD} characters." for said in words if len(said) > LONGEST_WORD]
    found += ["A word is empty: write what the tool says." for said in words if not said.strip()]
    found += [
        "“*” would turn every word, failures too, into a good run. List the good words one by one."
        for said, meant in words.items()
        if said.strip() == "*" and meant in GOOD
    ]
    twice = [said for said, count in Counter(said.casefold() for said in words).items() if count > 1]
    found += [f"“{said}” stands there twice." for said in twice]
    found += [f"{name} is no number that can be converted; there are {', '.join(NUMBERS)}." for name in units if name not in NUMBERS]
    found += [f"{unit} is no unit; there are {', '.join(UNITS)}." for unit in units.values() if unit not in UNITS]
    return found + ([f"More than {MOST_WORDS} words."] if len(words) > MOST_WORDS else [])


def changes(before: Meaning, after: Meaning) -> list[str]:
    """What differs between two versions, a sentence for each word and number."""
    told = [f"“{said}” means {meant}." for said, meant in after.words.items() if said not in before.words]
    told += [f"“{said}” means what the connector says again." for said in before.words if said not in after.words]
    told += [
        f"“{said}”: {before.words[said]} → {meant}."
        for said, meant in after.words.items()
        if said in before.words and before.words[said] != meant
    ]
    names: Iterable[str] = dict.fromkeys([*before.units, *after.units])
    return told + [
        f"{NUMBERS[name].capitalize()}: {before.units.get(name, 'B')} → {after.units.get(name, 'B')}."
        for name in names
        if before.units.get(name, "B") != after.units.get(name, "B")
    ]
