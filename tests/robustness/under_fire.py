"""The whole product under `manage.py up`: its processes are found, killed and fed from here, over HTTP as from any machine."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import environ
import httpx

from itsm_backup.common.time import now
from monitoring import tokens
from monitoring.models import JobState, RawAnswer, ServiceState, Tool
from tests.factories import make_admin
from tests.launcher.conftest import Product, Start
from tests.robustness.elsewhere import Database
from tests.robustness.world import PING_KEY, Batch, Feed, Ping

ROUND = ("worker process", "web process", "beat", "poller", "worker", "web process", "worker process", "web")
SUPERVISOR_EVERY = 12  # kills
GIVE_UP_S = 300


def issue_tokens() -> dict[str, str]:
    """A token for every tool that pushes."""
    admin = make_admin("feeder")
    pushing = Tool.objects.filter(kind="push")
    return {tool.name: tokens.issue(user=admin, scope="ingest", tool=tool, at=now(), days=2) for tool in pushing}


def waiting() -> dict[str, int]:
    """What the product still has to do, and the messages that wait: all 0 when it has come to rest."""
    from itsm_backup.common.models import Notice

    return {
        "jobs": JobState.objects.exclude(touched_at=None).count(),
        "services": ServiceState.objects.filter(next_judgement_at__lte=now()).count(),
        "answers": RawAnswer.objects.filter(read_at=None).count(),
        "messages": Notice.objects.filter(sent_at=None).count(),
    }


def send_later(*, at: dt.datetime) -> int:
    """Send what a killed sender had claimed, as when its claim has run out."""
    from itsm_backup.common import outbox

    sent = 0
    while some := outbox.send_waiting(at=at + outbox.CLAIM):
        sent += some
    return sent


class Fortress:
    """A running product that is attacked, and brought back when its supervisor falls."""

    def __init__(self, product: Product, *, port: int, mail_port: int, seed: int) -> None:
        self.product, self.port, self.mail_port, self.rng = product, port, mail_port, random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.start = self._up()

    def _up(self) -> Start:
        start = self.product.start("up", "--empty", "--port", str(self.port))
        start.address()
        return start

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def database(self) -> Database:
        held = json.loads((self.product.clone / "var/lock").read_text())
        settings = environ.Env.db_url_config(held["services"]["DATABASE_URL"])
        names = ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
        return Database({name: settings[name] for name in names if name in settings}, self.mail_port)

    def attack(self) -> None:
        """Kill one process, the kinds in turn, and the supervisor now and then; it does not wait for what comes after."""
        number = sum(self.kills.values())
        if number % SUPERVISOR_EVERY == SUPERVISOR_EVERY - 1:
            self.start.process.kill()
            self.start.process.wait()
            self.kills["supervisor"] += 1
            self.start = self._up()
            return
        kind = ROUND[(number - self.kills["supervisor"]) % len(ROUND)]
        name, _, inner = kind.partition(" ")
        with contextlib.suppress(OSError, ValueError, KeyError):  # just now there is none of this kind
            pid = self.product.children()[name]
            os.kill(self.rng.choice(_children_of(pid)) if inner else pid, signal.SIGKILL)
            self.kills[kind] += 1

    @property
    def senders_killed(self) -> int:
        """Kills that may have met a process between the mail server's 250 and the note of it."""
        return self.kills["worker"] + self.kills["worker process"] + self.kills["supervisor"]


def _children_of(pid: int) -> list[int]:
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    if not found:
        raise ProcessLookupError
    return found


class Feeder:
    """Clients as they are: each goes on with what comes next when this was answered, and sends again what was not."""

    def __init__(self, address: str, told: Feed, tokens_of: dict[str, str], *, seconds: float) -> None:
        self.address, self.told, self.tokens_of = address, told, tokens_of
        self.seconds, self.sent_again, self.errors = seconds, Counter(), []
        acts = [(self._push_all, tool, batches) for tool, batches in told.batches.items()]
        acts += [(self._ping_all, slug, pings) for slug, pings in told.pings.items()]
        self.threads = [threading.Thread(target=self._guarded, args=act, daemon=True) for act in acts]

    def begin(self) -> None:
        for thread in self.threads:
            thread.start()

    @property
    def is_busy(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def finish(self) -> None:
        """Wait for all, and tell what comes last."""
        for thread in self.threads:
            thread.join()
        tool, batch = self.told.last
        self._push(tool, batch)
        assert not self.errors, self.errors

    def _guarded(self, act, *what) -> None:  # type: ignore[no-untyped-def]
        try:
            act(*what)
        except Exception as error:
            self.errors.append(error)

    def _push_all(self, tool: str, batches: list[Batch]) -> None:
        for batch in batches:
            self._push(tool, batch)
            time.sleep(self.seconds / len(batches))

    def _ping_all(self, slug: str, pings: list[Ping]) -> None:
        for ping in pings:
            suffix = f"/{ping.suffix}" if ping.suffix else ""
            self._send(f"/ping/{PING_KEY}/{slug}{suffix}?rid={ping.rid}", content=ping.body.encode())
            time.sleep(self.seconds / len(pings))

    def _push(self, tool: str, batch: Batch) -> None:
        answer = self._send("/api/v1/runs", json=batch, headers={"Authorization": f"Bearer {self.tokens_of[tool]}"})
        counts = answer.json()
        assert counts["stored"] + counts["unchanged"] == len(batch), counts

    def _send(self, path: str, **request) -> httpx.Response:  # type: ignore[no-untyped-def]
        """The answer, however often it takes."""
        end = time.monotonic() + GIVE_UP_S
        while time.monotonic() < end:
            try:
                answer = httpx.post(self.address + path, timeout=15, trust_env=False, **request)
            except httpx.TransportError:
                self.sent_again["no answer"] += 1
            else:
                if answer.status_code == 200:
                    return answer
                assert answer.status_code >= 500, (answer.status_code, answer.text)
                self.sent_again[f"answer {answer.status_code}"] += 1
            time.sleep(0.3)
        raise AssertionError(f"{path} was not answered within {GIVE_UP_S} s")
