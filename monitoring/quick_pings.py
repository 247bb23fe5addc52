"""The usual ping, taken with two statements: one reads everything it depends on, one writes everything it changes.

Nothing is locked while it is worked out. The writing begins with the job's state row and goes on only if that is still the very
row that was read: every other intake and every judgement of the job rewrites it. So either nobody came between, or nothing is
written and the ping is taken under the job's lock (`pinging.take`), as are those that correct, merge or give up other runs.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import zlib
from typing import Any

import msgspec
from django.db import IntegrityError, connection, transaction

from itsm_backup.common.crypto import decrypt
from itsm_backup.common.time import iso
from monitoring import answers, pointing, waking
from monitoring.asking import fetch_prepared
from monitoring.combining import Row, changes, combine, created_at, key_of
from monitoring.connectors import reader_of
from monitoring.connectors.base import Answer, Record, Step
from monitoring.connectors.ping_bodies import read_body
from monitoring.connectors.ping_paths import PingAddress
from monitoring.connectors.redaction import redact
from monitoring.merging import SHORT
from monitoring.storing import ANSWER_NOTED_EVERY_S

OPEN_AT_MOST = dt.timedelta(hours=72)  # an end that comes later belongs to no start, as the protocol has it
LOOKED_BACK = dt.timedelta(days=35)
_ROW = Row.__struct_fields__
# What the ping says is spelt out in the statement instead of being given to it: so each spelling is planned once and for all. Were
# it given, PostgreSQL would see a better plan in every single ping, and planning takes longer than reading.
_READ = f"""
SELECT j.id, j.external_id, j.profile, j.service_id, j.tool_id, t.kind, t.settings, t.secrets, s.xmin::text,
  (SELECT max(i.id) FROM monitoring_protecteditem i WHERE i.job_id = j.id), {{started_again}}, {{listed}},
  EXISTS (SELECT 1 FROM monitoring_statusmap m WHERE m.tool_id = t.id AND m.state = 'approved'),
  r.id, {", ".join(f"r.{name}" for name in _ROW)}
FROM monitoring_backupjob j JOIN monitoring_tool t ON t.id = j.tool_id JOIN monitoring_jobstate s ON s.job_id = j.id
LEFT JOIN {{belongs_to}} WHERE {{about}}"""  # noqa: S608 - our own names
_STARTED_AGAIN = """EXISTS (SELECT 1 FROM monitoring_backuprun r WHERE r.job_id = j.id AND r.evidence_kind = 'push'
    AND r.state = 'running' AND r.occurred_at >= %(at)s - %(back)s)"""
_LISTED = """EXISTS (SELECT 1 FROM monitoring_backuprun r WHERE r.job_id = j.id AND r.evidence_kind = 'artefact'
    AND r.occurred_at BETWEEN %(at)s - %(long)s AND %(at)s + interval '1 day')"""
_NAMED = f"""EXISTS (SELECT 1 FROM monitoring_backuprun r WHERE r.job_id = j.id AND r.artefact_id IS NOT NULL
    AND left(r.artefact_id, {SHORT}) = %(short)s)"""  # noqa: S608
_NO_RUN = "monitoring_backuprun r ON false"
_RUN = """LATERAL (SELECT * FROM monitoring_backuprun r WHERE r.job_id = j.id AND r.evidence_kind = 'push'
  AND r.occurred_at BETWEEN %(at)s - %(most)s AND %(at)s AND {which} ORDER BY r.occurred_at DESC LIMIT 1) r ON true"""
_STILL = """
WITH held AS (UPDATE monitoring_jobstate SET touched_at = %(at)s, touched_from = least(coalesce(touched_from, %(since)s), %(since)s)
  WHERE job_id = %(job)s AND xmin = %(seen)s::xid RETURNING job_id),
"""
_LOG = "WITH held AS (SELECT %(job)s AS job_id),\n"
_ANSWER = f"""
answer AS (INSERT INTO monitoring_rawanswer (received_at, tool_id, kind, body, size_bytes, sha256, read_at)
  SELECT %(at)s, %(tool)s, 'ping', %(body)s, %(size)s, %(digest)s, %(at)s FROM held RETURNING id),
