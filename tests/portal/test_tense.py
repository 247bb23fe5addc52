"""What is over is told as what was."""

from __future__ import annotations

import pytest

from itsm_backup.portal import tense
from monitoring.shipping import CAUSES


@pytest.mark.parametrize(
    ("now", "was"),
    [
        ("Backups of Pharmacy fail because the storage is full", "Backups of Pharmacy failed because the storage was full"),
        (
            "Backups of Is this it and 2 more services fail because nothing can be written to the storage, which may be full",
            "Backups of Is this it and 2 more services failed because nothing could be written to the storage, which may have been full",
        ),
        ("Echo is past its recovery point promise", "Echo was past its recovery point promise"),
        ("Echo has damaged copies, a check found", "Echo had damaged copies, a check found"),
        ("nightly keeps failing and recovering", "nightly kept failing and recovering"),
        ("nightly failed: the storage is full", "nightly failed: the storage is full"),
    ],
)
def test_titles_of_what_is_over_are_in_the_past(now, was):
    assert tense.told(now, over=True) == was
    assert tense.told(now, over=False) == now


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_every_cause_that_is_shipped_can_be_told_of_the_past(cause):
    told = tense.told(f"Backups of Pharmacy fail because {cause.title}", over=True)
    assert not {"is", "are", "does", "can", "cannot"} & set(told.split())
