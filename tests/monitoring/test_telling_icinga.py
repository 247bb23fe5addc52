"""A passive result reaches a real Icinga 2 and is read back from it; what it refuses is told with what to do."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import pytest

from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.http.client import Client, trusting
from monitoring.monitors import NotTaken, Place, icinga2
from tests.monitoring.connectors.test_icinga2_polling import PASSWORD, Lab

pytestmark = [pytest.mark.real_tool("/usr/sbin/icinga2"), pytest.mark.tested("live", "icinga2")]
SAID = {
    "code": "PACS", "name": "Imaging archive", "status": "degraded", "verdict": "broken", "last_good_at": "2026-07-14T01:40:00+00:00",
    "next_due_at": "2026-07-15T01:30:00+00:00", "rpo_s": 93_600, "jobs": ["nightly", "weekly"],
}  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("icinga"))
    try:
        ends_at = time.monotonic() + 60
        while not lab.poll().complete:
            assert time.monotonic() < ends_at, lab.poll().problems
            time.sleep(0.3)
        yield lab
    finally:
        lab.stop()


def tell(lab: Lab, at: dt.datetime, *, account: str = "both", password: str = PASSWORD, item: str = "backup-good", **more) -> str:
    place = Place(f"https://127.0.0.1:{lab.port}", account, {"password": password}, "db01", item)
    with Client(allowed=Allowed("127.0.0.1"), verify=trusting(lab.certificate)) as client:
        return icinga2(client, place, {**SAID, **more}, at)


def test_a_result_is_taken_read_back_and_the_same_twice_is_the_same(lab: Lab) -> None:
    at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
    assert tell(lab, at) == tell(lab, at) == "Taken and read back."
    (record,) = [one for one in lab.poll().records if one.job_external_id == "db01!backup-good"]
    assert record.outcome == "warning" and record.native_message.startswith(
        "WARNING - Imaging archive: degraded, promise broken; newest copy"
    )
    assert "expected jobs: nightly, weekly" in record.native_message
    later = tell(lab, at + dt.timedelta(seconds=1), status="operational", verdict="kept")
    assert later == "Taken and read back."


def test_one_that_comes_late_does_not_take_the_place_of_a_newer_one(lab: Lab) -> None:
    at = dt.datetime.now(dt.UTC)
    tell(lab, at, status="outage", item="backup-bad")
    with pytest.raises(NotTaken, match="A newer result stands there: CRITICAL"):
        tell(lab, at - dt.timedelta(minutes=1), status="operational", item="backup-bad")
    (record,) = [one for one in lab.poll().records if one.job_external_id == "db01!backup-bad"]
    assert record.outcome == "failed"


def test_what_it_refuses_is_told_with_what_to_do(lab: Lab) -> None:
    at = dt.datetime.now(dt.UTC)
    for words, how in {
        "Make it there, with passive checks": {"item": "no-such"},
        "Check API user and password": {"password": "wrong", "item": "backup-never"},
        "actions/process-check-result": {"account": "reader", "item": "backup-never"},
    }.items():
        with pytest.raises(NotTaken, match=words):
            tell(lab, at, **how)
    assert tell(lab, at, account="sender", item="other").startswith("Taken, and not read back")
