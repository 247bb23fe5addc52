"""Programs run for connectors are bounded, and whatever they do comes back as a step."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from monitoring.connectors.base import Step
from monitoring.connectors.running import run_program


def script(text: str, *, timeout_s: float = 20, cap_bytes: int = 1 << 20, **env: str) -> Step:
    return run_program("x", ["/bin/sh", "-c", text], env=env, timeout_s=timeout_s, cap_bytes=cap_bytes)


def test_it_brings_back_code_outputs_and_times() -> None:
    step = script("echo out; echo err >&2; exit 3")

    assert (step.exit_code, step.stdout, step.stderr, step.truncated) == (3, "out\n", "err\n", False)
    assert step.started_at is not None and step.finished_at is not None
    assert step.started_at <= step.finished_at


def test_it_passes_on_nothing_of_its_own_environment(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("SECRET_KEY", "do not leak")
    step = script("env", AWS_REGION="eu")

    assert "do not leak" not in (step.stdout or "")
    assert {"TZ=UTC", "LC_ALL=C", "AWS_REGION=eu"} <= set((step.stdout or "").split("\n"))


def test_it_closes_standard_input() -> None:
    assert script("cat; echo end").stdout == "end\n"


def test_it_names_the_program_that_is_missing() -> None:
    step = run_program("x", ["no-such-program"], env={}, timeout_s=5)

    assert step.exit_code == 127
    assert "apt install no-such-program" in (step.stderr or "")


def test_it_survives_a_program_that_cannot_start(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("not a program")

    assert run_program("x", [str(plain)], env={}, timeout_s=5).exit_code == 126
    assert run_program("x", ["echo", "a\0b"], env={}, timeout_s=5).exit_code == 126


def test_it_ends_the_whole_group_in_time(tmp_path: Path) -> None:
    began = time.monotonic()
    step = script(f"(sleep 30; touch {tmp_path}/late) & sleep 30", timeout_s=0.5)

    assert time.monotonic() - began < 10
    assert step.exit_code == 124
    assert "0.5 s" in (step.stderr or "")


def test_it_ends_a_program_that_ignores_the_first_request() -> None:
    began = time.monotonic()
    step = script("trap '' TERM; while :; do :; done", timeout_s=0.5)

    assert time.monotonic() - began < 10
    assert step.exit_code == 124


def test_it_does_not_wait_for_children_in_the_background() -> None:
    began = time.monotonic()
    step = script("echo done; sleep 30 & exit 0")

    assert time.monotonic() - began < 10
    assert (step.exit_code, step.stdout) == (0, "done\n")


def test_it_cuts_a_flood_and_says_so() -> None:
    step = script("head -c 300000 /dev/zero | tr '\\0' x; exit 5", cap_bytes=1000)

    assert (step.exit_code, step.truncated, len(step.stdout or "")) == (5, True, 1000)


def test_it_reports_a_signal_as_a_shell_does() -> None:
    assert script("kill -9 $$").exit_code == 137


def test_it_decodes_bytes_that_are_no_text() -> None:
    step = run_program("x", [sys.executable, "-c", r"import sys; sys.stdout.buffer.write(b'a\xff\x00b')"], env={}, timeout_s=20)

    assert step.stdout == "a\ufffd\x00b"
