"""How old the newest copy of every service is, as pages ask for it: beside the rows that hold the state and beside walking the runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model

from itsm_backup.bench import databases, measuring
from itsm_backup.bench.floors import questions
from itsm_backup.bench.looking import history, least_ms
from itsm_backup.bench.measuring import Measured
from itsm_backup.bench.sizes import Size
from itsm_backup.common.time import now
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.standing import standings

QUICKER_THAN_RUNS = 50


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G12."""
    databases.use(history("looked_long", size.services, size.more_runs, template))
    root = get_user_model().objects.get(username="root")
    sides = {
        "pages": lambda: least_ms(lambda: _asked(root)),
        "state rows": lambda: least_ms(lambda: questions.rows(questions.EXPOSURE)),
        "walking the runs": lambda: least_ms(lambda: questions.rows(questions.EXPOSURE_OF_RUNS)),
    }
    rounds = measuring.alternate(sides, rounds=size.rounds)
    what = f"exposure of {size.services:,} services, as pages ask for it,"
    yield measuring.compared(
        rounds, goal="G12", what=f"{what} beside reading every row of their state", product="pages", base="state rows",
        limit=3, at_least=False, unit="ms", note="Pages also ask for the version in force and who may see it.",
    )  # fmt: skip
    yield measuring.compared(
        rounds, goal="G12", what=f"{what} beside walking {size.services * size.more_runs:,} runs", product="pages",
        base="walking the runs", limit=1 / QUICKER_THAN_RUNS, at_least=False, unit="ms",
    )  # fmt: skip


def _asked(person: Any) -> list[Any]:
    at = now()
    rows: Any = standings(person, Moment(at=at, now=at))
    return list(rows.order_by().values_list("service__code", "verdict", "captured_at", "promised_s"))
