"""How much each benchmark generates: tiny proves that it runs, full is the size of the published figures."""

from __future__ import annotations

import msgspec


class Size(msgspec.Struct, kw_only=True, frozen=True):
    """`runs` are of each service; `more_runs` those of the estate whose history is longer."""

    services: int
    runs: int
    more_runs: int
    seconds: float  # of load in each round
    batches: int  # of 500 records in each round
    report_services: int
    entries: int  # of the catalogue; it is also measured with a tenth of them
    sources: int  # that are asked
    rounds: int = 5


SIZES = {
    "tiny": Size(services=40, runs=20, more_runs=40, seconds=0.3, batches=1, report_services=20, entries=200, sources=12, rounds=2),
    "small": Size(services=200, runs=100, more_runs=1_000, seconds=1.0, batches=4, report_services=200, entries=2_000, sources=100),
    "full": Size(services=1_000, runs=100, more_runs=1_000, seconds=3.0, batches=8, report_services=1_000, entries=10_000, sources=1_000),
    "large": Size(
        services=10_000, runs=100, more_runs=1_000, seconds=3.0, batches=8, report_services=10_000, entries=10_000, sources=1_000
    ),
}
