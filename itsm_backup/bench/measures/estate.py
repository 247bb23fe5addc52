"""Pages: with ten times the history, beside hand-written SQL, and beside what NetBox and healthchecks take for theirs."""

from __future__ import annotations

from collections.abc import Iterator

from itsm_backup.bench import measuring
from itsm_backup.bench.floors import paper
from itsm_backup.bench.looking import Looker, beside_longer_history, beside_sql, history
from itsm_backup.bench.measuring import Measured, Rounds, tell
from itsm_backup.bench.sizes import Size

PAGES = {
    "home": "/",
    "services list": "/services/",
    "service page": "/services/SVC-00007/",
}
# Measured on another machine (docs/performance.md), in milliseconds; turned into this machine's by a document that was laid out on both.
NETBOX_LIST_MS, HEALTHCHECKS_PAGE_MS, HEALTHCHECKS_PAGE_BYTES = 372.0, 355.0, 2_060_000


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G8, G9, G10 and G11."""
    usual, longer = history("looked", size.services, size.runs, template), history("looked_long", size.services, size.more_runs, template)
    yield from beside_longer_history(size, usual, longer, PAGES)
    yield from beside_sql(size, usual, PAGES)
    yield from _beside_peers(size, usual)


def _beside_peers(size: Size, usual: str) -> Iterator[Measured]:
    looker = Looker(usual)
    sides = {"list": lambda: looker.took_ms("/services/"), "home": lambda: looker.took_ms("/"), "paper": paper.took_ms}
    tell("estate: beside NetBox and healthchecks, by way of a document that was laid out on both machines")
    rounds = measuring.alternate(sides, rounds=size.rounds)
    factors = [ms / paper.THERE_MS for ms in rounds["paper"]]
    note = (
        f"The peer's figure is of another machine, {{:.0f}} ms; a plain document took {paper.THERE_MS:.0f} ms to lay out there, so here "
        f"its page would take about as much longer or shorter. An estimate, not a measurement of the peer."
    )
    for goal, what, ours, peer_ms, limit in (
        ("G10", "list of 50 services beside NetBox's list of 50 devices", "list", NETBOX_LIST_MS, 0.25),
        ("G11", f"home with {size.services:,} jobs beside healthchecks' page of 1,000", "home", HEALTHCHECKS_PAGE_MS, 0.4),
    ):
        beside: Rounds = {"product": rounds[ours], "the peer, estimated": [peer_ms * factor for factor in factors]}
        yield measuring.compared(
            beside, goal=goal, what=what, product="product", base="the peer, estimated", limit=limit, at_least=False, unit="ms",
            note=note.format(peer_ms),
        )  # fmt: skip
    share = len(looker.look("/")) / HEALTHCHECKS_PAGE_BYTES
    yield measuring.counted(
        goal="G11", what="HTML of home beside healthchecks' page of 1,000 checks", value=share, limit=0.5, unit="of its bytes"
    )
