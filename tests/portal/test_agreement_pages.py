"""Pages, admin and API of the three-way comparison: who sees what, what is offered, what is refused."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from django.test import Client

from catalogue import cmdb_relations, inventorying, linking
from catalogue.models import Cmdb, CmdbState, ConfigurationItem, FieldMaster, ItemLink, ItemRelation, SeenRelation, Service
from itsm_backup import tasks
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.time import now
from monitoring import reconciling, writing_back
from monitoring.models import Agreement, ConflictDecision, WriteConflict
from tests.admin_forms import change_url, filled, make_staff, signed_in, url
from tests.catalogue.test_inventorying import make_cmdb
from tests.netbox import TOKEN, NetBoxServer
from tests.portal.makers import add_services, make_person
from tests.toolserver import tool_server

pytestmark = pytest.mark.django_db
VMS = "/api/virtualization/virtual-machines/"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def there(estate_now, settings):
    """The small estate, with a NetBox that has the archive's machine, whose owner somebody wrote by hand."""
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    server = NetBoxServer()
    server.custom = {"backup_entry", "backup_owner", "backup_jobs", "backup_status", "backup_rpo_s"}
    server.now = estate_now.at - dt.timedelta(hours=1)
    row = {"status": "active", "last_updated": f"{server.now:%Y-%m-%dT%H:%M:%S}Z", "version": 1}
    server.tables[VMS] = {
        1: {"id": 1, "name": "pacs-01", "custom_fields": {"backup_owner": "L. Novak"}, **row},
        2: {"id": 2, "name": "web-01", "custom_fields": {"backup_entry": "SVC-011"}, **row},
    }
    with tool_server(server) as running:
        server.running, server.estate = running, estate_now
        server.cmdb = make_cmdb(running.address, writes=True)
        server.steward = make_person("steward", estate_now.at)
        read(server)
        link(server)
        yield server


def read(there):
    inventorying.read(cmdb=there.cmdb, at=now())


def link(there):
    item = ConfigurationItem.objects.get(name="pacs-01")
    linking.link(item=item, service=there.estate.imaging, by=there.steward, at=now(), reason="test")
    Agreement.objects.update(due_at=now())
    reconciling.compare_due(at=now())
    writing_back.send(at=now())
    Agreement.objects.update(due_at=now())
    reconciling.compare_due(at=now())


def client_of(person) -> Client:
    client = Client()
    client.force_login(person, backend=BACKEND)
    return client


def call(person, method, address, body=None):
    return client_of(person).generic(method.upper(), f"/api/v1/{address}", json.dumps(body or {}), content_type="application/json")


def test_the_page_tells_what_differs_why_and_what_puts_it_right(there):
    text = client_of(there.steward).get("/services/agreement/").content.decode()
    assert "0 of 3 services agree across all three sources." not in text and "of 3 services" in text
    fields, services = map(int, re.search(r"(\d+) fields? differs? in (\d+) services?\.", text).groups())
    assert fields == sum(Agreement.objects.values_list("comparison__differing", flat=True)) >= services > 0
    assert "Imaging archive" in text and "L. Novak" in text and "1 conflict waits for a person" in text
    assert "Items without an entry (1)" in text and "Sources in agreement:" in client_of(there.steward).get("/").content.decode()
    of_one = client_of(there.steward).get("/services/SVC-003/agreement/").content.decode()
    assert "pacs-01" in of_one and "columns read back as said" in of_one and "Leave “L. Novak”" in of_one


def test_a_conflict_is_decided_on_the_page_and_refused_with_what_is_missing(there):
    row = WriteConflict.objects.open().get()
    steward = client_of(there.steward)
    missing = steward.post(f"/services/agreement/conflicts/{row.pk}/decide", {"choice": "ours", "reason": " "})
    assert missing.status_code == 409 and "Say why" in missing.content.decode() and "checked" in missing.content.decode()
    reader = client_of(make_person("operator", there.estate.at))
    assert reader.post(f"/services/agreement/conflicts/{row.pk}/decide", {"choice": "ours", "reason": "x"}).status_code == 403
    page = reader.get("/services/SVC-003/agreement/").content.decode()
    assert "Stewards and monitoring administrators decide." in page and "conflict-form" not in page
    done = steward.post(f"/services/agreement/conflicts/{row.pk}/decide", {"choice": "theirs", "reason": "She answers for it"}, follow=True)
    assert "leave what the CMDB says" in done.content.decode() and "She answers for it" in done.content.decode()
    assert not WriteConflict.objects.open().exists()
    assert there.tables[VMS][1]["custom_fields"]["backup_owner"] == "L. Novak"


