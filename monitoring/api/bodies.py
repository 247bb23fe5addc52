"""Reading what is sent, never more of it than was agreed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

CHUNK_BYTES = 64 * 1024


class TooLarge(ValueError):
    """The body is larger than this door takes."""


class WrongEncoding(ValueError):
    """The body is packed in a way that cannot be unpacked."""


def read_whole(request: Any, *, limit_bytes: int) -> bytes:
    """The body, unpacked when it is gzipped; raises TooLarge beyond the limit (sent or unpacked), WrongEncoding."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip"):
        raise WrongEncoding(f"Content-Encoding {encoding[:40]} is not known. Send the body as it is, or gzipped.")
    if int(request.headers.get("Content-Length") or 0) > limit_bytes:
        raise TooLarge
    sent = bytearray()
    for chunk in _chunks(request):
        sent += chunk
        if len(sent) > limit_bytes:
            raise TooLarge
    return _unpacked(bytes(sent), limit_bytes) if encoding == "gzip" else bytes(sent)


def read_end(request: Any, *, limit_bytes: int, most_bytes: int) -> tuple[bytes, int]:
    """The last `limit_bytes` of the body (a log tells its result at its end), and how many bytes before them were left out.

    Beyond `most_bytes` nothing more is read.
    """
    kept, seen = bytearray(), 0
    for chunk in _chunks(request):
        seen += len(chunk)
        kept += chunk
        if len(kept) > limit_bytes + CHUNK_BYTES:
            del kept[:-limit_bytes]
        if seen > most_bytes:
            break
    return bytes(kept[-limit_bytes:]), max(0, seen - limit_bytes)


def _chunks(request: Any) -> Iterator[bytes]:
    # Django reads as much as Content-Length says; a chunked body has none, and its end is known to the server
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    stream = request.environ["wsgi.input"] if chunked else request
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _unpacked(packed: bytes, limit_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        body = unpacker.decompress(packed, limit_bytes + 1)
    except zlib.error:
        raise WrongEncoding("The body is announced as gzip but is none.") from None
    if len(body) > limit_bytes:
        raise TooLarge
    if not unpacker.eof:
        raise WrongEncoding("The gzipped body ends too early.")
    return body
