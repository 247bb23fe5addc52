"""restic listings: one record for each snapshot, of any shape and age."""

from __future__ import annotations

import json

import pytest

from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.restic import Restic

REPOSITORY = "37a68c067ecd02be8aa1940406b3d3b6d5a6581a6a21e59654e0be4d637f355c"
ID = "82ffb7cd4886620538adc441bb46c9693b7850f8fcca845398a17a58323d28e8"
OTHER_ID = "d332a278bcf155d4ddd805d42ed173d6cb883cb74b314bcfd030d79dbfe772d1"
SNAPSHOT = {"time": "2026-10-18T01:30:00.5+02:00", "paths": ["/srv/b", "/srv/a"], "hostname": "db01", "id": ID}


def poll(listing: object, *, exit_code: int = 0, stderr: str = "", truncated: bool = False) -> Reading:
    text = listing if isinstance(listing, str) else json.dumps(listing)
    steps = [
        Step(name="version", command="restic version", exit_code=0, stdout="restic 0.18.0 compiled with go1.24"),
        Step(name="cat-config", command="restic cat config --no-lock", exit_code=0, stdout=json.dumps({"version": 2, "id": REPOSITORY})),
        Step(
            name="snapshots",
            command="restic snapshots --json --no-lock",
            exit_code=exit_code,
            stdout=text,
            stderr=stderr,
            truncated=truncated,
        ),
    ]
    return Restic().read(Answer(kind="poll", steps=steps, meta={"repository": "rest:https://u:pw123456@nas/app"}))


def test_it_reads_a_snapshot() -> None:
    told = poll([SNAPSHOT])

    assert told.complete
    (record,) = told.records
    assert record.job_external_id == "db01:/srv/a,/srv/b"
    assert record.identity == (REPOSITORY, ID)
    assert record.consistent_at is not None
    assert record.consistent_at.isoformat() == "2026-10-17T23:30:00.500000+00:00"
    assert record.created_at == record.consistent_at
    assert (record.evidence_kind, record.outcome, record.artefact_id) == ("artefact", "success", ID)
    assert record.repository_name == "rest:https://u:<secret>@nas/app"
    assert record.bytes_source is None
    assert told.job_ids == ["db01:/srv/a,/srv/b"]
    assert told.cursor == {"repository_id": REPOSITORY}


@pytest.mark.parametrize("listing", ["[]", "null", "[]\n"])
def test_it_takes_an_empty_repository_for_a_complete_answer(listing: str) -> None:
    told = poll(listing)

    assert (told.complete, told.records, told.problems) == (True, [], [])


def test_it_reads_grouped_and_flat_listings_alike() -> None:
    grouped = [
        {"group_key": {"hostname": "db01", "paths": None, "tags": None}, "snapshots": [SNAPSHOT]},
        {"group_key": {}, "snapshots": None},
    ]

    assert poll(grouped).records == poll([SNAPSHOT]).records
    assert poll(grouped).complete


def test_it_follows_the_original_of_a_rewritten_snapshot() -> None:
    rewritten = {**SNAPSHOT, "id": OTHER_ID, "original": ID}

    assert poll([rewritten]).records[0].identity == poll([SNAPSHOT]).records[0].identity
    assert poll([rewritten]).records[0].artefact_id == OTHER_ID
    for both in ([SNAPSHOT, rewritten], [rewritten, SNAPSHOT]):
        (record,) = poll(both).records
        assert record.artefact_id == ID


def test_it_takes_sizes_and_duration_from_the_summary_and_the_end_only_from_a_clock_that_fits() -> None:
    summary = {
        "backup_start": "2026-11-23T05:31:39.5Z",
        "backup_end": "2026-11-23T05:31:41.5Z",
        "data_added": 11325,
        "data_added_packed": 1560,
        "total_files_processed": 30,
        "total_bytes_processed": 1607138,
    }
    (backdated,) = poll([{**SNAPSHOT, "summary": summary}]).records
    (live,) = poll([{**SNAPSHOT, "time": "2026-11-23T05:31:39.5Z", "summary": summary}]).records

    assert (backdated.bytes_source, backdated.bytes_stored, backdated.files_total, backdated.duration_s) == (1607138, 1560, 30, 2.0)
    assert backdated.ended_at is None
    assert live.ended_at is not None
    assert live.ended_at.isoformat() == "2026-11-23T05:31:41.500000+00:00"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time": "0001-01-01T00:00:00Z"}, "time"),
        ({"time": "2026-13-45T00:00:00Z"}, "time"),
        ({"time": 1795412326}, "time"),
        ({"time": "9999-12-31T23:59:59-23:59"}, "time"),
        ({"id": None}, "id"),
        ({"id": "../x"}, "id"),
        ({"hostname": 5}, "host"),
        ({"hostname": "\u0000"}, None),
        ({"paths": "/srv"}, "paths"),
        ({"paths": []}, "paths"),
    ],
)
def test_it_quarantines_one_bad_snapshot_and_keeps_the_good_ones(change: dict, said: str | None) -> None:
    told = poll([{**SNAPSHOT, **change}, {**SNAPSHOT, "id": OTHER_ID}])

    assert OTHER_ID in [record.artefact_id for record in told.records]
    if said is None:
        assert "\x00" not in "".join(told.job_ids)
        return
    (reject,) = told.rejects
    assert reject.index == 0
    assert said in reject.reason
    assert not told.complete  # the bad one may be the one that is being waited for


@pytest.mark.parametrize("listing", ["", "[{", '{"a":1}', "[" * 100_000, "restic: command not found"])
def test_it_never_takes_an_unreadable_listing_for_an_empty_one(listing: str) -> None:
    told = poll(listing)

    assert not told.complete
    assert told.records == []
    assert told.problems


def test_it_is_not_complete_when_the_output_was_cut() -> None:
    told = poll("[" + json.dumps(SNAPSHOT), truncated=True)

    assert not told.complete
    assert "limit" in told.problems[0]


def test_it_is_not_complete_when_restic_could_not_load_a_snapshot() -> None:
    told = poll([SNAPSHOT], stderr="could not load snapshot 2a5fc597: load <snapshot/2a5fc59768>: invalid data returned")

    assert len(told.records) == 1
    assert not told.complete
    assert "restic check" in told.problems[0]


def test_it_takes_no_snapshots_over_without_the_identity_of_the_repository() -> None:
    step = Step(name="snapshots", command="restic snapshots --json", exit_code=0, stdout=json.dumps([SNAPSHOT]))
    told = Restic().read(Answer(kind="poll", steps=[step]))

    assert (told.records, told.complete) == ([], False)
    assert "id" in told.problems[0]
