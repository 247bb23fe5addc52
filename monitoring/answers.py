"""Raw answers: compressed, hashed after masking, kept by month of receipt, readable years later."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zlib

import msgspec
from django.db import connection

from monitoring.connectors.base import Answer
from monitoring.models import RawAnswer, Tool


class AnswerGone(Exception):
    """The raw answer was destroyed under its retention policy; what was read from it is still there."""


class Packed(msgspec.Struct, frozen=True):
    """An answer as it is kept: compressed, with the size and the hash of what it was before."""

    body: bytes
    size_bytes: int
    sha256: bytes


def pack(answer: Answer) -> Packed:
    """The answer ready to be stored."""
    body = encoded(answer)
    return Packed(zlib.compress(body, 6), len(body), hashlib.sha256(body).digest())


def keep(*, tool: Tool, answer: Answer, at: dt.datetime, token_id: int | None = None, read_at: dt.datetime | None = None) -> int:
    """Store the answer and return its id. Secrets are already masked by whoever made it. `read_at`: it is read in this transaction."""
    packed = pack(answer)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO monitoring_rawanswer (received_at, tool_id, kind, body, size_bytes, sha256, token_id, read_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
            [at, tool.pk, answer.kind, packed.body, packed.size_bytes, packed.sha256, token_id, read_at],
        )
        return cursor.fetchone()[0]


def encoded(answer: Answer) -> bytes:
    """The answer as JSON; halves of surrogate pairs, which no text can hold, become question marks."""
    try:
        return msgspec.json.encode(answer)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(answer), ensure_ascii=False).encode("utf-8", errors="replace")


def open_answer(answer_id: int) -> tuple[Tool, Answer]:
    """The tool and its answer, exactly as kept; raises AnswerGone."""
    row = RawAnswer.objects.filter(pk=answer_id).first()
    if row is None:
        raise AnswerGone(f"Raw answer {answer_id} is no longer kept.")
    return Tool.objects.get(pk=row.tool_id), msgspec.json.decode(zlib.decompress(row.body), type=Answer)


def latest(*, tool: Tool, at: dt.datetime, most: int, most_bytes: int = 16 * 1024 * 1024) -> list[Answer]:
    """The tool's newest answers received until `at`, newest first: so many, and no more than fit into so many bytes but the newest."""
    rows = RawAnswer.objects.filter(tool_id=tool.pk, received_at__lte=at).order_by("-received_at", "-pk")
    sizes, wanted, total = rows.values_list("pk", "size_bytes")[:most], list[int](), 0
    for pk, size in sizes:
        total += size
        if wanted and total > most_bytes:
            break
        wanted.append(pk)
    bodies = RawAnswer.objects.filter(pk__in=wanted).order_by("-received_at", "-pk").values_list("body", flat=True)
    return [msgspec.json.decode(zlib.decompress(body), type=Answer) for body in bodies]


def is_unaltered(answer_id: int) -> bool:
    """Whether the kept bytes still have the hash they were stored with; raises AnswerGone."""
    row = RawAnswer.objects.filter(pk=answer_id).first()
    if row is None:
        raise AnswerGone(f"Raw answer {answer_id} is no longer kept.")
    return hashlib.sha256(zlib.decompress(row.body)).digest() == bytes(row.sha256)


def mark_read(*, answer_id: int, at: dt.datetime) -> None:
    RawAnswer.objects.filter(pk=answer_id, read_at=None).update(read_at=at)


def unread() -> list[int]:
    """Answers that were kept but not read, oldest first."""
    return list(RawAnswer.objects.filter(read_at=None).order_by("id").values_list("id", flat=True)[:100])
