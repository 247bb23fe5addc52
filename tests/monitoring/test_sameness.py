"""A round that brings nothing new costs little, and hides nothing that is new."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring import asking, polling, quick_rounds, sameness, storing
from monitoring.connectors.base import Reading, Step
from monitoring.models import BackupRun, ExpectedRun, RawAnswer, RestorePoint, Tool, ToolDay
from tests.factories import make_tool, push, run_record
from tests.readings import no_answer, poll_answer, snapshot

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
STATEMENTS = 4  # the tool, its state, its status map, and one that keeps everything
pytestmark = pytest.mark.django_db


class Repository:
    """A restic repository that answers as the test says."""

    def __init__(self, at: dt.datetime) -> None:
        self.tool = make_tool("restic", at=at - 9 * HOUR, settings={"repository": "/srv/repo"}, secrets={"password": "x"})
        self.answer = poll_answer(snapshot(at - 5 * HOUR), snapshot(at - 2 * HOUR))

    def poll(self, at: dt.datetime):
        steps = iter(self.answer.steps)

        def run(name: str, argv: list[str], **how: object) -> Step:
            return msgspec.structs.replace(next(steps), started_at=at, finished_at=at)

        return polling.poll(tool=Tool.objects.get(pk=self.tool.pk), at=at, run=run)

    def compares(self, at: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> bool:
        """Whether a round now compares what it heard with what is known."""
        compared = []
        monkeypatch.setattr(storing, "store", lambda real=storing.store, **how: compared.append(1) or real(**how))
        self.poll(at)
        monkeypatch.undo()
        return bool(compared)


@pytest.fixture
def repository(noon) -> Repository:
    repository = Repository(noon)
    repository.poll(noon)
    return repository


def test_a_round_that_brings_nothing_new_is_kept_and_told_like_any_other(repository, noon, monkeypatch):
    before = list(BackupRun.objects.values())
    prepared: list[str] = []
    monkeypatch.setattr(
        asking, "_fetch_one", lambda statement, given, real=asking._fetch_one: prepared.append(statement) or real(statement, given)
    )
    with CaptureQueriesContext(connection) as asked:
        receipt = repository.poll(noon + MINUTE)
    assert len(asked) + len(prepared) <= STATEMENTS
    assert receipt.complete and [one.status for one in receipt.results] == ["unchanged"] * 2
    assert list(BackupRun.objects.values()) == before
    assert RawAnswer.objects.filter(tool_id=repository.tool.pk).exclude(read_at=None).count() == 2
    state = repository.tool.state
    state.refresh_from_db()
    assert (state.latest_complete_at, state.latest_answer_at, state.problem, state.claimed_until) == (
        noon + MINUTE,
        noon + MINUTE,
        "",
        None,
    )
    assert state.next_poll_at > noon + MINUTE
    assert ToolDay.objects.get(tool=repository.tool).rounds == 2


def test_it_compares_whatever_is_new_or_was_heard_otherwise(repository, noon, monkeypatch):
    assert not repository.compares(noon + MINUTE, monkeypatch)
    repository.answer.steps[-1].stdout = poll_answer(snapshot(noon - 5 * HOUR)).steps[-1].stdout  # one was forgotten
    assert repository.compares(noon + 2 * MINUTE, monkeypatch)
    assert RestorePoint.objects.filter(gone_at=None).count() == 1
    assert not repository.compares(noon + 3 * MINUTE, monkeypatch)
    push(repository.tool, run_record("other", "failed", noon - HOUR), at=noon + 4 * MINUTE)
    assert repository.compares(noon + 4 * MINUTE, monkeypatch)
    assert not repository.compares(noon + 5 * MINUTE, monkeypatch)
    assert repository.compares(noon + HOUR, monkeypatch)  # once an hour, whatever else may have changed


def test_after_a_round_that_failed_everything_is_compared(repository, noon, monkeypatch):
    whole, repository.answer = repository.answer, no_answer()
    assert not repository.poll(noon + MINUTE).complete
    repository.answer = whole
    assert repository.compares(noon + 2 * MINUTE, monkeypatch)
    state = repository.tool.state
    state.refresh_from_db()
    assert (state.problem, state.consecutive_failures) == ("", 0)


def test_what_is_heard_while_the_tool_is_asked_is_compared_with_its_answer(repository, noon, monkeypatch):
    """Between what was known before the tool was asked and what is kept of its answer, somebody reports of it."""
    real = quick_rounds.known_of

    def known_of(tool: Tool) -> quick_rounds.Known:
        known = real(tool)
        push(repository.tool, run_record("other", "failed", noon), at=noon + MINUTE)
        return known

    with monkeypatch.context() as between:
        between.setattr(quick_rounds, "known_of", known_of)
        answers = RawAnswer.objects.filter(tool_id=repository.tool.pk, kind="poll").count()
        assert repository.poll(noon + MINUTE).answer > 0
    assert RawAnswer.objects.filter(tool_id=repository.tool.pk, kind="poll").count() == answers + 1
    assert ToolDay.objects.get(tool=repository.tool).rounds == 2
    assert not repository.compares(noon + 2 * MINUTE, monkeypatch)


def test_jobs_that_waited_for_a_round_that_was_complete_look_again(repository, noon):
    job = repository.tool.jobs.first()
    opens_at, due_at = noon - 3 * HOUR, noon - 2 * HOUR
    times = {"opens_at": opens_at, "due_at": due_at, "deadline_at": due_at, "cutoff_at": due_at, "local_on": due_at.date()}
    ExpectedRun.objects.create(job=job, **times)
    job.state.__class__.objects.filter(pk=job.pk).update(next_settlement_at=None)
    repository.poll(noon + MINUTE)
    job.state.refresh_from_db()
    assert job.state.next_settlement_at == noon + MINUTE


def test_what_is_not_whole_or_no_text_is_always_compared(noon):
    assert sameness.digest_of(Reading(), noon) is None
    assert sameness.digest_of(Reading(complete=True, job_ids=["\ud800"]), noon) is None
    assert sameness.digest_of(Reading(complete=True), noon) == sameness.digest_of(Reading(complete=True), noon + MINUTE)
