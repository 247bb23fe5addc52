"""A process is killed at a named point; the next one does the same again, and the facts are those of an undisturbed pass.

Each death is that of a real process, on a database of its own. The clock stands still in both passes, so every fact is compared;
it is moved on only where a claim must run out.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from itsm_backup import journey
from monitoring import polling
from monitoring.models import BackupRun, RawAnswer, Tool, ToolState
from tests.factories import make_job, make_service, make_tool
from tests.mailbox import running_mailbox
from tests.robustness import elsewhere, facts, killing, under_fire, world

NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
LATER = NOON + 10 * world.MINUTE
NAMES = ("n1", "n2", "s3", "l1")
TOLD = world.feed(NOON, runs=80, seed=7, names=NAMES)
PASSWORD = "correct horse 4711"
pytestmark = pytest.mark.django_db(transaction=True)


def tell() -> None:
    for batch in world.in_turn(TOLD):
        world.tell(batch, at=NOON)


def tell_the_rest() -> None:
    for second, ping in enumerate(TOLD.pings["p1"]):
        world.ping(ping, at=NOON + dt.timedelta(seconds=second))
    world.tell(TOLD.last, at=LATER)


def look_first() -> None:
    journey.advance(at=NOON - world.MINUTE)


def look() -> None:
    journey.advance(at=NOON)


def look_again() -> None:
    journey.advance(at=LATER)


STEPS = (look_first, tell, look, tell_the_rest, look_again)


def go_through(first: int, last: int) -> None:
    for step in STEPS[first:last]:
        step()


def go_on(first: int) -> facts.Facts:
    """What comes after a death: the same step again and all that follow; what was claimed is sent when the claim has run out."""
    killing.wait_until_alone()
    go_through(first, len(STEPS))
    under_fire.send_later(at=LATER)
    return facts.facts(NOON)


@pytest.fixture
def mail():
    with running_mailbox() as (mailbox, port):
        yield mailbox, port


@pytest.fixture
def fresh(mail, django_db_blocker):
    """A database with the estate declared, and a second one like it."""
    from django.db import connection

    name = connection.settings_dict["NAME"]
    with elsewhere.copy_of(name, f"{name}_one", django_db_blocker) as one:
        yield one._replace(mail_port=mail[1])


_undisturbed: list[facts.Facts] = []


def undisturbed(database: elsewhere.Database) -> facts.Facts:
    """The facts of a pass that nobody disturbs; the pass is made once."""
    if not _undisturbed:
        elsewhere.done(database, world.declare, NOON, NAMES)
        _undisturbed.append(elsewhere.done(database, go_on, 0))
        assert len(_undisturbed[0]["incidents"]) >= 3
        assert Counter(incident[1] for incident in _undisturbed[0]["incidents"])["resolved"] >= 1
    return _undisturbed[0]


@pytest.fixture
def expected(mail, django_db_blocker):
    from django.db import connection

    if _undisturbed:
        return _undisturbed[0]
    name = connection.settings_dict["NAME"]
    with elsewhere.copy_of(name, f"{name}_two", django_db_blocker) as two:
        found = undisturbed(two._replace(mail_port=mail[1]))
    mail[0].messages.clear()
    return found


SENT = "after the mail server's 250"
POINTS = [
    (look_first, "before the commit of notice", 1),
    (look_first, "before the commit of link", 2),
    (look_first, "before the commit of settle", 1),
    (look_first, "after a claim", 1),
    (tell, "in the middle of a COPY", 7),
    (tell, "after the answer was kept, before its runs", 2),
    (tell, "before the commit of an answer", 2),
    (tell, "after the commit of an answer", 2),
    (look, "before the commit of settle", 1),
    (look, "before the commit of judge", 1),
    (look, "before the commit of alert", 1),
    (look, "before the commit of open", 1),
    (look_again, "before the commit of open", 1),
    (look, "after a claim", 1),
    (look, SENT, 1),
    (tell_the_rest, "before a ping is written", 2),
    (tell_the_rest, "after a ping was written", 2),
    (look_again, "before the commit of resolve", 1),
    (look_again, SENT, 2),
]


@pytest.mark.parametrize(("step", "point", "nth"), POINTS, ids=[f"{step.__name__}: {point} {nth}" for step, point, nth in POINTS])
def test_it_loses_and_doubles_nothing(fresh, expected, mail, step, point, nth):
    mailbox, _ = mail
    place = STEPS.index(step)
    elsewhere.done(fresh, world.declare, NOON, NAMES)
    if place:
        elsewhere.done(fresh, go_through, 0, place)
    assert elsewhere.run(fresh, killing.killed, (point, nth), step).exit_code == -9
    found = elsewhere.done(fresh, go_on, place)
    assert facts.differences(found, expected) == ""
    assert len(set(mailbox.ids)) == len(expected["notices"])
    assert len(mailbox.ids) - len(set(mailbox.ids)) == (1 if point == SENT else 0)


def half_stored() -> tuple[int, int]:
    killing.wait_until_alone()
    return RawAnswer.objects.count(), BackupRun.objects.count()


@pytest.mark.parametrize(
    "point", ["in the middle of a COPY", "after the answer was kept, before its runs", "before the commit of an answer"]
)
def test_an_answer_is_kept_with_its_runs_or_not_at_all(fresh, point):
    elsewhere.done(fresh, world.declare, NOON, NAMES)
    assert elsewhere.run(fresh, killing.killed, (point, 1), tell).exit_code == -9
    assert elsewhere.done(fresh, half_stored) == (0, 0)


def restic(repository: Path, *arguments: str) -> str:
    environment = {**os.environ, "RESTIC_REPOSITORY": str(repository), "RESTIC_PASSWORD": PASSWORD}
    return subprocess.run(["restic", *arguments], env=environment, capture_output=True, text=True, check=True).stdout


def declare_repository(repository: str, external_id: str) -> None:
    tool = make_tool(
        "restic", name="vault", at=NOON - world.DAY, settings={"repository": repository, "timeout_s": "60"}, secrets={"password": PASSWORD}
    )
    make_job(tool, external_id, at=NOON - world.DAY, service=make_service("SVC-R", at=NOON - world.DAY))


def poll_due(at: dt.datetime) -> list[int]:
    """As the heartbeat's two tasks do: claim, then ask."""
    found = polling.claim_due(at=at)
    for tool in Tool.objects.filter(pk__in=found):
        polling.poll(tool=tool, at=at)
    return found