def test_items_are_linked_by_proposal_or_by_code_and_unlinked_with_a_reason(there):
    steward = client_of(there.steward)
    page = steward.get("/services/agreement/items/").content.decode()
    item = ConfigurationItem.objects.get(name="web-01")
    assert f'value="{item.pk}:SVC-011"' in page and "NetBox says that it belongs to SVC-011." in page
    assert "Nothing was linked" in steward.post("/services/agreement/items/link", {"chosen": f"{item.pk}:SVC-011"}).content.decode()
    assert (
        "no entry with the code"
        in steward.post("/services/agreement/items/link", {"item": item.pk, "code": "NO", "reason": "x"}).content.decode()
    )
    assert steward.post("/services/agreement/items/link", {"chosen": f"{item.pk}:SVC-011", "reason": "It says so"}).status_code == 302
    made = ItemLink.objects.get(item=item)
    assert (made.service.code, made.history.get().history_change_reason) == ("SVC-011", "It says so")
    assert Agreement.objects.get(service=made.service).due_at <= now()
    reader = client_of(make_person("auditor", there.estate.at))
    assert reader.post(f"/services/agreement/links/{made.pk}/end", {"reason": "x"}).status_code == 403
    steward.post(f"/services/agreement/links/{made.pk}/end", {"reason": ""})
    assert ItemLink.objects.filter(pk=made.pk).exists()
    steward.post(f"/services/agreement/links/{made.pk}/end", {"reason": "Wrong one"})
    assert not ItemLink.objects.filter(pk=made.pk).exists()


def test_it_is_not_for_everybody_and_shows_only_what_one_may_see(there):
    assert client_of(make_person("stakeholder", there.estate.at)).get("/services/agreement/").status_code in (200, 403)
    limited = client_of(make_person("operator", there.estate.at, services=[there.estate.research]))
    assert "Imaging" not in limited.get("/services/agreement/").content.decode()
    assert limited.get("/services/SVC-003/agreement/").status_code == 404
    assert "pacs-01" not in limited.get("/services/agreement/items/").content.decode()
    row = WriteConflict.objects.open().get()
    assert limited.post(f"/services/agreement/conflicts/{row.pk}/decide", {"choice": "ours", "reason": "x"}).status_code == 404


def test_the_past_shows_what_was_compared_then_and_offers_nothing(there):
    steward, then = client_of(there.steward), f"{there.estate.at - dt.timedelta(days=1):%Y-%m-%dT%H:%MZ}"
    for path in ("/services/agreement/", "/services/SVC-003/agreement/", "/services/agreement/items/"):
        text = steward.get(f"{path}?as_of={then}").content.decode()
        forms = re.findall(r'<form method="post" action="(/services/[^"]*)"', text)
        assert "You are looking at" in text and forms == [], path
    assert "Nothing was compared with a CMDB by then." in steward.get(f"/services/agreement/?as_of={then}").content.decode()


def test_compare_again_is_for_those_who_may_change_something(there):
    Agreement.objects.update(due_at=now() + dt.timedelta(hours=1))
    assert client_of(make_person("auditor", there.estate.at)).post("/services/agreement/again").status_code == 403
    assert client_of(there.steward).post("/services/agreement/again").status_code == 302
    assert not Agreement.objects.filter(due_at__gt=now()).exists()


@pytest.mark.parametrize("path", ["/services/agreement/", "/services/SVC-003/agreement/", "/services/agreement/items/"])
def test_a_page_takes_as_many_queries_for_many_entries(there, path, django_assert_max_num_queries):
    person = make_person("operator", there.estate.at)
    client = client_of(person)
    client.get(path)
    add_services(12, there.estate.at, there.estate.tool)
    for number in range(3, 15):
        there.tables[VMS][number] = {**there.tables[VMS][2], "id": number, "name": f"web-{number}", "custom_fields": {}}
    CmdbState.objects.update(cursor={})
    read(there)
    for number, item in enumerate(ConfigurationItem.objects.filter(name__startswith="web-", link=None)[:12]):
        service = Agreement.objects.exclude(service__code="SVC-003").order_by("service__code")[number % 2].service
        linking.link(item=item, service=service, by=there.steward, at=now(), reason="test")
    Agreement.objects.update(due_at=now())
    reconciling.compare_due(at=now())
    with django_assert_max_num_queries(20):
        assert client.get(path).status_code == 200


def test_the_worker_reads_compares_and_writes(there):
    there.change(VMS, 1, custom_fields={"backup_status": None})
    CmdbState.objects.update(next_read_at=now(), cursor={})
    assert inventorying.claim_due(at=now()) == [there.cmdb.pk]
    tasks.read_cmdb(there.cmdb.pk)
    tasks.reconcile()
    found = WriteConflict.objects.open().get(field="status")
    assert found.theirs is None, "what was cleared there by hand is a person's to decide"
    writing_back.decide(conflict=found, choice="ours", by=there.steward, at=now(), reason="It is needed")
    tasks.reconcile()
    assert there.tables[VMS][1]["custom_fields"]["backup_status"]


