"""Tools are asked when they are due, by one worker at a time, and less often while they do not answer."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from itsm_backup.common.models import because
from monitoring import intake, polling
from monitoring.connectors.base import Answer, Step
from monitoring.models import BackupRun, RawAnswer, RestorePoint, Tool, ToolState
from tests.factories import make_tool

MINUTE = dt.timedelta(minutes=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def tool(noon, tmp_path):
    """A repository that is not there: restic really runs and really fails."""
    return make_tool("restic", at=noon, settings={"repository": str(tmp_path / "none")}, secrets={"password": "x"}, poll_interval_s=900)


def test_it_hands_out_only_what_is_due_and_only_once(tool, noon):
    later = make_tool("restic", at=noon + MINUTE, settings={"repository": "/r"})
    make_tool("push", at=noon)
    off = make_tool("restic", at=noon, settings={"repository": "/r"})
    with because("off"):
        off.enabled = False
        off.save()
    assert polling.claim_due(at=noon) == [tool.pk]
    assert polling.claim_due(at=noon) == []
    assert polling.claim_due(at=noon + MINUTE) == [later.pk]


def test_a_claim_whose_holder_died_runs_out(tool, noon):
    assert polling.claim_due(at=noon) == [tool.pk]
    assert polling.claim_due(at=noon + polling.CLAIM - MINUTE) == []
    assert polling.claim_due(at=noon + polling.CLAIM) == [tool.pk]


@pytest.mark.real_tool("restic")
def test_a_failure_is_noted_in_words_and_asked_again_later_and_later(tool, noon):
    waits = []
    for _ in range(9):
        polling.poll(tool=tool, at=noon)
        state = ToolState.objects.get(tool=tool)
        waits.append((state.next_poll_at - noon).total_seconds() / 900)
    assert all(0.9 * wanted <= wait <= 1.1 * wanted for wanted, wait in zip((1, 2, 4, 8), waits, strict=False))
    assert max(waits) <= 24 * 1.1
    assert state.consecutive_failures == 9
    assert state.claimed_until is None
    assert "repository" in state.problem.lower()
    assert state.next_judgement_at == noon
    assert RawAnswer.objects.count() == 9


def test_a_tool_that_reports_by_itself_cannot_be_polled(noon):
    with pytest.raises(ValueError, match="reports by itself"):
        polling.poll(tool=make_tool("push", at=noon), at=noon)


def test_the_secret_is_in_no_answer(tool, noon):
    tool.secrets = {"password": "correct horse battery staple"}
    with because("test"):
        tool.save()
    polling.poll(tool=Tool.objects.get(pk=tool.pk), at=noon)
    from monitoring import answers

    _, answer = answers.open_answer(RawAnswer.objects.get().pk)
    assert "correct horse" not in repr(answer)
    assert not BackupRun.objects.exists()


class Catalogue:
    """Answers as Barman does, about one backup whose log arrives between the first question and the second."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, name, argv, **how):
        self.calls.append(name)
        backup = {"backup_id": "20260714T100000", "status": "DONE" if self.calls.count("list-backup") > 1 else "WAITING_FOR_WALS"}
        backup["end_time_timestamp"] = "1784023500"
        if name == "show-backup":
            backup["base_backup_information"] = {"backup_size_bytes": 700, "end_time_timestamp": "1784023500"}
        said = "3.4.0" if name == "version" else json.dumps({"main": backup if name == "show-backup" else [backup]})
        return Step(name=name, command=" ".join(argv), exit_code=0, stdout=said)


def test_it_goes_on_where_it_stopped_and_corrects_what_changed(noon):
    tool, catalogue = make_tool("barman", at=noon), Catalogue()
    polling.poll(tool=tool, at=noon, run=catalogue)
    waiting, points = BackupRun.objects.get(), RestorePoint.objects.count()
    polling.poll(tool=tool, at=noon + MINUTE, run=catalogue)
    done, point = BackupRun.objects.get(), RestorePoint.objects.get()

    assert (waiting.outcome, points) == ("warning", 0)
    assert (done.outcome, done.bytes_stored, point.captured_at) == ("success", 700, dt.datetime(2026, 7, 14, 10, 5, tzinfo=dt.UTC))
    assert catalogue.calls == ["version", "list-backup", "show-backup", "version", "list-backup"]
    assert ToolState.objects.get(tool=tool).cursor == {"shown": ["20260714T100000@main"]}


@pytest.mark.req("2.3")
def test_a_pushed_warning_of_barman_ends_when_barman_lists_the_backup_as_done(noon):
    tool, catalogue = make_tool("barman", at=noon), Catalogue()
    said = "WARNING: IMPORTANT: this backup is classified as WAITING_FOR_WALS, meaning that …\n"
    begun = dt.datetime(2026, 7, 14, 10, 0, tzinfo=dt.UTC)
    text = f"Starting backup using postgres method for server main in /b/main/base/20260714T100000\n{said}"
    step = Step(name="backup", command="barman backup main", exit_code=0, stdout=text, started_at=begun, finished_at=begun + 5 * MINUTE)
    intake.receive(tool=tool, answer=Answer(kind="push", steps=[step]), at=noon)
    assert (BackupRun.objects.get().outcome, RestorePoint.objects.count()) == ("warning", 0)
    for minutes, outcome in ((1, "warning"), (2, "success")):
        polling.poll(tool=tool, at=noon + minutes * MINUTE, run=catalogue)
        assert BackupRun.objects.get().outcome == outcome
    assert RestorePoint.objects.count() == 1
    intake.receive(tool=tool, answer=Answer(kind="push", steps=[step]), at=noon + 3 * MINUTE)
    assert BackupRun.objects.get().outcome == "success"
