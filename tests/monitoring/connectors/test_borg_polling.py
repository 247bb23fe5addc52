"""borg, live: the real program is asked about real repositories, whole and broken ones."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.borg import Borg
from monitoring.connectors.running import run_program

pytestmark = [
    pytest.mark.real_tool("borg"),
    pytest.mark.tested("live", "borg"),
]
PASSPHRASE = "correct horse 4711"


class Lab:
    """A real repository, and the same environment for the program and for the connector."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repo"
        self.source = folder / "data" / "app"
        self.source.mkdir(parents=True)
        (self.source / "one.txt").write_text("one")
        self.env = {"BORG_REPO": str(self.repository), "BORG_PASSPHRASE": PASSPHRASE}
        self.env |= {"BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}

    def borg(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        env = {**os.environ, **self.env, "TZ": "Europe/Berlin"}
        done = subprocess.run(["borg", *arguments], env=env, capture_output=True, text=True, check=False)
        assert done.returncode in codes, done.stderr
        return done.stdout

    def create(self, name: str, *arguments: str, source: str | None = None, codes: tuple[int, ...] = (0,)) -> str:
        told = self.borg("create", "--json", *arguments, f"::{name}", source or str(self.source), codes=codes)
        return json.loads(told)["archive"]["id"]

    def ask(self, *, passphrase: str = PASSPHRASE, repository: str | None = None, cursor: dict | None = None, **settings: str) -> Answer:
        return Borg().ask(
            settings={"repository": repository or str(self.repository), "timeout_s": "60", **settings},
            secrets={"passphrase": passphrase},
            run=run_program,
            cursor=cursor or {},
        )

    def poll(self, **how: object) -> Reading:
        return Borg().read(self.ask(**how))  # type: ignore[arg-type]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("HOME", str(tmp_path))
    lab = Lab(tmp_path)
    lab.borg("init", "-e", "repokey")
    return lab


def nothing_runs(name: str, argv: list[str], **how: object) -> Step:
    raise AssertionError(f"{argv} must not run")


def test_it_lists_what_was_backed_up_with_its_size(lab: Lab) -> None:
    nominal = lab.create("app-2026-07-01", "--timestamp", "2026-07-01T01:30:00")
    (lab.source / "two.txt").write_text("two")
    live = lab.create("app-2026-07-02")
    told = lab.poll()

    assert (told.complete, told.problems, told.rejects) == (True, [], [])
    assert [record.artefact_id for record in told.records] == [nominal, live]
    assert [(record.bytes_source, record.files_total, record.encrypted) for record in told.records] == [(3, 1, True), (6, 2, True)]
    assert len({record.job_external_id for record in told.records}) == 1
    assert told.records[0].job_external_id.endswith(":app")
    assert (told.records[0].started_at or told.records[0].created_at).isoformat() == "2026-07-01T01:30:00+00:00"
    assert told.records[0].time_quality == "exact"


def test_it_gives_the_same_answer_to_the_same_question(lab: Lab) -> None:
    lab.create("app-1")

    assert lab.poll() == lab.poll()


def test_it_pairs_what_the_wrapper_reports_with_what_the_poll_finds(lab: Lab) -> None:
    argv = ["borg", "create", "--json", "::{hostname}-app-{now}", str(lab.source)]
    ran = run_program("create", argv, env=lab.env, timeout_s=60)
    (found,) = lab.poll().records
    (pushed,) = Borg().read(Answer(kind="push", steps=[ran], host=found.target_name)).records

    assert pushed.outcome == "success"
    assert (pushed.job_external_id, pushed.artefact_id) == (found.job_external_id, found.artefact_id)


def test_it_finds_an_empty_repository_complete(lab: Lab) -> None:
    told = lab.poll()

    assert (told.complete, told.records) == (True, [])


def test_it_calls_an_archive_without_files_failed_and_remembers_it(lab: Lab) -> None:
    lab.create("app-1", source=str(lab.source) + "-gone", codes=(1,))
    first = lab.poll()
    later = lab.poll(sizes_of="0", cursor=first.cursor)

    assert [record.outcome for record in first.records] == ["failed"]
    assert [record.outcome for record in later.records] == ["failed"]
    assert later.complete


def test_it_reads_only_what_the_settings_ask_for(lab: Lab) -> None:
    lab.create("app-1")
    lab.create("db-1")

    assert len(lab.poll(archives="db-*").records) == 1
    assert [record.bytes_source for record in lab.poll(sizes_of="1").records] == [None, 3]


def test_it_reads_a_repository_without_encryption(lab: Lab) -> None:
    lab.repository = lab.repository.with_name("open")
    lab.env["BORG_REPO"] = str(lab.repository)
    lab.borg("init", "-e", "none")
    lab.create("app-1")

    assert [record.encrypted for record in lab.poll(passphrase="").records] == [False]


def test_it_reads_a_keyfile_repository_with_the_key_it_is_given(lab: Lab, tmp_path: Path) -> None:
    lab.repository = lab.repository.with_name("keyed")
    lab.env |= {"BORG_REPO": str(lab.repository), "BORG_KEY_FILE": str(tmp_path / "key")}
    lab.borg("init", "-e", "keyfile")
    lab.create("app-1")

    assert lab.poll(key_file=str(tmp_path / "key")).complete
    assert "No such file" in lab.poll(key_file=str(tmp_path / "none")).problems[0]


def test_it_says_when_the_passphrase_is_wrong(lab: Lab) -> None:
    lab.create("app-1")
    told = lab.poll(passphrase="something else")

    assert (told.complete, told.records) == (False, [])
    assert "passphrase does not open" in told.problems[0]


def test_it_says_when_there_is_no_repository(lab: Lab) -> None:
    told = lab.poll(repository=str(lab.repository) + "-gone")

    assert not told.complete
    assert "no repository" in told.problems[0]


def test_it_says_when_the_repository_cannot_be_reached(lab: Lab) -> None:
    told = lab.poll(repository="ssh://backup@127.0.0.1:9/./repo")

    assert not told.complete
    assert "borg" in told.problems[0]


def test_it_reads_a_locked_repository_all_the_same(lab: Lab) -> None:
    lab.create("app-1")
    lock = lab.repository / "lock.exclusive"
    lock.mkdir()
    (lock / "elsewhere@1.1-0").touch()

    assert lab.poll(sizes_of="0").complete
    refused = run_program("create", ["borg", "--lock-wait", "1", "create", "::app-2", str(lab.source)], env=lab.env, timeout_s=60)
    (record,) = Borg().read(Answer(kind="push", steps=[refused], host="db01")).records
    assert record.outcome == "failed"
    assert "lock" in (record.native_message or "")


def test_it_judges_a_check_of_a_damaged_repository(lab: Lab) -> None:
    lab.create("app-1")
    good = run_program("check", ["borg", "check"], env=lab.env, timeout_s=60)
    segment = max((lab.repository / "data").rglob("[0-9]*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 20] = b"\xff" * 20
    segment.write_bytes(raw)
    bad = run_program("check", ["borg", "check"], env=lab.env, timeout_s=60)
    told = Borg().read(Answer(kind="push", steps=[good, bad], host="db01"))

    assert [(record.outcome, record.verification_state) for record in told.records] == [("success", "passed"), ("failed", "failed")]


def test_it_says_when_borg_is_missing(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = lab.poll()

    assert not told.complete
    assert "not installed" in told.problems[0]


def test_it_keeps_no_secret_and_leaves_no_archive_and_no_lock(lab: Lab) -> None:
    lab.create("app-1")
    before = sorted(lab.repository.rglob("*"))
    answers = [lab.ask(), lab.ask(passphrase="wrong password 99"), lab.ask(repository="ssh://user:hunter2222@127.0.0.1:9/./r")]
    kept = msgspec.json.encode(answers).decode()

    for secret in (PASSPHRASE, "wrong password 99", "hunter2222"):
        assert secret not in kept
    assert sorted(lab.repository.rglob("*")) == before


@pytest.mark.parametrize(
    "address",
    ["-oProxyCommand=touch x:/repo", "ssh://-oProxyCommand=x/repo", "ssh://u@-oProxyCommand=x/repo", "u@-oProxyCommand=x:/r", "--rsh"],
)
def test_it_never_hands_an_address_to_another_program_as_an_option(address: str) -> None:
    answer = Borg().ask(settings={"repository": address}, secrets={}, run=nothing_runs, cursor={})

    assert "not started" in Borg().read(answer).problems[0]


def test_it_says_that_borg_2_is_another_program() -> None:
    def run(name: str, argv: list[str], **how: object) -> Step:
        return Step(name=name, command=" ".join(argv), exit_code=0, stdout="borg 2.0.0b14")

    told = Borg().read(Borg().ask(settings={"repository": "/repo"}, secrets={}, run=run, cursor={}))

    assert "Use borg 1.x" in told.problems[0]


@pytest.mark.parametrize("value", ["", "0", "-5", "9999", "nan", "soon"])
def test_it_keeps_to_a_sane_time_limit(value: str) -> None:
    limits: list[float] = []

    def run(name: str, argv: list[str], *, env: dict[str, str], timeout_s: float) -> Step:
        limits.append(timeout_s)
        return Step(name=name, exit_code=1)

    Borg().ask(settings={"repository": "/repo", "timeout_s": value}, secrets={}, run=run, cursor={})

    assert limits == [120.0]
