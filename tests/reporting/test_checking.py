"""Checks come first: what they count, what they say of the data, and what a policy makes of that."""

from __future__ import annotations

import copy

import pytest

from monitoring.methods import measure
from monitoring.models import BackupJob, BackupRun, ExpectedRun, ToolState
from reporting import checking, collecting, compiling
from reporting.scoping import Scope, versions_of
from tests.factories import make_tool
from tests.reporting.makers import JULY_1, JUNE

pytestmark = pytest.mark.django_db


def compiled(policy="block"):
    return compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1, policy=policy)[0]


def check_of(report, name):
    return next(check for check in report.data["checks"]["checks"] if check["check"] == name)


def test_it_counts_as_the_published_method_does(estate):
    """BM-DQ over single records and our counting in the database agree, also when the data are bad."""
    runs = BackupRun.objects.filter(occurred_at__gte=JUNE.starts_at, occurred_at__lt=JUNE.ends_at).order_by("pk")
    runs.filter(pk__in=list(runs.values_list("pk", flat=True)[:3])).update(ended_at=JUNE.starts_at)  # before they started
    received = [
        {
            "source": run.tool_id,
            "external_id": run.external_id,
            "occurrence": ExpectedRun.objects.filter(job=run.job, due_at=run.occurred_at).values_list("pk", flat=True).first(),
            "job_mapped": run.service_id is not None,
            "entry_version_valid": run.service.version_at(run.occurred_at) is not None,
            "started_at": run.started_at.isoformat(),
            "ended_at": run.ended_at.isoformat(),
            "received_at": run.first_seen_at.isoformat(),
        }
        for run in runs.select_related("service")
    ]
    said = measure(
        "BM-DQ",
        {
            "received": received,
            "expected_occurrences": len({one["occurrence"] for one in received} - {None}),
            "evaluated_at": JULY_1.isoformat(),
            "last_ingested_at": JULY_1.isoformat(),
            "freshness_limit_seconds": 86_400,
            "skew_limit_seconds": collecting.SKEW_S,
        },
    )
    counted = checking.Counted()
    for line in collecting.read(versions=versions_of(Scope(), JUNE), month=JUNE):
        counted.add(line)
    result = checking.result_of(counted, tools=(0, 0), jobs=(4, 4))
    names = ("uniqueness", "referential", "skew_violations", "fresh", "gate")
    assert {name: result[name] for name in names} == {name: said[name] for name in names}
    assert result["gate"] == "qualified"


def test_sound_data_pass_and_the_result_is_part_of_the_report(estate):
    report = compiled()
    assert (report.state, report.data["checks"]["result"]) == ("issued", "passed")
    assert [check["state"] for check in report.data["checks"]["checks"]] == ["passed"] * 9


def test_a_clock_that_runs_ahead_marks_the_report(estate):
    run = BackupRun.objects.filter(occurred_at__gte=JUNE.starts_at).first()
    BackupRun.objects.filter(pk=run.pk).update(first_seen_at=run.started_at)
    report = compiled()
    assert report.state == "qualified"
    assert (check_of(report, "skew")["good"], check_of(report, "skew")["state"]) == (117, "qualified")


def test_a_job_that_maps_to_nothing_marks_the_report(estate):
    BackupJob.objects.create(tool=estate.tool, external_id="stray", name="stray", first_seen_at=JUNE.starts_at)
    report = compiled()
    assert report.state == "qualified" and check_of(report, "mapping")["good"] == 4


@pytest.mark.parametrize(("policy", "state"), [("block", "blocked"), ("strict", "blocked"), ("mark", "qualified")])
def test_data_with_holes_stop_the_report_unless_the_policy_says_never(estate, policy, state):
    holes = ExpectedRun.objects.filter(job=estate.jobs["records"], due_at__gte=JUNE.starts_at, due_at__lt=JUNE.ends_at)
    assert holes.update(state="unconfirmed", run=None) == 30
    report = compiled(policy)
    assert report.state == state
    assert report.data["checks"]["completeness"] == pytest.approx(89 / 119, abs=1e-6)
    assert check_of(report, "completeness")["state"] == "blocked"


@pytest.mark.parametrize(("policy", "state"), [("block", "qualified"), ("strict", "blocked"), ("mark", "qualified")])
def test_a_strict_policy_stops_what_others_only_mark(estate, policy, state):
    two = ExpectedRun.objects.filter(job=estate.jobs["records"], due_at__gte=JUNE.starts_at).order_by("due_at")[:2]
    ExpectedRun.objects.filter(pk__in=[row.pk for row in two]).update(state="unconfirmed", run=None)
    assert compiled(policy).state == state


def test_a_tool_that_was_not_heard_to_the_end_of_the_month_stops_the_report(estate):
    restic = make_tool("restic", at=JUNE.starts_at, settings={"repository": "/srv/x"})
    BackupJob.objects.create(tool=restic, external_id="x", name="x", service=estate.records, first_seen_at=JUNE.starts_at)
    ToolState.objects.filter(tool=restic).update(latest_complete_at=JUNE.ends_at - 2 * checking.FRESH_WITHIN)
    assert check_of(compiled(), "freshness") == {
        "check": "freshness", "words": "Tools heard up to the end of the month", "good": 0, "total": 1, "state": "blocked",
    }  # fmt: skip
    ToolState.objects.filter(tool=restic).update(latest_complete_at=JUNE.ends_at)
    assert checking.tools_heard(services=[estate.records.pk], month=JUNE) == (1, 1)


def test_day_cells_that_differ_from_the_ledger_are_named(estate):
    lines = collecting.read(versions=versions_of(Scope(), JUNE), month=JUNE)
    counted, other = checking.Counted(), copy.deepcopy(lines[0])
    other["cells"][0] += 1
    counted.add(other)
    result = checking.result_of(counted, tools=(0, 0), jobs=None)
    assert result["result"] == "qualified"
    assert result["notes"] == ["Day cells and ledger differ; the ledger is used: Patient record (EPR)."]
