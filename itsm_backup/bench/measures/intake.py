"""Intake in bulk: beside COPY and upsert of the same rows, beside the least that Django can do, and with ten times the history."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import psycopg
from django.db import connection

from itsm_backup import journey
from itsm_backup.bench import databases, loading, measuring, multiplying, pattern
from itsm_backup.bench.floors import django_floor
from itsm_backup.bench.measuring import Measured, tell
from itsm_backup.bench.serving import PRODUCT, served
from itsm_backup.bench.sizes import Size
from itsm_backup.common.time import now
from monitoring.combining import Row, combine, key_of
from monitoring.connectors.push_records import read_record
from monitoring.models import BackupJob, Tool
from monitoring.storing import COLUMNS

FLOOR = "itsm_backup.bench.floors.django_floor:application"
BATCH = 500
JOBS_CARRIED = 20
SQL, DJANGO, OWN, LONG = "COPY and upsert", "the least in Django", "product", "product, longer history"
_LIST = ", ".join(COLUMNS)
_UPSERT = (
    f"INSERT INTO floor_backuprun ({_LIST}) SELECT {_LIST} FROM stage ON CONFLICT (key) DO UPDATE SET "  # noqa: S608 - our own names
    + ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS if name not in ("key", "first_seen_at"))
)


class Feed:
    """Runs that nobody has heard of yet, spread over all jobs, each batch a little later than the one before."""

    def __init__(self, services: int, start: dt.datetime) -> None:
        self.jobs = [f"{'failing' if n % multiplying.FAILING_EVERY == 0 else 'kept'}-{n}" for n in range(1, services + 1)]
        self.start, self.sent = start, 0

    def batch(self, count: int = BATCH) -> list[dict[str, Any]]:
        found = []
        for _ in range(count):
            job = self.jobs[self.sent % len(self.jobs)]
            found.append(pattern.record(job, self.start + dt.timedelta(seconds=self.sent * 0.1)))
            self.sent += 1
        return found


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G4, G6 and G17."""
    usual, usual_token = _history("usual", size.services, size.runs, template)
    _make_floor(size.services)
    yield _storage()
    more, more_token = _history("more", size.services, size.more_runs, template)
    with (
        served(PRODUCT, url=usual, workers=1) as product,
        served(PRODUCT, url=more, workers=1) as longer,
        served(FLOOR, url=usual, workers=1) as floor,
        psycopg.connect(usual) as plain,
    ):
        posted = {OWN: (product, usual_token), LONG: (longer, more_token)}
        yield from _carried(size, usual, product, usual_token)  # first, while nothing else waits for the journey
        yield from _rates(size, usual, posted, floor, plain)
    for url in (usual, more):
        databases.drop(url)


def _history(label: str, services: int, runs: int, template: str) -> tuple[str, str]:
    """An estate whose services have so many runs each; returns its URL and a token."""
    url = databases.clone(template, label)
    databases.use(url)
    tell(f"intake: a history of {services * runs:,} runs")
    made = pattern.make(at=now(), runs=runs)
    multiplying.multiply(made, services=services)
    return url, made.token


def _make_floor(services: int) -> None:
    """A twin of the table of runs, with the same indexes and the same history."""
    django_floor.make_tables(jobs=services)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE floor_backuprun (LIKE monitoring_backuprun INCLUDING ALL)")
        cursor.execute(f"INSERT INTO floor_backuprun ({_LIST}) SELECT {_LIST} FROM monitoring_backuprun ORDER BY occurred_at")  # noqa: S608
        cursor.execute("VACUUM ANALYZE floor_backuprun")


def _rates(size: Size, usual: str, posted: dict[str, tuple[int, str]], floor: int, plain: psycopg.Connection[Any]) -> Iterator[Measured]:
    databases.use(usual)
    start = now() - dt.timedelta(hours=6)
    feeds = {name: Feed(size.services, start + dt.timedelta(minutes=90 * n)) for n, name in enumerate([SQL, DJANGO, *posted])}
    rows = _Rows()
    sides: dict[str, Callable[[], float]] = {SQL: lambda: _copy(plain, [rows.of(feeds[SQL].batch()) for _ in range(size.batches)])}
    sides[DJANGO] = lambda: _post(floor, "/bulk", "", feeds[DJANGO], size.batches)
    for name, (port, token) in posted.items():
        sides[name] = partial(_post, port, "/api/v1/runs", token, feeds[name], size.batches)
    for side in sides.values():  # warm
        side()
    tell(f"intake: {size.rounds} rounds of {size.batches} batches for each of {len(sides)}")
    rounds = measuring.alternate(sides, rounds=size.rounds)
    rate: dict[str, Any] = {"product": OWN, "at_least": True, "unit": "runs/s"}
    note = "Through the bulk endpoint: decoding, checks, raw answer, restore points and marks for the journey, all committed."
    yield measuring.compared(
        rounds, goal="G4", what="bulk intake beside COPY and upsert of the same rows", base=SQL, limit=0.4, note=note, **rate
    )
    yield measuring.compared(rounds, goal="G4", what="bulk intake beside the least in Django", base=DJANGO, limit=0.25, **rate)
    yield measuring.compared(
        rounds, goal="G6", what=f"intake at {size.services * size.more_runs:,} runs of history beside {size.services * size.runs:,}",
        product=LONG, base=OWN, limit=0.5, at_least=True, unit="runs/s",
    )  # fmt: skip


