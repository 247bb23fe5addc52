"""What a message says, read from its bytes: who sent it, what it answers, which words are the sender's own. Changes nothing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from incidents import vouching

LONGEST_TEXT = 4_000
_QUOTE_BEGINS = re.compile(r"^(-{2,} ?(original message|ursprüngliche nachricht) ?-{2,}|_{10,}|from: .+@.+|-- ?)$", re.IGNORECASE)
_SAID = re.compile(r"^(on .{5,300} wrote:|am .{5,300} schrieb .*:)$", re.IGNORECASE)  # mail programs wrap it to up to three lines
_HEADS = re.compile(r"^\*?(from|sent|date|to|cc|subject|von|gesendet|datum|an|betreff):\*? ?.*$", re.IGNORECASE)
_IDS = re.compile(r"<[^<>\s]{3,250}>")
_TAKES = frozenset({"take", "taken", "i take it", "i have it"})
_ACK = re.compile(r"^ack(?:nowledged?)?(?=$|[\s.,:;!–—-])[\s.,:;!–—-]*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message. `authenticated`: our mail server vouches for the sender's domain; `takes` that its first line takes the incident.

    `text` is without what takes it; `attachments` counts what else came with it and is not read.
    """

    message_id: str
    sender: str
    answers: tuple[str, ...]  # Message-IDs, the newest first
    is_automatic: bool
    authenticated: bool
    takes: bool
    text: str
    attachments: int = 0


def read(raw: bytes, *, authenticated_by: str) -> Letter:
    """Read an RFC 822 message; whatever it holds, this raises nothing."""
    message = cast(EmailMessage, message_from_bytes(raw, policy=policy.default))
    found = _IDS.search(_header(message, "Message-ID"))
    answers = [*_IDS.findall(_header(message, "In-Reply-To")), *reversed(_IDS.findall(_header(message, "References")))]
    text = _own_words(_text_of(message))
    sender = vouching.sender_of(message)
    takes, text = _taking(text)
    return Letter(
        message_id=found[0] if found else f"<{hashlib.sha256(raw).hexdigest()}@no-message-id>",
        sender=sender[:254],
        answers=tuple(dict.fromkeys(answers)),
        is_automatic=_is_automatic(message),
        authenticated=vouching.vouches(raw, server=authenticated_by, sender=sender),
        takes=takes,
        text=text,
        attachments=_attachments(message),
    )


def _taking(text: str) -> tuple[bool, str]:
    """Whether the first line takes the incident: it begins with ack, or is nothing but another word for it; and the other words."""
    first, _, rest = text.partition("\n")
    if begun := _ACK.match(first):
        return True, f"{first[begun.end() :]}\n{rest}".strip()
    takes = first.strip(" .!").lower() in _TAKES
    return takes, (rest if takes else text).strip()


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(value) for value in message.get_all(name, []))
    except Exception:  # a header that the library cannot parse is one that is not there
        return ""


def _is_automatic(message: EmailMessage) -> bool:
    """RFC 3834: answers of machines, lists and bounces are never answered."""
    submitted = _header(message, "Auto-Submitted").lower()
    precedence = _header(message, "Precedence").lower()
    bounced = "Return-Path" in message and _header(message, "Return-Path").strip() == "<>"
    return bounced or submitted not in ("", "no") or precedence in ("bulk", "list", "junk") or "List-Id" in message


def _text_of(message: EmailMessage) -> str:
    try:
        part: Any = message.get_body(preferencelist=("plain",))
        return str(part.get_content()) if part is not None else ""
    except Exception:
        return ""


def _attachments(message: EmailMessage) -> int:
    try:
        return sum(1 for part in message.iter_attachments() if part.get_content_disposition() == "attachment")
    except Exception:
        return 0


def _own_words(text: str) -> str:
    """Without what is quoted and without the signature."""
    kept: list[str] = []
    lines = text.replace("\x00", "").splitlines()
    for place, line in enumerate(lines):
        if line.rstrip() == "--" or _quote_begins(lines[place : place + 3]):
            break
        if not line.startswith(">"):
            kept.append(line.rstrip())
    return "\n".join(kept).strip()


def _quote_begins(lines: list[str]) -> bool:
    """Whether another message begins here, by the forms of common mail programs in English and German."""
    near = [line.strip() for line in lines]
    said = any(_SAID.match(" ".join(near[:count])) for count in range(1, len(near) + 1))
    headed = len(near) == 3 and all(_HEADS.match(line) for line in near) and near[0].lstrip("*").lower().startswith(("from:", "von:"))
    return said or headed or _QUOTE_BEGINS.match(near[0]) is not None