noted AS (UPDATE monitoring_toolstate SET latest_answer_at = %(at)s FROM held WHERE tool_id = %(tool)s
  AND (latest_answer_at IS NULL OR latest_answer_at < %(at)s - interval '{ANSWER_NOTED_EVERY_S} seconds'))
"""  # noqa: S608
_VALUES = ", ".join("answer.id" if name == "answer" else f"%({name})s" for name in _ROW)
_NEW = f""",
run AS (INSERT INTO monitoring_backuprun ({", ".join(_ROW)}) SELECT {_VALUES} FROM answer RETURNING id)
"""  # noqa: S608
_ENDED = f""",
run AS (UPDATE monitoring_backuprun SET ({", ".join(_ROW)}) = ROW({_VALUES}) FROM answer WHERE monitoring_backuprun.id = %(known)s
  RETURNING monitoring_backuprun.id)
"""  # noqa: S608
_POINT = """,
point AS (INSERT INTO monitoring_restorepoint (item_id, external_id, run_id, captured_at, available_at, first_seen_at)
  SELECT %(item)s, %(point)s, run.id, %(captured_at)s, %(available_at)s, %(at)s FROM run)
"""
_DONE = "SELECT (SELECT id FROM answer), (SELECT id FROM run)"
_KEPT = "SELECT (SELECT id FROM answer), NULL"


class Said(msgspec.Struct, kw_only=True, frozen=True):
    """One ping, whoever it is about."""

    suffix: str
    rid: str | None
    body: str
    left_out_bytes: int = 0
    user_agent: str = ""
    at: dt.datetime


class Job(msgspec.Struct, kw_only=True):
    """The job as it was read, in the names that `combine` asks for."""

    pk: int
    external_id: str
    profile: str
    service_id: int | None
    tool: int
    kind: str
    settings: dict[str, Any]
    secrets: dict[str, str]
    seen: str
    item: int | None


class Written(msgspec.Struct, kw_only=True):
    """What became of a ping: the kept answer, and the run it made or ended."""

    answer: int
    run: int | None = None
    external_id: str | None = None
    made_job: bool = False


def take(*, about: PingAddress | int, said: Said) -> Written | None:
    """Record a ping of the job that an address or an id names. None, and nothing written, when it is not a usual one."""
    found = _read(about, said)
    if found is None:
        return None
    job, known, known_id = found
    answer = _answer(job, known, said)
    reading = reader_of("ping", job.kind).read(answer)
    if reading.rejects or len(reading.records) > 1:
        return None
    if not reading.records:
        return _write(job, answer, said, None, None, None)
    row = _row(job, reading.records[0], known, said)
    return _write(job, answer, said, row, known, known_id) if row else None


def answer_of(*, job: Any, profile: str, secrets: Any, said: Said, known: Any) -> Answer:
    """The ping as it is kept; `known` is the run that it belongs to."""
    meta = {"suffix": said.suffix, "received_at": iso(said.at), "profile": profile, "user_agent": said.user_agent[:200]}
    meta |= {"rid": said.rid} if said.rid else {"sequence": known.external_id if known else iso(said.at)}
    if known is not None:
        meta["created_at"] = iso(created_at(known))
        if known.started_at:
            meta["started_at"] = iso(known.started_at)
    note = f"[{said.left_out_bytes:,} bytes before this were left out]\n" if said.left_out_bytes else ""
    step = Step(name="ping", stdout=note + redact(said.body, secrets), truncated=bool(said.left_out_bytes))
    return Answer(kind="ping", steps=[step], job_external_id=job.external_id, meta=meta)


def _read(about: PingAddress | int, said: Said) -> tuple[Job, Row | None, int | None] | None:
    artefact = read_body(said.body).artefact_id if said.body else None
    where, given = _named(about)
    given |= {
        "rid": said.rid, "at": said.at, "short": artefact[:SHORT] if artefact else None,
        "most": OPEN_AT_MOST, "back": LOOKED_BACK, "long": OPEN_AT_MOST + dt.timedelta(days=1, minutes=10),
    }  # fmt: skip
    statement = _READ.format(
        started_again=_STARTED_AGAIN if said.suffix == "start" and said.rid is None else "false",
        listed=f"{_LISTED} OR {_NAMED}" if artefact else _LISTED,
        belongs_to=_belongs_to(said),
        about=where,
    )
    found = fetch_prepared(statement, given, changes_nothing=True)
    if found is None:
        return None
    pk, external_id, profile, service_id, tool, kind, settings, secrets, seen, item, started_again, listed, mapped, known_id, *known = found
    if listed or started_again or mapped:
        return None
    job = Job(
        pk=pk, external_id=external_id, profile=profile, service_id=service_id, tool=tool, kind=kind, item=item, seen=seen,
        settings=msgspec.json.decode(settings) if isinstance(settings, str) else settings, secrets=decrypt(secrets) if secrets else {},
    )  # fmt: skip
    return job, Row.of(_Named(known)) if known_id else None, known_id


def _named(about: PingAddress | int) -> tuple[str, dict[str, Any]]:
    if isinstance(about, int):
        return "j.id = %(job)s", {"job": about}
    if about.uuid:
        return "j.ping_uuid = %(uuid)s::uuid", {"uuid": about.uuid}
    return "t.ping_key = %(ping_key)s AND j.external_id = %(slug)s", {"ping_key": about.ping_key, "slug": about.slug}


def _belongs_to(said: Said) -> str:
    """The run that the ping may be about: the one with its rid, else the newest that is open."""
    if said.suffix == "log" or (said.suffix == "start" and said.rid is None):
        return _NO_RUN
    return _RUN.format(which="r.external_id = %(rid)s" if said.rid else "r.state = 'running'")


class _Named:
    """Values of a fetched row under their names."""

    def __init__(self, values: list[Any]) -> None:
        self.__dict__.update(zip(_ROW, values, strict=True))


def _answer(job: Job, known: Row | None, said: Said) -> Answer:
    profile = job.profile if job.profile != "default" else str(job.settings.get("profile") or "default")
    return answer_of(job=job, profile=profile, secrets=job.secrets.values(), said=said, known=known)


class _Tool(msgspec.Struct):
    pk: int


def _row(job: Job, record: Record, known: Row | None, said: Said) -> Row | None:
    """The run after this ping, when it is a new one, or one that was open; else None."""
    key = key_of(job.tool, record)
    long_ago = record.consistent_at is not None and record.consistent_at < said.at - OPEN_AT_MOST
    if long_ago or (known is not None and (known.state == "finished" or known.key != key)):
        return None
    row = combine(known, record, key=key, tool=_Tool(job.tool), job=job, answer=0, index=0, at=said.at)
    return row.sealed() if known is None or changes(known, row) else None


def _write(job: Job, answer: Answer, said: Said, row: Row | None, known: Row | None, known_id: int | None) -> Written | None:
    """One statement, so all of it or nothing; None when somebody else was at the job meanwhile."""
    body = answers.encoded(answer)
    given: dict[str, Any] = {
        "at": said.at, "job": job.pk, "tool": job.tool, "seen": job.seen, "body": zlib.compress(body, 6), "size": len(body),
        "digest": hashlib.sha256(body).digest(),
    }  # fmt: skip
    statement = _LOG + _ANSWER + _KEPT
    if row is not None:
        given |= msgspec.structs.asdict(row)
        given |= {"known": known_id, "since": min(row.occurred_at, known.occurred_at) if known else row.occurred_at}
        makes_point = pointing.makes_point(row)
        if makes_point:
            if job.item is None:
                return None
            given |= {"item": job.item, "point": pointing.name_of(row), "available_at": pointing.available_at(row)}
        statement = _STILL + _ANSWER + (_NEW if known is None else _ENDED) + (_POINT if makes_point else "") + _DONE
    try:
        answer_id, run_id = fetch_prepared(statement, given) or (None, None)
    except IntegrityError:
        if connection.in_atomic_block:
            raise
        return None  # a run with this very key is there already
    if answer_id is None:
        return None
    transaction.on_commit(waking.wake)
    return Written(answer=answer_id, run=run_id, external_id=row.external_id if row else None)
