"""Bacula, live: real daemons run real jobs, and their catalogue is read in a real PostgreSQL."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from itsm_backup.common.http.addresses import Allowed
from monitoring.connectors.querying import querying
from tests.labs.bacula_daemons import NEEDED, Daemons, free_ports

pytestmark = [pytest.mark.real_tool(*NEEDED), pytest.mark.tested("live", "bacula")]


@pytest.fixture(scope="module")
def lab() -> Iterator[Daemons]:
    folder = Path(tempfile.mkdtemp(prefix="bacula-"))
    folder.chmod(0o755)
    lab = Daemons(folder)
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_it_reads_every_outcome_that_the_catalogue_keeps(lab: Daemons) -> None:
    nothing = lab.poll()
    lab.console("run job=good yes", "run job=bad yes")
    lab.until("both jobs ended", lambda: lab.sql("SELECT count(*) FROM job WHERE jobstatus IN ('T', 'f', 'E')") == "2")
    lab.console("run job=slow yes")
    lab.until("a job runs", lambda: lab.sql("SELECT count(*) FROM job WHERE jobstatus = 'R'") == "1")
    running = lab.poll()
    lab.console("cancel jobid=3 yes")
    lab.until("it is cancelled", lambda: lab.sql("SELECT count(*) FROM job WHERE jobstatus = 'A'") == "1")
    cancelled = lab.poll(running.cursor)

    assert (nothing.complete, nothing.records, nothing.problems) == (True, [], [])
    assert (running.complete, running.problems, running.rejects) == (True, [], [])
    told = {record.job_external_id: record for record in running.records}
    assert {name: (record.state, record.outcome) for name, record in told.items()} == {
        "good": ("finished", "success"),
        "bad": ("finished", "failed"),
        "slow": ("running", None),
    }
    assert (told["good"].files_total, told["good"].target_name, told["good"].repository_name) == (2, "here", "P")
    assert told["good"].bytes_stored
    assert told["good"].consistent_at == told["good"].started_at
    assert "Unable to connect to Client" in (told["bad"].native_message or "")
    assert [(record.job_external_id, record.outcome) for record in cancelled.records] == [("slow", "cancelled")]
    assert cancelled.cursor == {"after": 3, "job": told["slow"].identity[1], "open": []}


def test_it_says_why_it_got_no_answer(lab: Daemons) -> None:
    told = {
        "may not read": lab.poll(user="nobody"),
        "is no catalogue": lab.poll(database="postgres", user="postgres"),
        "does not let stranger in": lab.poll(user="stranger"),
        "cannot be reached": lab.poll(port=str(free_ports(1)[0])),
        "not among the addresses": lab.poll(allowed="192.0.2.1"),
        "name or address": lab.poll(host=str(lab.folder)),
        "the port": lab.poll(port="x"),
        "TLS": lab.poll(tls="maybe"),
    }

    assert {words: words in " ".join(each.problems) for words, each in told.items()} == dict.fromkeys(told, True)
    assert not any(each.complete or each.cursor for each in told.values())


def test_it_can_only_read(lab: Daemons) -> None:
    given = {"host": "127.0.0.1", "port": str(lab.port), "user": "postgres"}
    with querying(allowed=Allowed("127.0.0.1"), settings=given, secrets={}) as query:
        step = query("write", "SELECT nextval('job_jobid_seq') AS number", {})

    assert step.exit_code is None
    assert "read-only" in (step.stderr or "")


def test_it_survives_names_that_are_no_text(lab: Daemons) -> None:
    told = "'odd.1', E'n\\xff', 'B', 'F', 1, now(), now(), 'f'"
    lab.sql(f"INSERT INTO job (job, name, type, level, clientid, schedtime, starttime, jobstatus) VALUES ({told})")

    assert any(record.job_external_id == "n\ufffd" for record in lab.poll().records)


def test_it_tells_which_copies_can_still_be_restored(lab: Daemons) -> None:
    """After the first test: jobs 1 to 3, and one that was written by hand."""
    before = lab.poll().held
    lab.console("run job=good yes")
    lab.until("it ended", lambda: lab.sql("SELECT count(*) FROM job WHERE name = 'good' AND jobstatus = 'T'") == "2")
    number = int(lab.sql("SELECT max(jobid) FROM job"))
    kept = lab.poll().held
    lab.console("purge volume=V-0001 yes", "purge jobs volume=V-0001")
    purged = lab.poll({"after": number}).held

    assert before is not None and before.until < number
    assert kept is not None and any(first <= number <= last for first, last in kept.stretches)
    assert purged is not None and purged.until == number
    assert not any(first <= number <= last for first, last in purged.stretches)
    assert lab.poll(user="nobody").held is None
