"""A small estate that has a whole June behind it: promises kept, broken, nearly broken, unknown and held."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from catalogue.models import Service, Window
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring.models import BackupJob, Tool
from reporting.models import ReportSchedule
from reporting.scoping import Month
from tests.factories import make_job, make_schedule, make_service, make_tool, make_user, push, run_record

ZONE = "Europe/London"
JUNE = Month(first=dt.date(2026, 6, 1), zone=ZONE)
MAY_20 = dt.datetime(2026, 5, 20, tzinfo=dt.UTC)
JULY_1 = dt.datetime(2026, 7, 1, 5, 0, tzinfo=dt.UTC)  # 06:00 where the report is read
NIGHT = dt.timedelta(hours=1)  # 02:00 in London
FULL = "Fatal: unable to save snapshot: no space left on device"


@dataclass(frozen=True)
class Estate:
    records: Service  # keeps everything
    warehouse: Service  # one night failed, one missed: RPO exceeded twice, success below the promise
    imaging: Service  # 28 h old once: at risk
    research: Service  # nothing maps to it
    theatre: Service  # held by maintenance in one night
    tool: Tool
    jobs: dict[str, BackupJob]


def make_estate(*, missing: tuple[int, ...] = (17,), failed: tuple[int, ...] = (6,)) -> Estate:
    """June of five services; `missing` and `failed` are the warehouse's nights without a run and with a failed one."""
    tool = make_tool(at=MAY_20, name="bkp-ctl-02", label="Backup control")
    common: dict[str, Any] = {"at": MAY_20, "zone": ZONE}
    services = {
        "records": make_service(
            "SVC-001", name="Patient record (EPR)", tier=1, department="Medicine", application_type="Clinical records",
            rpo_s=30 * 3600, success_rate="0.98", **common,
        ),
        "warehouse": make_service(
            "SVC-002", name="Data warehouse", tier=3, department="Finance", application_type="Business systems",
            rpo_s=26 * 3600, success_rate="0.98", **common,
        ),
        "imaging": make_service(
            "SVC-003", name="Imaging archive (PACS)", tier=1, department="Radiology", application_type="Imaging",
            rpo_s=30 * 3600, success_rate="0.95", **common,
        ),
        "research": make_service(
            "SVC-004", name="Research file shares", tier=4, department="Research", application_type="Business systems",
            rpo_s=48 * 3600, success_rate="0.92", **common,
        ),
        "theatre": make_service(
            "SVC-005", name="Theatre scheduling", tier=2, department="Surgery", application_type="Scheduling", rpo_s=80 * 3600,
            success_rate="0.95", **common,
        ),
    }  # fmt: skip
    jobs = {}
    for name in ("records", "warehouse", "imaging", "theatre"):
        jobs[name] = make_job(tool, f"{name}-nightly", at=MAY_20, service=services[name], repository_name="NAS-02")
        make_schedule(jobs[name], local_times="02:00", zone=ZONE, grace_s=4 * 3600)
    planner = make_user("planner")
    with because("test"):
        Window.objects.create(
            service=services["theatre"], starts_at=night(27) - NIGHT, ends_at=night(27) + NIGHT, purpose="Controller exchange",
            decided_at=MAY_20, decided_by=planner,
        )  # fmt: skip
    records = []
    for day in range(-12, 32):
        for name in jobs:
            if (name == "theatre" and day == 27) or (name == "warehouse" and day in missing):
                continue
            outcome = "failed" if name == "warehouse" and day in failed else "success"
            late = dt.timedelta(hours=3) if name == "imaging" and day == 12 else dt.timedelta(0)
            records.append(run(name, day, outcome, after=late))
    for at in range(0, len(records), 100):
        push(tool, *records[at : at + 100], at=JULY_1 - dt.timedelta(minutes=30))
    journey.advance(at=JULY_1 - dt.timedelta(minutes=20))
    return Estate(tool=tool, jobs=jobs, **services)


def night(day: int) -> dt.datetime:
    """02:00 in London on that day of June; day 0 is the last of May."""
    return dt.datetime(2026, 6, 1, 1, 0, tzinfo=dt.UTC) + dt.timedelta(days=day - 1)


def run(name: str, day: int, outcome: str = "success", *, after: dt.timedelta = dt.timedelta(0)) -> dict[str, Any]:
    more = {"native_message": FULL, "exit_code": 1} if outcome == "failed" else {"bytes_stored": 158_000_000_000}
    return run_record(f"{name}-nightly", outcome, night(day) + after, **more)


def late_run_arrives(estate: Estate, *, day: int = 17, at: dt.datetime = JULY_1 + dt.timedelta(days=1)) -> None:
    """The warehouse's run that seemed missed is told after the report was made."""
    push(estate.tool, run("warehouse", day), at=at)
    journey.advance(at=at)


def make_report_schedule(**fields: Any) -> ReportSchedule:
    owner = fields.pop("owner", None) or make_user()
    with because("test"):
        return ReportSchedule.objects.create(
            **{"name": "Monthly report", "owner": owner, "recipients": ["board@example.org"], "zone": ZONE, **fields}
        )
