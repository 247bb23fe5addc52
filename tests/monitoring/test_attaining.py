"""What so far was measured of a month is read against the target, also while the budget of the whole month would bear it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from monitoring.attaining import _attained
from monitoring.objectives import Objective

OBJECTIVE = Objective(
    key="rpo_attainment_rate", name="Time within the recovery point", method="BM-RPO-TW", unit="share", target=0.97, warning=0.973,
    window="month", promised=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "consumed", "status"),
    [
        (0.0, 0.003, "at_risk"),
        (0.9699, 0.5, "at_risk"),
        (0.97, 0.5, "kept"),
        (1.0, 0.0, "kept"),
        (0.98, 0.95, "at_risk"),
        (0.96, 1.3, "broken"),
    ],
)
def test_less_than_the_target_so_far_is_never_kept(rate, consumed, status):
    attainment = {"attainment": rate, "period_seconds": 242, "noncompliant_seconds": round(242 * (1 - rate))}
    recovery = SimpleNamespace(attainment=attainment, budget={"consumed": consumed}, lacking="")
    found = _attained(OBJECTIVE, SimpleNamespace(recovery=recovery))  # type: ignore[arg-type]
    assert (found.status, found.actual, found.left) == (status, rate, 1 - consumed)
