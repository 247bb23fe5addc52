"""A small estate with one story: a service whose backups fail, one that keeps its promise, one that nothing is known of."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from catalogue.models import Relation, Service
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.portal.asof import Moment
from monitoring.models import BackupJob, Tool
from tests.factories import make_job, make_schedule, make_service, make_tool, make_user, push, run_record

HOUR = dt.timedelta(hours=1)
FULL = "Fatal: unable to save snapshot: no space left on device"


@dataclass(frozen=True)
class Estate:
    at: dt.datetime
    imaging: Service  # tier 1, promise 4 h, newest copy 5 h old, two failed runs since
    reporting: Service  # stops with imaging; keeps its promise
    research: Service  # nothing is mapped to it
    tool: Tool
    job: BackupJob

    @property
    def moment(self) -> Moment:
        return Moment(at=self.at, now=self.at)


def make_estate(at: dt.datetime) -> Estate:
    """The estate as the journey left it at `at`."""
    start = at - dt.timedelta(days=2)
    common = {"at": start, "success_rate": "0.9"}
    imaging = make_service(
        "SVC-003", rpo_s=4 * 3600, tier=1, name="Imaging archive", department="Radiology", labels=["Patient data"], **common
    )
    reporting = make_service("SVC-011", rpo_s=8 * 3600, tier=2, name="Radiology reporting", department="Radiology", **common)
    research = make_service("SVC-033", rpo_s=48 * 3600, tier=4, name="Research file shares", department="Research", **common)
    with because("test"):
        relation = Relation(provider=imaging, consumer=reporting)
        relation._history_date = start  # known from then on
        relation.save()
    tool = make_tool(at=start, name="bkp-ctl-02", label="Backup control")
    job = make_job(tool, "pacs-2h", at=start, service=imaging, repository_name="NAS-02")
    other = make_job(tool, "ris-4h", at=start, service=reporting)
    make_schedule(job, local_times=",".join(f"{(at - n * HOUR):%H:%M}" for n in range(1, 24, 2)), grace_s=3600)
    make_schedule(other, local_times=",".join(f"{(at - n * HOUR):%H:%M}" for n in range(2, 24, 4)), grace_s=3600)
    known = at - 4.6 * HOUR
    good = [("pacs-2h", hours) for hours in range(47, 4, -2)] + [("ris-4h", hours) for hours in range(46, 5, -4)]
    push(tool, *(run_record(name, "success", at - hours * HOUR, bytes_stored=158_000_000_000) for name, hours in good), at=known)
    journey.advance(at=at - 4.5 * HOUR)
    push(tool, run_record("ris-4h", "success", at - 2 * HOUR), at=at - 1.8 * HOUR)
    for hours in (3, 1):
        failed = run_record("pacs-2h", "failed", at - hours * HOUR, minutes=2, native_message=FULL, exit_code=1)
        push(tool, failed, at=at - hours * HOUR + dt.timedelta(minutes=3))
    journey.advance(at=at - HOUR + dt.timedelta(minutes=3))
    journey.advance(at=at)
    return Estate(at=at, imaging=imaging, reporting=reporting, research=research, tool=tool, job=job)


def add_services(count: int, at: dt.datetime, tool: Tool) -> None:
    """More services that keep their promise, each with a job and a copy."""
    for number in range(count):
        service = make_service(
            f"SVC-9{number:02}", at=at - dt.timedelta(days=2), name=f"Other service {number}", tier=3, department="Digital"
        )
        job = make_job(tool, f"other-{number}", at=at - dt.timedelta(days=2), service=service)
        push(tool, run_record(job.external_id, "success", at - HOUR), at=at)
    journey.advance(at=at)


def make_person(role: str, at: dt.datetime, **limits: Any) -> Any:
    """Somebody who holds the role, everywhere or limited to services, tools or departments."""
    from itsm_backup.granting import ensure_roles, grant
    from tests.factories import make_admin

    ensure_roles(at=at)
    user = make_user(first_name=role.capitalize(), last_name="Person")
    grant(user=user, role=role, by=make_admin(), at=at, reason="test", **limits)
    return type(user).objects.get(pk=user.pk)
