"""AWS Backup against the service model that Amazon ships with botocore: what is asked, what is answered, which states there are."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.session import Session
from botocore.stub import Stubber

from monitoring.connectors.aws_backup import _OUTCOMES, _QUEUED, _RUNNING, _VALIDATED, PAGE, AwsBackup
from monitoring.connectors.base import Answer, Step
from tests.recordings import RECORDED

SINCE = dt.datetime(2026, 7, 13, 10, tzinfo=dt.UTC)
OPERATIONS = {  # listing → (call of the model, its two windows, recorded payload)
    "backup-jobs": ("list_backup_jobs", ("ByCreatedAfter", "ByCompleteAfter"), "00-backup-jobs.json"),
    "copy-jobs": ("list_copy_jobs", ("ByCreatedAfter", "ByCompleteAfter"), "01-copy-jobs.json"),
    "restore-jobs": ("list_restore_jobs", ("ByCreatedAfter", "ByCompleteAfter"), "02-restore-jobs.json"),
}


@pytest.fixture(scope="module")
def client() -> Any:
    session = Session()
    return session.create_client("backup", "eu-central-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="x")


def recorded(listing: str) -> dict[str, Any]:
    return json.loads((RECORDED / "aws-backup/jobs" / OPERATIONS[listing][2]).read_text())


def as_told(value: Any, name: str = "") -> Any:
    """The payload as botocore hands it out: instants are datetimes."""
    if isinstance(value, dict):
        return {key: as_told(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [as_told(each) for each in value]
    is_instant = isinstance(value, float | int) and name.endswith(("Date", "StartBy", "ExpectedCompletionDate"))
    return dt.datetime.fromtimestamp(value, dt.UTC) if is_instant else value


@pytest.mark.parametrize("listing", OPERATIONS)
def test_the_recorded_payloads_fit_the_model_and_are_read_as_it_reads_them(client: Any, listing: str) -> None:
    call, (created, _), _ = OPERATIONS[listing]
    with Stubber(client) as stubber:
        wanted = {"MaxResults": PAGE, created: SINCE}
        stubber.add_response(call, as_told(recorded(listing)), wanted)  # refuses what the model does not have
        (rows,) = [rows for rows in getattr(client, call)(**wanted).values() if isinstance(rows, list)]

    step = Step(name=listing, command=f"GET /{listing}/", exit_code=200, stdout=json.dumps(recorded(listing)))
    told = {record.external_id: record for record in AwsBackup().read(Answer(kind="poll", steps=[step], meta={"ended": "yes"})).records}
    ids = "RestoreJobId" if listing == "restore-jobs" else "CopyJobId" if listing == "copy-jobs" else "BackupJobId"
    assert set(told) == {row[ids] for row in rows if not row.get("ParentJobId")}
    for row in rows:
        if (record := told.get(row[ids])) is not None:
            assert record.created_at == row["CreationDate"]
            assert record.native_status == row.get("State", row.get("Status"))


@pytest.mark.parametrize("listing", OPERATIONS)
def test_it_is_asked_as_botocore_asks_it_page_by_page(client: Any, listing: str) -> None:
    call, windows, _ = OPERATIONS[listing]
    asked: list[str] = []

    def answer(request: Any, **_: object) -> AWSResponse:
        asked.append(request.url)
        return AWSResponse(request.url, 200, {"content-type": "application/json"}, Raw(recorded(listing)))

    client.meta.events.register(f"before-send.backup.{call.title().replace('_', '')}", answer, unique_id=listing)
    try:
        for window in windows:
            getattr(client, call)(**{"MaxResults": PAGE, window: SINCE, "NextToken": "a+b/c="})
    finally:
        client.meta.events.unregister(f"before-send.backup.{call.title().replace('_', '')}", unique_id=listing)

    ours: list[str] = []

    def fetch(name: str, method: str, url: str, **how: Any) -> Step:
        ours.append(url)
        key = next(iter(recorded(name)))
        more = {"NextToken": "a+b/c="} if "nextToken" not in url else {}
        return Step(name=name, command=f"{method} {url}", exit_code=200, stdout=json.dumps({key: [], **more}))

    settings = {"region": "eu-central-1", "key_id": "AKIDEXAMPLE"}
    cursor = {"since": (SINCE + dt.timedelta(hours=2)).isoformat(), "at": "2026-07-14T12:00:00+00:00"}
    AwsBackup().ask(settings=settings, secrets={"secret_key": "x"}, fetch=fetch, cursor=cursor)
    following = [url for url in ours if f"/{listing}/" in url and "nextToken" in url]
    assert [parts(url) for url in following] == [parts(url) for url in asked]


class Raw:
    """A body as urllib3 gives it."""

    def __init__(self, told: Any) -> None:
        self._body = json.dumps(told).encode()

    def stream(self, **_: object) -> Any:
        yield self._body


def parts(url: str) -> tuple[str, str, list[tuple[str, str]]]:
    split = urlsplit(url)
    return split.netloc, split.path, sorted(parse_qsl(split.query))


def test_every_state_of_the_model_is_known(client: Any) -> None:
    def states(shape: str) -> set[str]:
        return set(client.meta.service_model.shape_for(shape).enum)

    known = {*_OUTCOMES, *_QUEUED, *_RUNNING}
    assert states("BackupJobState") | states("CopyJobState") | states("RestoreJobStatus") == known
    assert states("RestoreValidationStatus") == set(_VALIDATED)
