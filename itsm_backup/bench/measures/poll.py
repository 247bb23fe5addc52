"""Asking many sources through the pool, beside a bare loop that runs the same programs and makes the same requests."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings as deployment
from django.db.models import Q

from itsm_backup.bench import databases, measuring, pattern, processor
from itsm_backup.bench.measuring import Measured, tell
from itsm_backup.bench.serving import identity_in, served
from itsm_backup.bench.sizes import Size
from itsm_backup.common.http.client import trusting
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring import pooling
from monitoring.connectors import connector
from monitoring.connectors.fetching import fetching
from monitoring.connectors.running import run_program
from monitoring.models import Tool, ToolState

SOURCE = "itsm_backup.bench.floors.source:application"
BY_PROGRAM, BY_REQUEST = "restic", "pbs"
LOOK_EVERY_S = 1.0  # as `poll --forever` does
PASSWORD = "benchmark"  # noqa: S105 - of a repository that is deleted at the end
SECRETS = {BY_PROGRAM: {"password": PASSWORD}, BY_REQUEST: {"token": "benchmark"}}
MOST = 1.1
WITHIN_S = 150.0  # three tries of half a minute each, and their pauses
_HANGING: list[pooling.Pool] = []
Bare = Callable[[], object]


def measure(size: Size, template: str) -> Iterator[Measured]:
    """What the pool costs beside the bare loop, what one hanging source costs the others, and whether memory stands still."""
    url = databases.clone(template, "poll")
    databases.use(url)
    with tempfile.TemporaryDirectory(prefix="itsm-backup-bench-") as folder, _source(Path(folder), url) as asked:
        settings = {BY_REQUEST: asked}
        counts = {BY_REQUEST: size.sources}
        if shutil.which("restic"):
            os.environ["HOME"] = folder  # restic keeps a cache there
            settings[BY_PROGRAM] = {"repository": _repository(Path(folder))}
            counts = {BY_PROGRAM: max(2, size.sources // 10), BY_REQUEST: size.sources - max(2, size.sources // 10)}
        _make_tools(counts, settings)
        by_request = {BY_REQUEST: counts[BY_REQUEST]}
        if len(counts) > 1:
            yield _cost(counts, settings, size.rounds)
            yield _cost({BY_PROGRAM: counts[BY_PROGRAM]}, settings, size.rounds)
        yield _cost(by_request, settings, size.rounds)
        yield _cost(by_request, settings, size.rounds, anew=True)
        yield from _steady(counts[BY_REQUEST], size.rounds)
    databases.drop(url)


def _cost(counts: dict[str, int], settings: dict[str, dict[str, str]], rounds: int, *, anew: bool = False) -> Measured:
    """`anew`: every answer is compared with what is known, as once an hour and whenever something is new."""
    which = "compared with all that is known" if anew else "with nothing new"
    whom = f"{sum(counts.values())} sources ({', '.join(f'{count} of {kind}' for kind, count in counts.items())})"
    tell(f"poll: {rounds} rounds of {whom}, {which}")
    calls = {kind: _recorded(kind, settings[kind]) for kind in counts}
    bare = [calls[kind] for kind, count in counts.items() for _ in range(count)]
    pool = pooling.Pool(clock=now)  # one, as in the process that asks: its places keep their connections
    _product(counts, pool)  # warm: the first round stores what later rounds find unchanged
    sides = {"product": _timed(partial(_product, counts, pool, anew=anew)), "bare loop": _timed(partial(_bare, bare))}
    found = measuring.alternate(sides, rounds=rounds)
    pool.end(WITHIN_S)
    each = (sum(found["product"]) - sum(found["bare loop"])) / len(found["product"]) / len(bare) * 1_000
    beside = "" if processor.is_whole() else " PostgreSQL runs elsewhere and is not in it."
    return measuring.compared(
        found, goal="poll", what=f"processor time of asking {whom}, {which}, beside a bare loop", product="product",
        base="bare loop", limit=MOST, at_least=False, unit="s",
        note=f"A source costs the product {each:.1f} ms more: claim, answer, reading, {'storing, ' * anew}state and load.{beside}",
    )  # fmt: skip


def _steady(count: int, rounds: int) -> Iterator[Measured]:
    """Seconds until all others were asked, with and without one that never answers; then memory."""
    tell("poll: with one source that hangs")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says a word
        _make_tools({"silent": 1}, {"silent": {"address": f"http://127.0.0.1:{silent.getsockname()[1]}"}})
        sides = {name: partial(_elapsed, hangs) for name, hangs in (("one hangs", True), ("none hangs", False))}
        found = measuring.alternate(sides, rounds=rounds)
    for pool in _HANGING:  # the silence has ended; until it is noted the database stays
        pool.end(WITHIN_S)
    yield measuring.compared(
        found, goal="poll", what=f"time until {count} sources are asked while one hangs", product="one hangs", base="none hangs",
        limit=MOST, at_least=False, unit="s",
    )  # fmt: skip
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / peak
    yield measuring.counted(
        goal="poll", what=f"memory after {2 * rounds} rounds more", value=grown, limit=MOST, unit="times the peak before them"
    )


def _make_tools(counts: dict[str, int], settings: dict[str, dict[str, str]]) -> None:
    person, at = pattern._person("poller") if not Tool.objects.exists() else None, now()
    for kind, count in counts.items():
        real = BY_REQUEST if kind == "silent" else kind
        given = {"token_id": "bench@pbs!reader", "datastores": "main", **settings[kind]} if kind == "silent" else settings[kind]
        for number in range(count):
            with because(pattern.REASON, by=person):
                tool = Tool.objects.create(name=f"{kind}-{number}", kind=real, settings=given, secrets=SECRETS[real], monitored_from=at)
            ToolState.objects.create(tool=tool)


@contextmanager
def _source(folder: Path, url: str) -> Iterator[dict[str, str]]:
    """A source over HTTPS, as every such server is asked; yields how it is set."""
    identity = identity_in(folder)
    with served(SOURCE, url=url, workers=1, identity=identity) as port:
        told = {"address": f"https://127.0.0.1:{port}", "certificates": identity.certificate.read_text()}
        yield {**told, "token_id": "bench@pbs!reader", "datastores": "main"}


def _repository(folder: Path) -> str:
    """A repository with some snapshots."""
    (folder / "file").write_text("content")
    environment = {**os.environ, "RESTIC_REPOSITORY": str(folder / "repo"), "RESTIC_PASSWORD": PASSWORD}
    for arguments in (["init"], *[["backup", "--host", f"srv{number}", str(folder / "file")] for number in range(3)]):
        subprocess.run(["restic", "--quiet", *arguments], env=environment, check=True, stdin=subprocess.DEVNULL)
    return str(folder / "repo")


def _recorded(kind: str, settings: dict[str, str]) -> list[Bare]:
    """What a connector does for one source, as bare calls."""
    bare: list[Bare] = []
    asked: dict[str, Any] = {"settings": settings, "secrets": SECRETS[kind], "cursor": {"at": now().isoformat()}}
    if kind == BY_PROGRAM:

        def run(name: str, argv: list[str], *, env: Any, timeout_s: float) -> Any:
            whole = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **env}
            bare.append(lambda: subprocess.run(argv, env=whole, capture_output=True, check=True, stdin=subprocess.DEVNULL))
            return run_program(name, argv, env=env, timeout_s=timeout_s)

        connector(kind).ask(run=run, **asked)
        return bare
    requests: list[tuple[str, str, dict[str, str]]] = []
    source: Any = connector(kind)
    trust = trusting(settings["certificates"])
    with fetching(allowed=deployment.TOOL_ADDRESSES, verify=trust) as real:

        def fetch(name: str, method: str, url: str, *, headers: Any, body: Any = None) -> Any:
            requests.append((method, url, dict(headers)))
            return real(name, method, url, headers=headers, body=body)

        source.ask(fetch=fetch, **asked)

    def conversation() -> None:
        with httpx.Client(verify=trust) as client:
            for method, url, headers in requests:
                client.request(method, url, headers=headers).raise_for_status()

    return [conversation]


def _bare(sources: list[list[Bare]]) -> None:
    with ThreadPoolExecutor(pooling.PLACES) as pool:
        list(pool.map(lambda calls: [call() for call in calls], sources))


def _product(kinds: Iterable[str], pool: pooling.Pool, *, also: str = "", anew: bool = False) -> float:
    """Ask every source of these kinds once; returns how many seconds that took."""
    wanted = Tool.objects.filter(_named(kinds))
    due = ToolState.objects.filter(tool__in=list(Tool.objects.filter(_named([*kinds, also] if also else kinds))))
    due.update(next_poll_at=now(), claimed_until=None, consecutive_failures=0)
    if anew:
        due.update(compared_digest=None)
    wanted_by_then, began, looked_at = pool.asked + wanted.count(), time.monotonic(), 0.0
    while pool.asked < wanted_by_then:
        if time.monotonic() - looked_at >= LOOK_EVERY_S:
            looked_at = time.monotonic()
            pool.look()
        time.sleep(0.02)
    took_s = time.monotonic() - began
    if failed := ToolState.objects.filter(tool__in=list(wanted), consecutive_failures__gt=0).first():
        raise RuntimeError(f"A source was not asked well: {failed.problem}")
    return took_s


def _named(kinds: Iterable[str]) -> Q:
    return Q.create([Q(name__startswith=f"{kind}-") for kind in kinds], Q.OR)


def _elapsed(hangs: bool) -> float:
    pool = pooling.Pool(clock=now)
    took_s = _product([BY_REQUEST], pool, also="silent" if hangs else "")
    pool.end(0)
    if hangs:
        _HANGING.append(pool)
    return took_s


def _timed(side: Callable[[], object]) -> Callable[[], float]:
    def timed() -> float:
        began = processor.used_s()
        side()
        return processor.used_s() - began

    return timed
