"""Monitoring systems of others are told where entries stand: what changed, once, in order, and what they refuse is told."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from catalogue import propagating, status
from catalogue.models import Relation
from itsm_backup import journey
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import Notice, because
from monitoring import monitors, telling_onward
from monitoring.models import ExternalMonitoring, ServiceState, StatusPublication
from tests.admin_forms import change_url, filled, make_staff, signed_in, url
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, make_user, push, run_record
from tests.toolserver import Asked, Says, tool_server

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
TOKEN = "zabbix-token-0123456789"


class ZabbixServer:
    """Answers history.push as Zabbix 7.0 documents it. `items` are the keys that there is a trapper item for."""

    def __init__(self) -> None:
        self.items = {f"backup.{name}[PACS]" for name in ("status", "affected", "kept", "rpo", "last_good", "next_due", "jobs")}
        self.values: list[dict] = []
        self.before = lambda asked: None

    def __call__(self, asked: Asked) -> Says:
        if (said := self.before(asked)) is not None:
            return said
        assert asked.path == "/api_jsonrpc.php" and asked.json["method"] == "history.push"
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            error = {"code": -32602, "message": "Invalid params.", "data": "Not authorized."}
            return Says(200, {"jsonrpc": "2.0", "error": error, "id": asked.json["id"]})
        rows = []
        for number, value in enumerate(asked.json["params"]):
            known = value["key"] in self.items
            rows.append({"itemid": f"{number}"} if known else {"error": "No permissions to referred object or it does not exist!"})
            self.values += [value] if known else []
        return Says(200, {"jsonrpc": "2.0", "result": {"response": "success", "data": rows}, "id": asked.json["id"]})


@pytest.fixture
def there(settings):
    """A Zabbix that is told of one entry, whose nightly job ran."""
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    server = ZabbixServer()
    with tool_server(server) as running:
        server.running = running
        server.target = make_target(running.address)
        server.service = make_service("PACS", at=NOON - 30 * DAY, rpo_s=93_600, name="Imaging archive")
        server.tool = make_tool(at=NOON - 30 * DAY)
        make_schedule(make_job(server.tool, "nightly", at=NOON - 30 * DAY, service=server.service), local_times="01:30", zone="UTC")
        push(server.tool, *(run_record("nightly", "success", NOON - n * DAY - 10 * HOUR) for n in range(9)), at=NOON)
        journey.advance(at=NOON)
        yield server


def make_target(address: str, **more) -> ExternalMonitoring:
    row = ExternalMonitoring(
        **{"name": "Zabbix", "kind": "zabbix", "address": address, "host": "backup", "secrets": {"token": TOKEN}, "enabled": True, **more}
    )
    row.full_clean(exclude=["secrets"])
    with because("test"):
        row.save()
    return row


def tell(at: dt.datetime) -> int:
    written = telling_onward.notice_changes(at=at)
    telling_onward.send(at=at)
    return written


def told() -> StatusPublication:
    return StatusPublication.objects.get()


def test_status_promise_and_what_is_due_are_told_once_and_again_when_they_change(there):
    assert tell(NOON) == 1
    values = {one["key"].partition("[")[0]: one["value"] for one in there.values}
    state = ServiceState.objects.get()
    assert values == {
        "backup.status": 0, "backup.affected": 0,
        "backup.kept": 1, "backup.rpo": 93_600, "backup.last_good": int(state.captured_at.timestamp()),
        "backup.next_due": int(state.next_due_at.timestamp()), "backup.jobs": "nightly",
    }  # fmt: skip
    assert {(one["host"], one["clock"]) for one in there.values} == {("backup", int(NOON.timestamp()))}
    assert (told().accepted, told().answer) == (True, "7 of 7 values taken.")
    assert tell(NOON + MINUTE) == 0 and len(there.running.asked) == 1, "nothing is said twice"
    status.change(service=there.service, to="outage", reason="Test", evaluation=None, at=NOON + 2 * MINUTE)
    assert tell(NOON + 2 * MINUTE) == 1 and [one["value"] for one in there.values if "status" in one["key"]] == [0, 2]


@pytest.mark.req("2.4")
def test_what_a_provider_does_to_it_is_told_beside_its_own_status(there):
    provider = make_service("SAN", at=NOON - 30 * DAY, name="Storage")
    with because("test"):
        Relation.objects.create(consumer=there.service, provider=provider, kind="depends_on", strength="hard", valid_from=NOON - DAY)
    status.change(service=provider, to="outage", reason="Test", evaluation=None, at=NOON)
    propagating.propagate(at=NOON)
    tell(NOON + MINUTE)
    assert [(one["key"], one["value"]) for one in there.values][:2] == [("backup.status[PACS]", 0), ("backup.affected[PACS]", 2)]
    said = StatusPublication.objects.get(service=there.service).said
    assert said["affected"] == {"status": "outage", "code": "SAN", "name": "Storage"}
    line = monitors.sentence(said)
    assert line.startswith("OK - Imaging archive: operational, promise kept; affected by Storage (SAN), which is out; newest copy")


def test_nothing_is_told_before_it_is_switched_on(there):
    with because("test"):
        there.target.enabled = False
        there.target.save()
    assert tell(NOON) == 0 and not there.running.asked
    assert telling_onward.health(there.target) == "It is switched off: nothing is told."


def test_a_newer_message_takes_the_place_of_one_that_could_not_be_sent_and_each_keeps_its_instant(there):
    there.before = lambda asked: Says(503, "")
    tell(NOON)
    assert told().accepted is False and "503" in told().answer
    status.change(service=there.service, to="degraded", reason="Test", evaluation=None, at=NOON + MINUTE)
    tell(NOON + MINUTE)
    there.before = lambda asked: None
    telling_onward.send(at=NOON + HOUR)
    assert [one["value"] for one in there.values if "status" in one["key"]] == [1], "the older one is not said any more"
    assert there.values[0]["clock"] == int((NOON + MINUTE).timestamp())
    assert Notice.objects.filter(sent_at=None, given_up_at=None).count() == 0


def test_a_sender_that_dies_says_the_same_value_of_the_same_instant(there):
    telling_onward.notice_changes(at=NOON)
    notice = Notice.objects.get()
    telling_onward._deliver(notice, NOON)  # sent, and not written down
    assert telling_onward.send(at=NOON + HOUR) == 1
    first, second = (json.loads(one.body)["params"] for one in there.running.asked)
    assert first == second


def test_what_is_refused_stands_in_a_sentence_and_is_tried_again(there):
    refusals = {
        "Check the token; Zabbix 7.0": Says(
            200,
            {
                "jsonrpc": "2.0",
                "error": {"code": -32602, "message": "Invalid params.", "data": 'Incorrect method "history.push".'},
                "id": 1,
            },
        ),
        "another form than documented": Says(200, {"jsonrpc": "2.0", "result": {"response": "success"}, "id": 1}),
        "asks for fewer messages": Says(429, "", {"Retry-After": "3600"}),
        "status 200": Says(200, "<html>", kind="text/html"),
        "broke off": Says(200, '{"jsonrpc": "2.0"', half=True),
    }
    telling_onward.notice_changes(at=NOON)
    for number, (words, says) in enumerate(refusals.items()):
        there.before = lambda asked, says=says: says
        telling_onward.send(at=NOON + number * HOUR)
        assert words in told().answer and told().accepted is False and TOKEN not in told().answer
        assert telling_onward.health(there.target).startswith("It does not take 1 of 1 entries. The latest answer: ")
    there.before = lambda asked: None
    telling_onward.send(at=NOON + 9 * HOUR)
    assert told().accepted is True and telling_onward.health(there.target) == "It took what was said of 1 of 1 entries."


def test_an_item_that_lacks_is_named_and_the_status_has_to_be_there(there):
    there.items -= {"backup.rpo[PACS]", "backup.jobs[PACS]"}
    tell(NOON)
    assert (told().accepted, told().answer) == (True, "5 of 7 values taken. There is no trapper item for rpo, jobs.")
    there.items = set()
    assert telling_onward.tell_again(target=there.target, at=NOON) == 1
    tell(NOON + MINUTE)
    assert told().accepted is False and "Make it there, as a trapper item of host backup." in told().answer


def test_an_address_that_was_not_allowed_is_never_asked(there, settings):
    settings.TOOL_ADDRESSES = Allowed("monitoring.example.org")
    tell(NOON)
    assert "TOOL_ADDRESSES" in told().answer and not there.running.asked


def test_many_entries_are_looked_at_with_as_many_questions_as_few(there, django_assert_max_num_queries):
    tell(NOON)
    for n in range(10):
        make_service(f"SVC-{n}", at=NOON - DAY)
    journey.advance(at=NOON)
    with django_assert_max_num_queries(5):
        assert len(telling_onward.standings(at=NOON)) == 11


def test_one_service_of_icinga_for_all_entries_is_refused():
    with pytest.raises(ValidationError, match=r"Put \{code\} into"):
        make_target("https://icinga.example.org:5665", kind="icinga2", account="sender", item="backup")
    row = make_target("https://icinga.example.org:5665", name="Icinga", kind="icinga2", account="sender", host="db01")
    assert (row.host_of("PACS"), row.item_of("PACS")) == ("db01", "backup-PACS")


def test_a_sentence_says_what_is_known_and_nothing_that_icinga_takes_for_figures():
    said = {
        "code": "PACS", "name": "Imaging | archive", "status": "maintenance", "verdict": "held", "last_good_at": None, "next_due_at": None,
        "rpo_s": None, "jobs": [],
    }  # fmt: skip
    assert monitors.sentence(said) == "OK - Imaging / archive: maintenance, nothing can be said of the promise; no copy"
    assert monitors.figures(said) == [] and monitors.zabbix_values(said) == {"status": 4, "affected": 0, "jobs": ""}


def test_the_admin_keeps_secrets_says_how_it_goes_and_tells_again(there):
    tell(NOON)
    rights = ("view_externalmonitoring", "add_externalmonitoring", "change_externalmonitoring", "view_statuspublication")
    client = signed_in(make_staff(*(f"monitoring.{one}" for one in rights), "catalogue.view_service"))
    page = client.get(change_url(there.target))
    text = page.content.decode()
    assert "It took what was said of 1 of 1 entries." in text and "7 of 7 values taken." in text and TOKEN not in text
    assert client.post(change_url(there.target), filled(page, host="backup-2", enabled="on", change_reason="Moved")).status_code == 302
    there.target.refresh_from_db()
    assert (there.target.secrets["token"], there.target.host) == (TOKEN, "backup-2")
    assert tell(NOON + MINUTE) == 1, "what goes elsewhere is told again"
    fresh = client.get(url(ExternalMonitoring, "add"))
    more = {"name": "Icinga", "kind": "icinga2", "account": "sender", "address": "https://x.example.org:5665", "host": "db01"}
    sent = client.post(url(ExternalMonitoring, "add"), filled(fresh, **more, change_reason="Test"))
    assert "It is needed to sign in there." in sent.content.decode()
    made = client.post(url(ExternalMonitoring, "add"), filled(fresh, **more, password="secret", change_reason="Test"))
    row = ExternalMonitoring.objects.get(name="Icinga")
    assert made.status_code == 302 and (row.item, row.enabled) == ("backup-{code}", False) and row.history.count() == 1


def test_the_api_tells_what_was_told_to_who_may_see_the_entry(there):
    tell(NOON)
    for person, count in ((make_admin("root"), 1), (make_user(), 0)):
        client = Client()
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        rows = client.get("/api/v1/told-to-monitoring/").json()["results"]
        assert len(rows) == count
        assert not rows or (rows[0]["service"], rows[0]["said"]["status"], rows[0]["accepted"]) == ("PACS", "operational", True)
