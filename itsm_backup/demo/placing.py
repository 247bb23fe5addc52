"""Where the copies of the demo lie, as its steward said it once: some well placed, some not, and one repository that nobody looked at."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth import get_user_model

from itsm_backup.common.models import because
from itsm_backup.demo.replaying import demo_tools
from itsm_backup.demo.world import day_at
from monitoring.models import BackupJob, Repository

SAID_BEFORE = 75  # days before the anchor
HALL = {"medium": "disk", "site": "Northmoor main hall", "is_offsite": False, "is_offline": False, "lock_days": 0}
VAULT = {"medium": "disk", "site": "Harbour data centre", "is_offsite": True, "is_offline": False, "lock_days": 0}
# By tool: what was said of the repository that it writes to, and of the place to which its storage copies by itself.
PLACES: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {
    "restic-imaging": (HALL, {"Tape library": {"medium": "tape", "site": "Harbour data centre", "is_offsite": True, "is_offline": True}}),
    "restic-digital": ({"medium": "object", "site": "Cloud, London", "is_offsite": True, "is_offline": False, "lock_days": 14}, {}),
    "pgbackrest-clinical": (
        HALL,
        {"Locked bucket": {"medium": "object", "site": "Cloud, London", "is_offsite": True, "is_offline": False, "lock_days": 30}},
    ),
    "pgbackrest-warehouse": (HALL, {}),
    "borg-corporate": (VAULT, {"Second vault": {**HALL, "lock_days": None}}),
}


def place(*, anchor_at: dt.datetime) -> int:
    """Declare them as said on a day of the replayed history; returns how many repositories are new."""
    by = get_user_model().objects.filter(username="steward").first()
    said_at, before = day_at(anchor_at, SAID_BEFORE, dt.time(10)), Repository.objects.count()
    with because("Walked through the data halls with the storage team", by=by):
        for tool in demo_tools():
            said, copies = PLACES.get(tool.name, ({}, {}))
            names = BackupJob.objects.filter(tool=tool).order_by("repository_name").values_list("repository_name", flat=True).distinct()
            for name in names if said else ():
                first = _said(tool, name or "", said, None, said_at)
                for copied_to, of_copy in copies.items():
                    _said(tool, f"{copied_to} for {name}" if len(names) > 1 else copied_to, of_copy, first, said_at)
    return Repository.objects.count() - before


def _said(tool: Any, name: str, said: dict[str, Any], copy_of: Repository | None, at: dt.datetime) -> Repository:
    known = Repository.objects.filter(tool=tool, name=name).first()
    if known is not None:
        return known
    row = Repository(tool=tool, name=name, copy_of=copy_of, **said)
    row._history_date = at  # type: ignore[attr-defined]  # known from then on
    row.save()
    return row
