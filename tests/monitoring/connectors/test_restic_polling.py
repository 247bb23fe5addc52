"""restic, live: the real program is asked about real repositories, whole and broken ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.restic import Restic
from monitoring.connectors.running import run_program

pytestmark = [
    pytest.mark.real_tool("restic"),
    pytest.mark.tested("live", "restic"),
]
PASSWORD = "correct horse 4711"


class Lab:
    """A real repository, and the same environment for the program and for the connector."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repo"
        self.source = folder / "data" / "app"
        self.source.mkdir(parents=True)
        (self.source / "one.txt").write_text("one")

    def restic(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "RESTIC_REPOSITORY": str(self.repository), "RESTIC_PASSWORD": PASSWORD, "TZ": "Europe/Berlin"}
        return subprocess.run(["restic", *arguments], env=env, capture_output=True, text=True, check=True)

    def backup(self, *arguments: str) -> str:
        return json.loads(self.restic("backup", "-q", "--json", "--host", "db01", *arguments, str(self.source)).stdout)["snapshot_id"]

    def ask(self, *, password: str = PASSWORD, repository: str | None = None, environment: str = "", **settings: str) -> Answer:
        return Restic().ask(
            settings={"repository": repository or str(self.repository), "timeout_s": "60", **settings},
            secrets={"password": password, "environment": environment},
            run=run_program,
            cursor={},
        )

    def poll(self, **how: str) -> Reading:
        return Restic().read(self.ask(**how))


@pytest.fixture(scope="module")
def fresh_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lab = Lab(tmp_path_factory.mktemp("fresh"))
    lab.restic("init")
    return lab.repository


