"""Run one program for a connector: bounded in time and output, without a terminal, without the product's own environment."""

from __future__ import annotations

import datetime as dt
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import IO

from monitoring.connectors.base import Step

CAP_BYTES = 32 * 1024 * 1024
GRACE_S = 3.0
TIMED_OUT = 124  # as coreutils' timeout reports it
NOT_RUNNABLE = 126
NOT_FOUND = 127


def run_program(name: str, argv: list[str], *, env: Mapping[str, str], timeout_s: float, cap_bytes: int = CAP_BYTES) -> Step:
    """Run `argv` and return what happened; never raises for a program that fails, hangs, floods or is missing.

    Standard input is closed, the zone is UTC and the language C, and only PATH, HOME and `env` are passed on. After `timeout_s`
    seconds the whole process group is ended (exit code 124). Output beyond `cap_bytes` per stream is dropped and the step is
    marked truncated. The exit code of a program ended by a signal is 128 + signal; 127 says that the program is not installed.
    """
    started_at = dt.datetime.now(dt.UTC)
    step = Step(name=name, command=shlex.join(argv), started_at=started_at)
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(env),
            start_new_session=True,
        )
    except FileNotFoundError:
        step.exit_code = NOT_FOUND
        step.stderr = f"The program {argv[0]} is not installed on this machine. Install it (on Debian: apt install {argv[0]})."
    except (OSError, ValueError) as error:
        step.exit_code = NOT_RUNNABLE
        step.stderr = f"The program {argv[0]} could not be started: {error}."
    else:
        _watch(process, step, timeout_s=timeout_s, cap_bytes=cap_bytes)
    step.finished_at = dt.datetime.now(dt.UTC)
    return step


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    own = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return {**own, "TZ": "UTC", "LC_ALL": "C", **env}


def _watch(process: subprocess.Popen[bytes], step: Step, *, timeout_s: float, cap_bytes: int) -> None:
    assert process.stdout is not None and process.stderr is not None  # noqa: S101 - both were asked for as pipes
    outputs = [_Capture(process.stdout, cap_bytes), _Capture(process.stderr, cap_bytes)]
    timed_out = False
    try:
        code = process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        code = _end(process)
    for output in outputs:
        output.join(GRACE_S)
    if any(output.is_alive() for output in outputs):  # a child in the background still holds the pipe
        _signal(process, signal.SIGKILL)
        for output in outputs:
            output.join(GRACE_S)
    step.stdout, step.stderr = (output.text() for output in outputs)
    step.truncated = any(output.dropped for output in outputs)
    step.exit_code = code if code >= 0 else 128 - code
    if timed_out:
        step.exit_code = TIMED_OUT
        step.stderr += f"\nThe program did not finish within {timeout_s:g} s and was stopped."


def _end(process: subprocess.Popen[bytes]) -> int:
    _signal(process, signal.SIGTERM)
    try:
        return process.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        return process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)  # the session was started for it, so the group has its id
    except (ProcessLookupError, PermissionError):
        pass


class _Capture(threading.Thread):
    """Reads one pipe to its end, keeps the first `cap_bytes` and drops the rest, so that the program never blocks."""

    def __init__(self, pipe: IO[bytes], cap_bytes: int) -> None:
        super().__init__(daemon=True)
        self._pipe, self._cap_bytes = pipe, cap_bytes
        self._kept = bytearray()
        self.dropped = False
        self.start()

    def run(self) -> None:
        with self._pipe:
            while chunk := self._pipe.read1(65536):  # type: ignore[attr-defined]
                room = self._cap_bytes - len(self._kept)
                self._kept += chunk[:room]
                self.dropped |= len(chunk) > room

    def text(self) -> str:
        return bytes(self._kept).decode("utf-8", errors="replace")
