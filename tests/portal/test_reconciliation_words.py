"""How a published figure and the recounted one read beside each other."""

from __future__ import annotations

import pytest

from itsm_backup.portal import reconciliation_page
from reporting.models import Discrepancy

pytestmark = pytest.mark.req("3.6")


@pytest.mark.parametrize(
    ("exceeded_s", "said"), [(283, "24 h 4 min at the longest, 4 min over it"), (0, "24 h 4 min at the longest, within it")]
)
def test_what_stayed_within_the_recovery_point_is_not_said_to_be_over_it(exceeded_s, said):
    value = {"longest_s": 86683, "attainment": 1.0, "exceeded_s": exceeded_s}
    assert reconciliation_page._words(Discrepancy.Figure.RECOVERY, value) == said


def test_where_nothing_was_due_no_share_is_told():
    assert reconciliation_page._words(Discrepancy.Figure.SUCCESS, {"good": 0, "settled": 0}) == "Nothing was due"
    assert reconciliation_page._words(Discrepancy.Figure.SUCCESS, {"good": 61, "settled": 62}) == "61 of 62"