class _Rows:
    """The rows that the product would write for a batch, made ahead."""

    def __init__(self) -> None:
        self.tool = Tool.objects.get(name="bench")
        self.jobs = {job.external_id: job for job in self.tool.jobs.all()}

    def of(self, batch: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        found = []
        for index, sent in enumerate(batch):
            record, at = read_record(msgspec.json.encode(sent)), now()
            job: BackupJob = self.jobs[record.job_external_id]
            key = key_of(self.tool.pk, record)
            row: Row = combine(None, record, key=key, tool=self.tool, job=job, answer=1, index=index, at=at)
            found.append(msgspec.structs.astuple(row.sealed()))
        return found


def _copy(plain: psycopg.Connection[Any], batches: list[list[tuple[Any, ...]]]) -> float:
    """Rows a second by the best way PostgreSQL has: COPY into a temporary table, one upsert, one commit for each batch."""
    began = time.perf_counter()
    for batch in batches:
        with plain.transaction(), plain.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE stage ON COMMIT DROP AS SELECT {_LIST} FROM floor_backuprun LIMIT 0")  # noqa: S608
            with cursor.copy(f"COPY stage ({_LIST}) FROM STDIN") as copy:
                for row in batch:
                    copy.write_row(row)
            cursor.execute(_UPSERT)
    return sum(map(len, batches)) / (time.perf_counter() - began)


def _post(port: int, path: str, token: str, feed: Feed, batches: int, count: int = BATCH) -> float:
    """Records a second over one kept connection."""
    headers = {"Content_Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    requests = [loading.request(path, msgspec.json.encode(feed.batch(count)), **headers) for _ in range(batches)]
    kept = loading.Connection(port)
    began = time.perf_counter()
    for request in requests:
        status, body = kept.ask(request)
        if status != 200:
            raise RuntimeError(f"A batch was refused: {status} {body[:300]!r}")
    took_s = time.perf_counter() - began
    kept.close()
    return batches * count / took_s


def _carried(size: Size, url: str, port: int, token: str) -> Iterator[Measured]:
    """The same with the journey behind it, until nothing waits: ledger, day cells, judgement and status of every job touched."""
    databases.use(url)
    jobs = min(JOBS_CARRIED, size.services)
    feed = Feed(jobs, now() - dt.timedelta(minutes=10))
    journey.advance()
    tell(f"intake: the journey behind it, {jobs} jobs")
    alone, carried = [], []
    for _ in range(size.rounds):
        began = time.perf_counter()
        _post(port, "/api/v1/runs", token, feed, 1, jobs)
        alone.append(jobs / (time.perf_counter() - began))
        journey.advance()
        carried.append(jobs / (time.perf_counter() - began))
    yield measuring.compared(
        {OWN: alone, "with the journey": carried}, goal="G7", what=f"{jobs} runs of as many jobs, with the whole journey behind them",
        product="with the journey", base=OWN, limit=0.6, at_least=True, unit="runs/s",
        note="Each job is settled and each service judged again, whole: ledger, day cells, verdict, status, alerts.",
    )  # fmt: skip


def _storage() -> Measured:
    """Bytes on disk for each run with all of its indexes; what the tool said is kept apart."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size('floor_backuprun')::float / count(*) FROM floor_backuprun"
        )  # as runs come in, by time
        each = cursor.fetchone()[0]
        cursor.execute("SELECT pg_total_relation_size('monitoring_restorepoint')::float / count(*) FROM monitoring_backuprun")
        points = cursor.fetchone()[0]
    note = f"Its restore point takes {points:.0f} B more, in a table of its own."
    return measuring.counted(goal="G17", what="storage of a run with its indexes", value=each, limit=450, unit="B", note=note)
