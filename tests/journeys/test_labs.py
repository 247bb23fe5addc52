"""Every tool that Debian has, with a week of known nights made by the real program: the ledger tells each as it was, and no other."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from itsm_backup import journey
from itsm_backup.common.http.addresses import Allowed
from monitoring import intake, polling
from monitoring.models import BackupJob, BackupRun, ExpectedRun, QuarantinedRecord, Tool
from tests.factories import make_schedule, make_tool
from tests.labs import archives, bacula, bacula_daemons, barman, pgbackrest
from tests.labs.nights import END, NIGHTS, SERVICES, Lab, begins_at, what_happened
from tests.labs.postgres import BINARIES

pytestmark = [pytest.mark.django_db, pytest.mark.req("2.3")]
AFTER = dt.datetime.combine(END + dt.timedelta(days=1), dt.time(12), dt.UTC)  # the last night can no longer be made good
POSTGRES = str(BINARIES / "postgres")


def lab_of(kind: type[Any], *programs: str) -> Any:
    return pytest.param(kind, id=kind.kind, marks=pytest.mark.real_tool(*programs))


LABS = [
    lab_of(archives.Restic, "restic"),
    lab_of(archives.Borg, "borg"),
    lab_of(archives.Borgmatic, "borgmatic", "borg"),
    lab_of(pgbackrest.PgBackRest, "pgbackrest", "faketime", POSTGRES),
    lab_of(barman.Barman, "barman", POSTGRES),
    lab_of(bacula.Bacula, *bacula_daemons.NEEDED),
]


@pytest.fixture
def lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    folder.chmod(0o755)  # PostgreSQL's account has to reach what lies in it
    monkeypatch.setenv("HOME", str(folder))
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    made: Lab = request.param(folder)
    try:
        made.make()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("lab", LABS, indirect=True)
def test_the_ledger_tells_every_night_as_it_was(lab: Lab) -> None:
    jobs = dict(zip(SERVICES, _polled(lab), strict=True))
    journey.advance(at=AFTER)
    for service, job in jobs.items():
        told = {night: outcome for night, outcome in what_happened(service).items() if outcome != "missed"}
        told |= {night: lab.kept.get(night) for night, outcome in told.items() if outcome == "failed"}
        assert _runs(job) == {night: outcome for night, outcome in told.items() if outcome}  # nothing else is claimed
        assert _ledger(job) == {night: _due(told.get(night)) for night in NIGHTS}

    pushed = [intake.receive(tool=jobs["breaks"].tool, answer=answer, at=AFTER) for answer in lab.reports().values()]
    journey.advance(at=AFTER)
    assert all(result.status == "stored" for receipt in pushed for result in receipt.results)
    assert {*lab.kept, *lab.reports()} == {night for night, outcome in what_happened("breaks").items() if outcome == "failed"}
    failed = {night: lab.kept.get(night, "failed") for night in (*lab.kept, *lab.reports())}
    everything = {night: failed.get(night, "success") for night in NIGHTS}
    assert _runs(jobs["breaks"]) == everything
    assert _ledger(jobs["breaks"]) == {night: _due(outcome) for night, outcome in everything.items()}
    assert not QuarantinedRecord.objects.exists()


def _polled(lab: Lab) -> list[BackupJob]:
    """The job of each service, in order, after every source of the lab was asked once; each is due at half past one."""
    found: list[BackupJob] = []
    for source in lab.sources():
        tool: Tool = make_tool(lab.kind, at=begins_at(NIGHTS[0]) - dt.timedelta(hours=12), settings=source, secrets=lab.secrets)
        receipt = polling.poll(tool=tool, at=AFTER, run=lab.run)
        assert receipt.complete, receipt.problems
        found += sorted(BackupJob.objects.filter(tool=tool), key=lambda job: _place(job.external_id))
    for job in found:
        make_schedule(job, local_times="01:30", grace_s=2 * 3600)
    return found


def _place(external_id: str) -> int:
    return [*SERVICES].index(external_id) if external_id in SERVICES else 0


def _runs(job: BackupJob) -> dict[dt.date, str]:
    """The outcome of each night that is told of, by the day on which its run began."""
    runs = BackupRun.objects.filter(job=job).values_list("started_at", "outcome")
    told = [(started_at.date(), outcome) for started_at, outcome in runs]
    assert len(told) == len(dict(told)), told
    return dict(told)


def _ledger(job: BackupJob) -> dict[dt.date, tuple[str, int, str | None]]:
    rows = ExpectedRun.objects.filter(job=job, local_on__lte=END).values_list("local_on", "state", "attempts", "worst_outcome")
    return {on: (state, attempts, outcome) for on, state, attempts, outcome in rows}


def _due(outcome: str | None) -> tuple[str, int, str | None]:
    """What the ledger says of a night: kept, or missed, after so many attempts that came to this."""
    return ("satisfied" if outcome == "success" else "missed", int(outcome is not None), outcome)