@pytest.fixture
def lab(fresh_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("HOME", str(tmp_path))
    lab = Lab(tmp_path)
    shutil.copytree(fresh_repository, lab.repository)
    return lab


def nothing_runs(name: str, argv: list[str], **how: object) -> Step:
    raise AssertionError(f"{argv} must not run")


def test_it_lists_what_was_backed_up(lab: Lab) -> None:
    nominal = lab.backup("--time", "2026-07-01 01:30:00")
    live = lab.backup()
    told = lab.poll()

    assert (told.complete, told.problems, told.rejects) == (True, [], [])
    assert [(record.artefact_id or "")[:8] for record in told.records] == [nominal[:8], live[:8]]
    assert {record.job_external_id for record in told.records} == {f"db01:{lab.source}"}
    assert told.records[0].consistent_at is not None
    assert told.records[0].consistent_at.isoformat() == "2026-06-30T23:30:00+00:00"


def test_it_gives_the_same_answer_to_the_same_question(lab: Lab) -> None:
    lab.backup()

    assert lab.poll() == lab.poll()


def test_it_pairs_what_the_wrapper_reports_with_what_the_poll_finds(lab: Lab) -> None:
    ran = run_program(
        "backup",
        ["restic", "backup", "--json", "--host", "db01", str(lab.source)],
        env={"RESTIC_REPOSITORY": str(lab.repository), "RESTIC_PASSWORD": PASSWORD},
        timeout_s=60,
    )
    (pushed,) = Restic().read(Answer(kind="push", steps=[ran], host="somewhere-else")).records
    (found,) = lab.poll().records

    assert pushed.job_external_id == found.job_external_id
    assert pushed.artefact_id is not None
    assert str(found.artefact_id).startswith(pushed.artefact_id)
    assert pushed.outcome == "success"
    assert pushed.bytes_source == 3


def test_it_finds_an_empty_repository_complete(lab: Lab) -> None:
    told = lab.poll()

    assert (told.complete, told.records) == (True, [])


def test_it_reads_only_what_the_settings_ask_for(lab: Lab) -> None:
    lab.backup("--tag", "nightly")
    lab.backup()

    assert len(lab.poll(tag="nightly").records) == 1
    assert len(lab.poll(host="db01").records) == 2
    assert len(lab.poll(host="db02").records) == 0
    assert len(lab.poll(path=str(lab.source)).records) == 2


def test_it_says_when_the_password_is_wrong(lab: Lab) -> None:
    lab.backup()
    told = lab.poll(password="something else")

    assert (told.complete, told.records) == (False, [])
    assert "password does not open" in told.problems[0]


def test_it_says_when_there_is_no_repository(lab: Lab) -> None:
    told = lab.poll(repository=str(lab.repository) + "-gone")

    assert not told.complete
    assert "no repository" in told.problems[0]


def test_it_says_when_the_repository_cannot_be_reached(lab: Lab) -> None:
    told = lab.poll(repository="rest:http://user:hunter2222@127.0.0.1:9/app")

    assert not told.complete
    assert "cannot be reached" in told.problems[0]


def test_it_reads_a_locked_repository_all_the_same(lab: Lab) -> None:
    lab.backup()
    lock_folder = lab.repository / "locks"
    holder = subprocess.Popen(
        ["restic", "backup", "--stdin", "--quiet"],
        stdin=subprocess.PIPE,
        env={**os.environ, "RESTIC_REPOSITORY": str(lab.repository), "RESTIC_PASSWORD": PASSWORD},
    )
    try:
        for _ in range(200):
            if any(lock_folder.iterdir()):
                break
            try:
                holder.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        assert any(lock_folder.iterdir())
        refused = run_program(
            "prune",
            ["restic", "prune"],
            env={"RESTIC_REPOSITORY": str(lab.repository), "RESTIC_PASSWORD": PASSWORD},
            timeout_s=60,
        )
        assert lab.poll().complete
    finally:
        holder.communicate(b"")
    (record,) = Restic().read(Answer(kind="push", steps=[refused], host="db01")).records
    assert (record.operation, record.outcome) == ("prune", "failed")
    assert "locked" in (record.native_message or "")


def test_it_is_not_complete_when_a_snapshot_is_damaged(lab: Lab) -> None:
    lab.backup()
    lab.backup()
    damaged = next((lab.repository / "snapshots").iterdir())
    damaged.chmod(0o600)
    damaged.write_bytes(b"junk")
    shutil.rmtree(Path(os.environ["HOME"]) / ".cache", ignore_errors=True)
    told = lab.poll()

    assert not told.complete
    assert len(told.records) == 1
    assert "could not read 1 snapshot" in told.problems[0]


def test_it_says_when_restic_is_missing(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = lab.poll()

    assert not told.complete
    assert "apt install restic" in told.problems[0]


def test_it_keeps_no_secret_and_changes_nothing_in_the_repository(lab: Lab) -> None:
    lab.backup()
    before = sorted(path for path in lab.repository.rglob("*"))
    answers = [
        lab.ask(environment="AWS_SECRET_ACCESS_KEY=verysecretkey\nRESTIC_REST_PASSWORD=hunter3333"),
        lab.ask(password="wrong password 99"),
        lab.ask(repository="rest:http://user:hunter2222@127.0.0.1:9/app"),
    ]
    kept = msgspec.json.encode(answers).decode()

    for secret in (PASSWORD, "verysecretkey", "hunter3333", "wrong password 99", "hunter2222"):
        assert secret not in kept
    assert sorted(path for path in lab.repository.rglob("*")) == before


@pytest.mark.parametrize(
    "line",
    [
        "RESTIC_PASSWORD_COMMAND=touch x",
        "PATH=/tmp",
        "LD_PRELOAD=/x.so",
        "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1",
        "no equals sign",
        "AWS_X\x00=1",
    ],
)
def test_it_hands_over_only_variables_of_backends_and_says_so(line: str) -> None:
    given: dict[str, str] = {}

    def run(name: str, argv: list[str], *, env: dict[str, str], timeout_s: float) -> Step:
        given.update(env)
        return Step(name=name, command=" ".join(argv), exit_code=0)

    secrets = {"password": "x", "environment": f"AWS_ACCESS_KEY_ID=AKIA\n{line}"}
    answer = Restic().ask(settings={"repository": "/repo"}, secrets=secrets, run=run, cursor={})
    told = Restic().read(answer)

    assert given == {"RESTIC_REPOSITORY": "/repo", "RESTIC_PASSWORD": "x", "AWS_ACCESS_KEY_ID": "AKIA"}
    assert not told.complete
    assert "were not given to restic" in told.problems[-1]


@pytest.mark.parametrize(
    "address",
    ["sftp:-oProxyCommand=touch x:/repo", "sftp://u@-oProxyCommand=x/repo", 'rclone::sftp,ssh="touch x":/r', "rclone:r,ssh=x:/r", "-h"],
)
def test_it_never_hands_an_address_to_another_program_as_an_option(address: str) -> None:
    answer = Restic().ask(settings={"repository": address}, secrets={"password": "x"}, run=nothing_runs, cursor={})

    assert "not started" in Restic().read(answer).problems[0]


@pytest.mark.parametrize("value", ["", "0", "-5", "9999", "nan", "soon"])
def test_it_keeps_to_a_sane_time_limit(value: str) -> None:
    limits: list[float] = []

    def run(name: str, argv: list[str], *, env: dict[str, str], timeout_s: float) -> Step:
        limits.append(timeout_s)
        return Step(name=name, exit_code=1)

    Restic().ask(settings={"repository": "/repo", "timeout_s": value}, secrets={}, run=run, cursor={})

    assert limits == [120.0]