def test_the_api_tells_the_same_and_decides(there):
    items = call(there.steward, "get", "configuration-items/").json()["results"]
    assert {one["name"]: one["service"] for one in items} == {"pacs-01": "SVC-003", "web-01": None}
    rows = {one["service"]: one for one in call(there.steward, "get", "agreement/").json()["results"]}
    owner = next(row for row in rows["SVC-003"]["rows"] if row["field"] == "owner")
    assert owner["agrees"] is False and list(owner["cmdb"].values()) == ["L. Novak"]
    one = call(there.steward, "get", "conflicts/").json()["results"][0]
    assert (one["field"], one["theirs"], one["decision"]) == ("owner", "L. Novak", None)
    reader = make_person("auditor", there.estate.at)
    assert call(reader, "post", f"conflicts/{one['id']}/decide", {"choice": "ours", "reason": "x"}).status_code == 403
    done = call(there.steward, "post", f"conflicts/{one['id']}/decide", {"choice": "ours", "reason": "She left"})
    assert done.status_code == 200 and done.json()["decision"]["reason"] == "She left"
    assert call(there.steward, "post", f"conflicts/{one['id']}/decide", {"choice": "ours", "reason": "x"}).status_code == 409
    assert ConflictDecision.objects.count() == 1


def test_webhooks_need_the_signature_and_nothing_else(there):
    later = now() + dt.timedelta(hours=1)
    CmdbState.objects.update(next_read_at=later)
    body, signature = there.event(VMS, 1, "shared")
    for given, code in (("", 403), ("00" * 64, 403), (signature, 202)):
        answer = Client().post("/api/v1/cmdb/netbox/webhook", body, content_type="application/json", headers={"X-Hook-Signature": given})
        assert answer.status_code == code, answer.content
    assert answer.json() == {"read_soon": True} and CmdbState.objects.get().next_read_at < later
    assert Client().post("/api/v1/cmdb/other/webhook", body, content_type="application/json").status_code == 404


def test_the_admin_keeps_secrets_checks_columns_and_tells_how_it_answers(there):
    rights = ("view_cmdb", "add_cmdb", "change_cmdb", "add_fieldmaster", "change_fieldmaster", "view_fieldmaster", "view_configurationitem")
    client = signed_in(make_staff(*(f"catalogue.{one}" for one in rights)))
    page = client.get(change_url(there.cmdb))
    text = page.content.decode()
    assert "owner: custom_fields.backup_owner" in text and "Tested on documented payloads" in text and "/api/v1/cmdb/netbox/webhook" in text
    assert TOKEN not in text and "shared" not in text.replace("shared secret", "").replace("Secret shared", "")
    bad = client.post(change_url(there.cmdb), filled(page, columns="colour: custom_fields.colour", change_reason="Test"))
    assert "colour: no field" in bad.content.decode()
    kept = client.post(change_url(there.cmdb), filled(page, label="Main NetBox", change_reason="Test"))
    assert kept.status_code == 302
    there.cmdb.refresh_from_db()
    assert there.cmdb.secrets["token"] == TOKEN and there.cmdb.label == "Main NetBox"
    fresh = client.get(url(Cmdb, "add"))
    sent = client.post(url(Cmdb, "add"), filled(fresh, name="other", kind="netbox", address="https://x.example.org", change_reason="Test"))
    assert "NetBox needs it." in sent.content.decode()
    master = client.post(
        url(FieldMaster, "add"), filled(client.get(url(FieldMaster, "add")), field="owner", master="cmdb", change_reason="They keep it")
    )
    assert master.status_code == 302 and FieldMaster.objects.get().history.get().history_change_reason == "They keep it"
    wrong = client.post(
        url(FieldMaster, "add"), filled(client.get(url(FieldMaster, "add")), field="in_use", master="catalogue", change_reason="x")
    )
    assert "always the CMDB" in wrong.content.decode()


def test_relations_of_the_cmdb_stand_beside_those_of_the_catalogue(there):
    at = now()
    web, pacs = ConfigurationItem.objects.get(name="web-01"), ConfigurationItem.objects.get(name="pacs-01")
    linking.link(item=web, service=Service.objects.get(code="SVC-033"), by=there.steward, at=at, reason="test")
    ItemRelation.objects.create(item=pacs, kind="runs on", other=web)
    cmdb_relations.see_relations(at=at)
    steward = client_of(there.steward)
    page = steward.get("/services/SVC-003/agreement/").content.decode()
    assert (
        "Missing in the catalogue." in page
        and "NetBox says that pacs-01 runs on web-01" in page
        and "/services/relations/#proposals" in page
    )
    assert "NetBox says that pacs-01 runs on web-01." in steward.get("/services/relations/").content.decode()
    (row,) = call(there.steward, "get", "services/SVC-003/cmdb-relations/").json()
    assert (row["consumer"], row["provider"], row["catalogue"], row["agrees"]) == ("SVC-003", "SVC-033", [], False)
    seen = SeenRelation.objects.get(consumer__code="SVC-003", kind="hosted_on")
    sent = steward.post(f"/services/relations/seen/{seen.pk}/accept", {"strength": "hard", "reason": "It does"})
    assert sent.status_code == 302
    page = steward.get("/services/SVC-003/agreement/").content.decode()
    assert "Missing in the catalogue." not in page and "is hosted on" in page
    assert call(there.steward, "get", "services/NONE/cmdb-relations/").status_code == 404
