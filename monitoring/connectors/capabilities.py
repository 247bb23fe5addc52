"""What a tool can give us, in seven questions that every connector answers for its kind."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Level = Literal["full", "part", "none"]


class Capability(NamedTuple):
    """One question about a tool: its name in words, what it asks, and how much it weighs unless somebody says otherwise."""

    label: str
    asks: str
    weight: int


CAPABILITIES: dict[str, Capability] = {
    "read_runs": Capability("Read runs", "Are all runs read, failed ones too?", 5),
    "read_schedules": Capability("Read schedules", "Does it say when a run was due?", 2),
    "verify_data": Capability("Verify data", "Does it say whether copies were checked or restored?", 3),
    "write_back": Capability("Write back", "Can it be told what the catalogue expects?", 1),
    "incremental": Capability("Go on where it stopped", "Is only what is new read the next time?", 3),
    "authentication": Capability("Sign-in", "Does it let in only who has a secret, over a protected way?", 3),
    "rate_limits": Capability("Rate limits", "Is it asked gently, and its wish for fewer questions obeyed?", 2),
}
READ_ONLY = "The product only reads it; nothing is written."
HTTP_LIMITS = (
    "Waits as long as Retry-After asks, up to a minute, and tries three times; a round ends after five minutes, 64 MiB or 1,000 pages."
)

PROGRAM_LIMITS = "A few calls a round, each within its time limit; no lock of the repository is waited for."
LOCK_LIMITS = "A few calls a round, each within its time limit; while a backup holds the lock the round is refused and comes again later."


class Declared(msgspec.Struct, frozen=True):
    """How far a connector answers one question, and in what way."""

    level: Level
    words: str


def full(words: str) -> Declared:
    return Declared("full", words)


def part(words: str) -> Declared:
    return Declared("part", words)


def none(words: str) -> Declared:
    return Declared("none", words)


def declare(**told: Declared) -> dict[str, Declared]:
    """All seven; what is not named is not offered."""
    if odd := set(told) - set(CAPABILITIES):
        raise ValueError(f"There is no capability {', '.join(sorted(odd))}; there are: {', '.join(CAPABILITIES)}.")
    aside = {"write_back": none(READ_ONLY)}
    return {name: told.get(name) or aside.get(name) or none("Not offered.") for name in CAPABILITIES}
