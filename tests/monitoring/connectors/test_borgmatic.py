"""borgmatic: recorded cases, what single reports mean, and the real program asked about real repositories."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from monitoring.connectors.base import Answer, Reading, Record, Step
from monitoring.connectors.borgmatic import Borgmatic
from monitoring.connectors.running import run_program
from monitoring.normalising_files import normalised
from tests.recordings import RECORDED, assert_agrees, blinded, cases, push

BORGMATIC = RECORDED / "borgmatic"
PASSPHRASE = "correct horse 4711"
live = pytest.mark.skipif(
    not (shutil.which("borgmatic") and shutil.which("borg")) and not os.environ.get("CI"), reason="borgmatic and borg are not installed"
)


@pytest.mark.tested("recorded", "borgmatic")
@pytest.mark.parametrize("case", cases("borgmatic"), ids=lambda case: case.name)
def test_it_reads_a_recorded_case_as_what_happened(case: Path, tmp_path: Path) -> None:
    assert_agrees(case, list(normalised("borgmatic", blinded(case, tmp_path))))


def test_it_counts_the_files_only_where_none_are_its_own() -> None:
    (old,) = normalised("borgmatic", BORGMATIC / "1.7-create-first")
    (new,) = normalised("borgmatic", BORGMATIC / "2.1-create-first")

    assert (old["files_total"], new["files_total"]) == (14, None)
    assert old["encrypted"] is new["encrypted"] is True


def test_it_reads_the_archives_of_every_repository_with_their_sizes() -> None:
    records = list(normalised("borgmatic", BORGMATIC / "2.1-list-info-json"))

    assert {record["evidence_kind"] for record in records} == {"artefact"}
    assert {record["job_external_id"] for record in records} == {"wiki01"}
    assert records[0]["bytes_source"] is not None


@pytest.mark.parametrize(
    ("file", "count"),
    [("2.1-create-first/create.stdout.json", 1), ("1.7-list-info-json/list.stdout.json", 4), ("1.7-full-run/run.stdout.txt", 1)],
)
def test_it_reads_one_raw_output(file: str, count: int) -> None:
    assert len(list(normalised("borgmatic", BORGMATIC / file))) == count


def run(command: str = "borgmatic create", code: int | None = 0, stderr: str = "", **more: object) -> Record:
    told = Borgmatic().read(push(command, code, stderr=stderr, **more))  # type: ignore[arg-type]
    assert told.rejects == []
    (record,) = told.records
    return record


def failed(call: str, code: int, *before: str) -> str:
    return "\n".join(
        (*before, "main: Error running actions for repository", f"main: Command '{call}' returned non-zero exit status {code}.")
    )


CREATE = "borg create /repo::{hostname}-wiki-{now} /srv/a /srv/b"
GONE = "/srv/a: stat: [Errno 2] No such file or directory: 'a'"


@pytest.mark.parametrize(
    ("code", "stderr", "outcome"),
    [
        (0, "", "success"),
        (1, "", "failed"),
        (0, "/srv/a/x: open: [Errno 13] Permission denied: 'x'", "warning"),
        (0, "Treating exit code 105 as a warning, as per configuration", "warning"),
        (0, "/tmp/borgmatic-x/borgmatic/bootstrap: [Errno 2] No such file\nTreating exit code 1 as a warning", "success"),
        (1, failed(CREATE, 1), "warning"),
        (1, failed(CREATE, 105), "warning"),
        (1, failed(CREATE, 1, GONE), "partial"),
        (1, failed(CREATE, 1, GONE, GONE.replace("/a", "/b")), "failed"),
        (1, failed(CREATE, 2), "failed"),
        (1, failed("pg_dump wiki", 1), "failed"),
        (1, failed(CREATE, 1) + "\n" + failed("after.sh", 1), "failed"),
        (0, "/etc/x.yaml: Command hook exited with soft failure exit code (75); skipping remaining actions", "skipped"),
        (143, "", "cancelled"),
        (137, "", "failed"),
        (None, "", "unknown"),
        (0, "Number of files: 0\nArchive fingerprint: " + "a" * 64, "failed"),
    ],
)
def test_it_judges_a_backup_by_what_borg_said_below_it(code: int | None, stderr: str, outcome: str) -> None:
    assert run(code=code, stderr=stderr).outcome == outcome


@pytest.mark.parametrize(
    ("command", "code", "stdout", "operation", "outcome", "state"),
    [
        ("borgmatic", 0, "", "backup", "success", "none"),
        ("borgmatic --verbosity 1", 1, "", "backup", "failed", "none"),
        ("borgmatic prune create check", 0, "", "backup", "success", "none"),
        ("borgmatic check --only data", 0, "", "verify", "success", "passed"),
        ("borgmatic check", 1, "Finished full repository check, errors found.", "verify", "failed", "failed"),
        ("borgmatic check", 1, "", "verify", "failed", "none"),
        ("borgmatic check", 0, "Skipping repository check due to configured frequency", "verify", "skipped", "none"),
        ("borgmatic extract --archive latest", 0, "", "restore", "success", "none"),
        ("borgmatic prune --stats", 0, "", "prune", "success", "none"),
        ("borgmatic create --dry-run", 0, "", "other", "skipped", "none"),
    ],
)
def test_it_reads_its_actions(command: str, code: int, stdout: str, operation: str, outcome: str, state: str) -> None:
    record = run(command, code, stdout=stdout)

    assert (record.operation, record.outcome, record.verification_state) == (operation, outcome, state)


def test_it_gives_success_and_failure_of_a_series_the_same_job() -> None:
    good = run(stdout='Creating archive at "/repo::db01-wiki-2026-07-14T01:30:00"')

    assert good.job_external_id == run(code=1, stderr=failed(CREATE, 2)).job_external_id == "db01:wiki"


def test_it_keeps_no_password_of_a_command() -> None:
    record = run(code=1, stderr=failed("curl --password=hunter2222 https://u:hunter3333@h", 1))

    assert "hunter" not in (record.native_message or "")


class Lab:
    """A real repository behind a real configuration."""

    def __init__(self, folder: Path) -> None:
        self.source, self.config = folder / "data", folder / "config.yaml"
        self.source.mkdir()
        (self.source / "one.txt").write_text("one")
        self.config.write_text(
            f"location:\n    source_directories:\n        - {self.source}\n    repositories:\n        - {folder}/repo\n"
            f"storage:\n    encryption_passphrase: {PASSPHRASE}\n"
        )

    def borgmatic(self, *arguments: str) -> Step:
        return run_program("run", ["borgmatic", "-c", str(self.config), "--no-color", *arguments], env={}, timeout_s=60)

    def ask(self, config: Path | None = None, **settings: str) -> Answer:
        told = {"config": str(config or self.config), "timeout_s": "60", **settings}
        return Borgmatic().ask(settings=told, secrets={}, run=run_program, cursor={})

    def poll(self, config: Path | None = None, **settings: str) -> Reading:
        return Borgmatic().read(self.ask(config, **settings))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("HOME", str(tmp_path))
    lab = Lab(tmp_path)
    made = lab.borgmatic("rcreate", "--encryption", "repokey")
    assert made.exit_code == 0, made.stderr
    return lab


@live
@pytest.mark.tested("live", "borgmatic")
@pytest.mark.real_tool("borgmatic")
def test_it_pairs_a_real_run_with_what_the_poll_finds(lab: Lab) -> None:
    ran = lab.borgmatic("create", "--json")
    told = lab.poll()
    (found,) = told.records
    (pushed,) = Borgmatic().read(Answer(kind="push", steps=[ran], host=found.target_name)).records

    assert (told.complete, told.problems) == (True, [])
    assert (found.bytes_source, found.files_total, found.encrypted, found.time_quality) == (3, 1, True, "exact")
    assert pushed.outcome == "success"
    assert (pushed.job_external_id, pushed.artefact_id) == (found.job_external_id, found.artefact_id)
    assert lab.poll() == lab.poll()


@live
@pytest.mark.tested("live", "borgmatic")
@pytest.mark.real_tool("borgmatic")
def test_it_finds_an_empty_repository_complete(lab: Lab) -> None:
    told = lab.poll()

    assert (told.complete, told.records) == (True, [])


def test_a_configuration_that_cannot_be_read_is_told_with_what_to_do() -> None:
    said = "Error parsing configuration file /etc/borgmatic/config.yaml: [Errno 13] Permission denied: '/etc/borgmatic/config.yaml'"
    step = Step(name="list", command="borgmatic --config /etc/borgmatic/config.yaml rlist", exit_code=1, stderr=said)
    told = Borgmatic().read(Answer(kind="poll", steps=[step])).problems[0]
    assert told.startswith("borgmatic cannot read its configuration. Check the path") and "Permission denied" in told


@live
@pytest.mark.tested("live", "borgmatic")
@pytest.mark.real_tool("borgmatic")
def test_it_says_why_it_got_no_answer(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_config = lab.poll(tmp_path / "none.yaml")
    lab.config.write_text(lab.config.read_text().replace(PASSPHRASE, "something else"))
    wrong = lab.poll()
    shutil.rmtree(tmp_path / "repo")
    gone = lab.poll()
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = lab.poll()

    assert not any((no_config.complete, wrong.complete, gone.complete, missing.complete))
    assert "cannot read its configuration" in no_config.problems[0] and "none.yaml" in no_config.problems[0]
    assert "passphrase does not open" in wrong.problems[0]
    assert "no repository" in gone.problems[0]
    assert "not installed" in missing.problems[0]


@live
@pytest.mark.tested("live", "borgmatic")
@pytest.mark.real_tool("borgmatic")
def test_it_keeps_no_secret(lab: Lab) -> None:
    lab.borgmatic("create")
    answer = Borgmatic().ask(settings={"config": str(lab.config)}, secrets={"passphrase": "wrong one 99"}, run=run_program, cursor={})

    assert "wrong one 99" not in msgspec.json.encode(answer).decode()


@pytest.mark.parametrize("config", ["", "config.yaml", "--help"])
def test_it_takes_only_a_whole_path(config: str) -> None:
    def run(name: str, argv: list[str], **how: object) -> Step:
        raise AssertionError(f"{argv} must not run")

    told = Borgmatic().read(Borgmatic().ask(settings={"config": config}, secrets={}, run=run, cursor={}))

    assert "whole path" in told.problems[0]


@pytest.mark.parametrize(("version", "verb"), [("1.7.7", "rlist"), ("1.8.14", "rlist"), ("1.9.0", "repo-list"), ("2.1.10", "repo-list")])
def test_it_uses_the_words_of_the_version(version: str, verb: str) -> None:
    asked: list[list[str]] = []

    def run(name: str, argv: list[str], **how: object) -> Step:
        asked.append(argv)
        return Step(name=name, exit_code=0, stdout=version)

    Borgmatic().ask(settings={"config": "/etc/x.yaml"}, secrets={}, run=run, cursor={})

    assert verb in asked[1]
