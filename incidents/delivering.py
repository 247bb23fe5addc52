"""What leaves by other channels than mail: one claimed notice is one signed request, or one call of a chat or push service."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from incidents.models import Channel, OwnChannel
from incidents.models.own_channels import OWN
from itsm_backup.common import outbox
from itsm_backup.common.http.addresses import Unreachable
from itsm_backup.common.http.client import Client
from itsm_backup.common.models import Notice

_ONE_AT_A_TIME = threading.RLock()
TIMEOUT_S, TRIES = 10.0, 1  # the outbox tries again, later and later


class NotTaken(Exception):
    """The other side did not take it; the message says what it answered, without secrets."""


def send(*, at: dt.datetime) -> int:
    """Send what waits for channels, oldest of each thread first; returns how many were taken."""
    return outbox.send_waiting(at=at, channel=Notice.Channel.CHANNEL, deliver=lambda notice: deliver(notice, at))


def deliver(notice: Notice, at: dt.datetime) -> None:
    """Send one notice. Raises NotTaken or Unreachable."""
    channel = _own(notice) if notice.recipient.startswith(OWN) else Channel.objects.filter(name=notice.recipient).first()
    if channel is None or not channel.enabled:
        raise NotTaken(f"{notice.recipient} is {'switched off' if channel else 'gone'}. It is told when there is a channel of that name.")
    if channel.kind == Channel.Kind.WEBHOOK:
        _post(channel, notice, at)
    else:
        _notify(channel, notice)


def stands_in_the_way(channel: Any) -> str:
    """Why nothing would arrive at the webhook as things are: its host has no address, or is not listed. Empty for nothing known.

    Addresses of services are not looked at: what stands where a host would is a token in many of them.
    """
    if channel.kind != Channel.Kind.WEBHOOK:
        return ""
    where = urlsplit(channel.secrets["address"])
    try:
        settings.TOOL_ADDRESSES.addresses(where.hostname or "", where.port or (443 if where.scheme == "https" else 80))
    except Unreachable as error:
        return str(error)
    except ValueError:
        return "The port in its address is none. Enter the address again."
    return ""


def _own(notice: Notice) -> Any:
    """The own channel that a message is for: before it is confirmed it gets only its code. Raises NotTaken where it is gone."""
    found = OwnChannel.objects.filter(pk=notice.recipient.removeprefix(OWN), person__is_active=True).first()
    if found is None or (found.confirmed_at is None and notice.thread != found.key):
        raise NotTaken("This person's own channel was taken away.")
    found.enabled = True  # type: ignore[attr-defined]  # as a channel is read
    return found


def signature(key: str, *, at: dt.datetime, body: bytes) -> str:
    """`t=1752485520,v1=…`: HMAC-SHA-256 of the seconds, a dot and the body, so that a recorded request can be told from a fresh one."""
    seconds = str(int(at.timestamp()))
    made = hmac.new(key.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={made}"


def _post(channel: Any, notice: Notice, at: dt.datetime) -> None:
    body = json.dumps({"id": notice.message_id, "subject": notice.subject, "text": notice.body, "thread": notice.thread}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": notice.message_id}
    if key := channel.secrets.get("key"):
        headers["X-Signature"] = signature(key, at=at, body=body)
    with Client(allowed=settings.TOOL_ADDRESSES, timeout_s=TIMEOUT_S, tries=TRIES) as client:
        answer = client.send("POST", channel.secrets["address"], headers=headers, body=body)
    if not 200 <= answer.status < 300:
        raise NotTaken(f"{urlsplit(channel.secrets['address']).hostname} answers with status {answer.status}.")


def _notify(channel: Any, notice: Notice) -> None:
    import apprise  # slow to import, and needed by few

    asset = apprise.AppriseAsset(
        secure_logging=True, async_mode=False, app_id=settings.ORGANISATION, app_url=settings.BASE_URL,
        image_url_mask="", image_url_logo="",  # else every phone fetches a picture from outside
    )  # fmt: skip
    service = apprise.Apprise(asset=asset)
    if not service.add(channel.secrets["address"]):
        raise NotTaken(f"The address of {channel.name} is not what the service needs. Enter it again.")
    with _only_where_allowed() as refused:
        taken = service.notify(title=notice.subject, body=notice.body)
    if refused:
        raise NotTaken(refused[0])
    if not taken:
        raise NotTaken(f"The service behind {channel.name} did not take it.")


@contextmanager
def _only_where_allowed() -> Iterator[list[str]]:
    """Within it the library speaks to listed addresses only, redirects included; what was refused stands in the list."""
    from requests.adapters import HTTPAdapter

    refused: list[str] = []

    def checked(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        where = urlsplit(request.url)
        try:
            settings.TOOL_ADDRESSES.addresses(where.hostname or "", where.port or (443 if where.scheme == "https" else 80))
        except Exception as error:
            refused.append(str(error))
            raise
        return plain(adapter, request, *args, **kwargs)

    with _ONE_AT_A_TIME:
        plain = HTTPAdapter.send
        HTTPAdapter.send = checked  # type: ignore[method-assign, assignment]
        try:
            yield refused
        finally:
            HTTPAdapter.send = plain  # type: ignore[method-assign]
