"""A CMDB is read: kept page by page, gone on with after a stop, nothing lost or doubled, bad records aside, its health in a sentence."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from catalogue import inventorying
from catalogue.inventorying import NotSigned
from catalogue.models import Cmdb, CmdbState, ConfigurationItem, ItemReject, ItemRelation
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import because
from tests.netbox import TOKEN, NetBoxServer
from tests.toolserver import Says, tool_server

pytestmark = [pytest.mark.django_db]
NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
VMS, CLUSTERS = "/api/virtualization/virtual-machines/", "/api/virtualization/clusters/"


def make_cmdb(address: str, **more) -> Cmdb:
    secrets = {"token": TOKEN, "webhook": "shared"}
    row = Cmdb(**{"name": "netbox", "label": "NetBox", "kind": "netbox", "address": address, "secrets": secrets, **more})
    row.full_clean(exclude=["secrets"])
    with because("test"):
        row.save()
    return row


@pytest.fixture
def there(settings):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    server = NetBoxServer()
    with tool_server(server) as running:
        server.running, server.cmdb = running, make_cmdb(running.address)
        yield server


def fill(there, count: int) -> None:
    for number in range(1, count + 1):
        there.tables[VMS][number] = {
            "id": number, "name": f"vm-{number}", "status": "active", "custom_fields": {}, "last_updated": "2026-07-14T10:00:00.000000Z",
            "version": 1,
        }  # fmt: skip


def names() -> list[str]:
    return list(ConfigurationItem.objects.there().order_by("pk").values_list("name", flat=True))


def test_everything_is_read_with_its_relations_and_read_again_changes_nothing(there):
    fill(there, 3)
    there.tables[CLUSTERS][7] = {"id": 7, "name": "east", "custom_fields": {}, "last_updated": "2026-07-14T10:00:00Z", "version": 1}
    there.change(VMS, 1, cluster=7, status="decommissioning")
    state = inventorying.read(cmdb=there.cmdb, at=NOON)
    assert (state.problem, state.consecutive_failures, state.latest_complete_at) == ("", 0, NOON)
    assert sorted(names()) == ["east", "vm-1", "vm-2", "vm-3"]
    assert str(ItemRelation.objects.get()) == "vm-1 runs in east"
    assert list(ConfigurationItem.objects.filter(retired=True).values_list("name", "state")) == [("vm-1", "decommissioning")]
    before = list(ConfigurationItem.objects.order_by("pk").values("pk", "name", "first_seen_at"))
    inventorying.read(cmdb=there.cmdb, at=NOON + 13 * HOUR)
    assert list(ConfigurationItem.objects.order_by("pk").values("pk", "name", "first_seen_at")) == before


def test_a_round_that_stops_in_the_middle_goes_on_without_loss_or_double(there, monkeypatch):
    monkeypatch.setattr("catalogue.cmdbs.netbox.PAGE", 2)
    fill(there, 7)
    pages = iter(range(100))
    there.before = lambda asked: Says(503, {"detail": "busy"}, {"Retry-After": "3600"}) if VMS in asked.path and next(pages) == 2 else None
    state = inventorying.read(cmdb=there.cmdb, at=NOON)
    assert "503" in state.problem and state.latest_complete_at is None and len(names()) == 4
    assert state.next_read_at > NOON
    asked = len(there.running.asked)
    state = inventorying.read(cmdb=there.cmdb, at=NOON + HOUR)
    assert state.problem == "" and state.latest_complete_at == NOON and names() == [f"vm-{n}" for n in range(1, 8)]
    went_on = [one.query["id__gt"] for one in there.running.asked[asked:] if one.path == VMS]
    assert went_on == ["4", "6"], "what was kept is not asked for again"


def test_only_what_changed_is_asked_for_and_what_was_deleted_is_missed_in_full_readings_only(there):
    fill(there, 3)
    inventorying.read(cmdb=there.cmdb, at=NOON)
    del there.tables[VMS][3]
    there.now = NOON + 10 * MINUTE
    there.change(VMS, 2, name="vm-two")
    inventorying.read(cmdb=there.cmdb, at=NOON + 15 * MINUTE)
    assert there.running.asked[-1].query["last_updated__gte"] == "2026-07-14T11:55:00Z"
    assert sorted(names()) == ["vm-1", "vm-3", "vm-two"]
    inventorying.read(cmdb=there.cmdb, at=NOON + 13 * HOUR)
    assert sorted(names()) == ["vm-1", "vm-two"]
    assert ConfigurationItem.objects.get(name="vm-3").gone_at == NOON + 13 * HOUR


def test_a_bad_record_is_put_aside_with_its_reason_and_comes_back_when_it_is_mended(there):
    fill(there, 2)
    there.tables[VMS][2]["name"] = None
    there.before = lambda asked: None
    plain = there._shown

    def without_display(path, row):
        return {name: value for name, value in plain(path, row).items() if name != "display"}

    there._shown = without_display
    inventorying.read(cmdb=there.cmdb, at=NOON)
    assert names() == ["vm-1"] and ItemReject.objects.get().reason == "The record has neither a name nor a display name."
    inventorying.read(cmdb=there.cmdb, at=NOON + 13 * HOUR)
    assert ItemReject.objects.get().first_seen_at == NOON
    there.tables[VMS][2]["name"] = "mended"
    inventorying.read(cmdb=there.cmdb, at=NOON + 26 * HOUR)
    assert not ItemReject.objects.exists() and sorted(names()) == ["mended", "vm-1"]


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (Says(403, {"detail": "Invalid token"}), "Give the account the right to read"),
        (Says(200, "<html>", kind="text/html"), "something other than JSON"),
        (Says(200, {"something": "else"}), "has no list of results"),
        (Says(302, "", {"Location": "http://elsewhere/"}), "status 302"),
        (Says(200, {"results": [], "next": "http://x/"}), "no number to go on from"),
        (Says(200, '{"results": [', half=True), "broke off"),
    ],
)
def test_what_goes_wrong_is_told_in_a_sentence_and_tried_later_and_later(there, says, words):
    there.before = lambda asked: says
    state = inventorying.read(cmdb=there.cmdb, at=NOON)
    assert words in state.problem and TOKEN not in state.problem
    first = state.next_read_at - NOON
    state = inventorying.read(cmdb=there.cmdb, at=NOON)
    state = inventorying.read(cmdb=there.cmdb, at=NOON)
    assert state.next_read_at - NOON > first and state.consecutive_failures == 3


def test_an_address_that_was_not_allowed_is_never_asked(there, settings):
    settings.TOOL_ADDRESSES = Allowed("cmdb.example.org")
    assert "TOOL_ADDRESSES" in inventorying.read(cmdb=there.cmdb, at=NOON).problem
    assert there.running.asked == []


def test_a_signed_message_has_it_read_soon_and_any_other_is_refused(there):
    fill(there, 1)
    inventorying.read(cmdb=there.cmdb, at=NOON)
    body, signature = there.event(VMS, 1, "shared")
    for wrong in ("", "00", there.event(VMS, 1, "guessed")[1]):
        with pytest.raises(NotSigned):
            inventorying.hear(cmdb=there.cmdb, body=body, signature=wrong, at=NOON + MINUTE)
    assert CmdbState.objects.get().next_read_at > NOON + MINUTE
    assert inventorying.hear(cmdb=there.cmdb, body=body, signature=signature, at=NOON + MINUTE)
    assert inventorying.claim_due(at=NOON + MINUTE) == [there.cmdb.pk] and inventorying.claim_due(at=NOON + MINUTE) == []
    del there.tables[VMS][1]
    inventorying.read(cmdb=there.cmdb, at=NOON + MINUTE)
    body, signature = there.event(VMS, 1, "shared", event="deleted")
    assert inventorying.hear(cmdb=there.cmdb, body=body, signature=signature, at=NOON + 2 * MINUTE)
    inventorying.read(cmdb=there.cmdb, at=NOON + 2 * MINUTE)
    assert names() == [], "what was deleted is seen by a reading in full"
    other = json.dumps({"event": "updated", "object_type": "circuits.circuit", "data": {"id": 1}}).encode()
    import hashlib
    import hmac

    signed = hmac.new(b"shared", other, hashlib.sha512).hexdigest()
    assert not inventorying.hear(cmdb=there.cmdb, body=other, signature=signed, at=NOON)


def test_without_a_shared_secret_nothing_is_heard(there):
    with because("test"):
        there.cmdb.secrets = {"token": TOKEN}
        there.cmdb.save()
    body, signature = there.event(VMS, 1, "")
    with pytest.raises(NotSigned):
        inventorying.hear(cmdb=there.cmdb, body=body, signature=signature, at=NOON)