def polled() -> Any:
    state = ToolState.objects.get()
    return BackupRun.objects.count(), RawAnswer.objects.count(), state.consecutive_failures, state.latest_complete_at is not None


@pytest.mark.real_tool("restic")
@pytest.mark.parametrize("point", ["after a poll was claimed", "after a tool answered"])
def test_a_poll_claimed_by_a_worker_that_died_is_made_when_the_claim_has_run_out(fresh, tmp_path, point):
    (tmp_path / "data").mkdir()
    restic(tmp_path / "repository", "init")
    said = restic(tmp_path / "repository", "backup", "--json", "--host", "db01", str(tmp_path / "data"))
    assert json.loads(said.splitlines()[-1])["snapshot_id"]
    at = dt.datetime.now(dt.UTC)
    elsewhere.done(fresh, declare_repository, str(tmp_path / "repository"), f"db01:{tmp_path / 'data'}")
    assert elsewhere.run(fresh, killing.killed, (point, 1), poll_due, at).exit_code == -9
    assert elsewhere.done(fresh, polled) == (0, 0, 0, False)
    assert elsewhere.done(fresh, poll_due, at + polling.CLAIM - dt.timedelta(seconds=1)) == []
    assert len(elsewhere.done(fresh, poll_due, at + polling.CLAIM)) == 1
    assert elsewhere.done(fresh, polled) == (1, 1, 0, True)
