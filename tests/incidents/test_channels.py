"""Channels beside mail: signed webhooks and chat services through real local servers; refused elsewhere, tried again, in order."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from incidents import delivering
from incidents.models import Channel, EscalationPolicy, EscalationStep, Incident, Telling
from incidents.models.channels import validate_address
from itsm_backup import journey
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import Notice, because
from tests.admin_forms import change_url, filled, signed_in, url
from tests.factories import make_admin
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate, recover
from tests.toolserver import Asked, Says, tool_server

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


@pytest.fixture
def server(settings):
    with tool_server(lambda asked: Says(body={"ok": True})) as running:
        settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
        yield running


def make_channel(kind: str, address: str, name: str = "Operations room", **secrets: str) -> Channel:
    with because("test"):
        channel = Channel.objects.create(name=name, kind=kind, secrets={"address": address, **secrets})
        policy, _ = EscalationPolicy.objects.get_or_create(name="Rooms")
        EscalationStep.objects.create(policy=policy, tell="channel", channel=channel)
    return channel


def verified(asked: Asked, key: str) -> bool:
    """As the other side checks it."""
    seconds, made = (part.partition("=")[2] for part in asked.headers["x-signature"].split(","))
    return hmac.compare_digest(made, hmac.new(key.encode(), f"{seconds}.{asked.body}".encode(), hashlib.sha256).hexdigest())


def test_a_signed_webhook_is_told_and_told_that_it_is_over(noon, server):
    make_channel("webhook", f"{server.address}/hook", key="correct horse")
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - HOUR, noon)
    (first,) = server.asked
    assert verified(first, "correct horse") and not verified(first, "another key")
    assert first.headers["x-signature"].startswith(f"t={int(noon.timestamp())},")
    assert first.json["subject"].startswith(f"[{Incident.objects.get().number}]") and "Rooms, level 1" in first.json["text"]
    assert first.headers["idempotency-key"] == first.json["id"] == Notice.objects.get().message_id
    assert Telling.objects.get().recipients[0]["channel"] == "Operations room"
    recover(tool, "a", noon + HOUR)
    assert "Resolved" in server.asked[-1].json["subject"] and len(server.asked) == 2


def test_what_is_not_taken_is_sent_again_under_the_same_id_and_in_order(noon, server):
    make_channel("webhook", f"{server.address}/hook")
    server.replies = lambda asked: Says(status=503)
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - HOUR, noon)
    recover(tool, "a", noon + MINUTE / 30)
    assert len(server.asked) == 1 and "503" in Notice.objects.order_by("pk")[0].latest_error
    server.replies = lambda asked: Says(body={})
    journey.advance(at=noon + HOUR)
    ids = [asked.json["id"] for asked in server.asked]
    assert ids[0] == ids[1] != ids[2] and "Resolved" in server.asked[2].json["subject"]


@pytest.mark.parametrize("kind", ["webhook", "service"])
def test_only_listed_addresses_are_spoken_to(noon, server, settings, kind):
    settings.TOOL_ADDRESSES = Allowed("192.0.2.7")
    port = server.address.rpartition(":")[2]
    make_channel(kind, f"{server.address}/hook" if kind == "webhook" else f"ntfy://127.0.0.1:{port}/backups")
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    assert server.asked == [] and "TOOL_ADDRESSES" in Notice.objects.get().latest_error
    assert Notice.objects.get().sent_at is None


@pytest.mark.parametrize(
    ("address", "path"), [("ntfy://127.0.0.1:{port}/backups", "/"), ("mmost://127.0.0.1:{port}/abcdefgh1234", "/hooks/abcdefgh1234")]
)
def test_chat_and_push_services_are_told_through_real_requests(noon, server, address, path):
    make_channel("service", address.format(port=server.address.rpartition(":")[2]))
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    (asked,) = server.asked
    assert "github" not in str(asked.headers).lower() + asked.body.lower()  # no phone fetches a picture from outside for it
    assert asked.path == path and Incident.objects.get().number in asked.body and "Rooms, level 1" in asked.body
    assert Notice.objects.get().sent_at is not None


def test_a_service_that_does_not_take_it_is_tried_again(noon, server):
    server.replies = lambda asked: Says(status=500)
    make_channel("service", f"ntfy://127.0.0.1:{server.address.rpartition(':')[2]}/backups")
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    assert "did not take it" in Notice.objects.get().latest_error
    server.replies = lambda asked: Says(body={})
    journey.advance(at=noon + HOUR)
    assert Notice.objects.get().sent_at == noon + HOUR


def test_a_channel_that_is_switched_off_is_stood_in_for(noon, server):
    channel = make_channel("webhook", f"{server.address}/hook")
    with because("test"):
        channel.enabled = False
        channel.save()
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    assert [one["address"] for one in Telling.objects.get().recipients] == ["storage@example.org"]


def test_what_follows_is_told_the_team_when_the_channel_is_switched_off(noon, server):
    channel = make_channel("webhook", f"{server.address}/hook")
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - HOUR, noon)
    with because("test"):
        channel.enabled = False
        channel.save()
    recover(tool, "a", noon + HOUR)
    told = Notice.objects.latest("pk")
    assert told.recipient == "storage@example.org" and "Resolved" in told.subject and len(server.asked) == 1
    story = Incident.objects.get().entries.filter(kind="mail").latest("pk").text
    assert "instead of Operations room, which is switched off" in story


@pytest.mark.parametrize(
    ("kind", "address", "why"),
    [("webhook", "ntfy://x/y", "https://"), ("service", "syslog://localhost", "not among"), ("service", "json://x", "not among"),
     ("webhook", "hooks", "whole address")],
)  # fmt: skip
def test_addresses_of_another_kind_are_refused(kind, address, why):
    with pytest.raises(ValidationError, match=why):
        validate_address(kind, address)


def test_the_administration_never_shows_address_and_key(server):
    client = signed_in(make_admin())
    page = client.get(url(Channel, "add"))
    wrong = client.post(url(Channel, "add"), filled(page, name="Room", kind="webhook", address="room", change_reason="New"))
    assert wrong.status_code == 200 and "whole address" in wrong.content.decode()
    sent = filled(page, name="Room", kind="webhook", address="https://hooks.example.org/s3cretpath", key="k3y", change_reason="New")
    assert client.post(url(Channel, "add"), sent).status_code == 302
    channel: Any = Channel.objects.get()
    shown = client.get(change_url(channel))
    assert "s3cretpath" not in shown.content.decode() and "k3y" not in shown.content.decode()
    kept = client.post(change_url(channel), filled(shown, enabled="", change_reason="Off"))
    assert kept.status_code == 302
    channel.refresh_from_db()
    assert channel.secrets == {"address": "https://hooks.example.org/s3cretpath", "key": "k3y"}
    assert "s3cretpath" not in client.get(url(Channel, "history", channel.pk)).content.decode()


@pytest.mark.parametrize(
    ("address", "told"),
    [("https://127.0.0.2/s3cret", "Nothing goes to Room yet: 127.0.0.2:443 is not among the addresses"), ("http://127.0.0.1:9/s3cret", "")],
)
def test_who_saves_an_address_that_is_not_listed_is_told_so(settings, address, told):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    client = signed_in(make_admin())
    sent = filled(client.get(url(Channel, "add")), name="Room", kind="webhook", address=address, change_reason="New")
    answer = client.post(url(Channel, "add"), sent, follow=True).content.decode()
    assert Channel.objects.count() == 1 and "s3cret" not in answer
    assert told in answer if told else "Nothing goes to" not in answer


def test_a_signature_is_as_documented():
    at = dt.datetime(2026, 7, 14, 9, 42, tzinfo=dt.UTC)
    made = hmac.new(b"key", b"1784022120.{}", hashlib.sha256).hexdigest()
    assert delivering.signature("key", at=at, body=b"{}") == f"t=1784022120,v1={made}"
