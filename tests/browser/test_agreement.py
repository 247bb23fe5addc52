"""Catalogue, CMDB and monitoring beside each other, walked in a real browser against a reference server of NetBox."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue import cmdb_relations, inventorying, linking
from catalogue.models import ConfigurationItem, ItemRelation
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring import reconciling, telling_onward, writing_back
from monitoring.models import Agreement, ExternalMonitoring, StatusPublication, WriteBack, WriteConflict
from tests.admin_forms import change_url
from tests.catalogue.test_inventorying import make_cmdb
from tests.factories import make_admin
from tests.netbox import NetBoxServer
from tests.portal.makers import make_person
from tests.toolserver import Says, tool_server

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
VMS = "/api/virtualization/virtual-machines/"
PAGE = "/services/SVC-003/agreement/"


@pytest.fixture
def there(estate_now, settings):
    """The small estate, with a NetBox that has the archive's machine, whose owner somebody wrote by hand."""
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    server = NetBoxServer()
    server.custom = {f"backup_{one}" for one in ("entry", "owner", "team", "jobs", "schedule", "status", "rpo_s")}
    row = {"status": "active", "last_updated": f"{estate_now.at - dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%S}Z", "version": 1}
    server.now = estate_now.at - dt.timedelta(hours=1)
    server.tables[VMS] = {
        1: {"id": 1, "name": "pacs-01", "custom_fields": {"backup_owner": "L. Novak"}, **row},
        2: {"id": 2, "name": "web-01", "custom_fields": {}, **row},
    }
    with tool_server(server) as running:
        server.running, server.estate = running, estate_now
        server.cmdb = make_cmdb(running.address, writes=True)
        inventorying.read(cmdb=server.cmdb, at=now())
        server.steward = make_person("steward", estate_now.at)
        for name, service in (("pacs-01", estate_now.imaging), ("web-01", estate_now.research)):
            item = ConfigurationItem.objects.get(name=name)
            linking.link(item=item, service=service, by=server.steward, at=now(), reason="test")
        compare(server)
        yield server


def compare(there, *, send: bool = True) -> None:
    """What the heartbeat does within a minute."""
    Agreement.objects.update(due_at=now())
    reconciling.compare_due(at=now())
    if send:
        writing_back.send(at=now())


def owner_there(there) -> str:
    return there.tables[VMS][1]["custom_fields"]["backup_owner"]


def decide(page, choice: str, reason: str) -> None:
    form = page.locator(".conflict", has_text="Owner of pacs-01")
    form.locator(f"input[value={choice}]").check()
    form.locator("[name=reason]").fill(reason)
    form.locator("button", has_text="Decide").click()
    page.wait_for_load_state()


@pytest.mark.req("2.5")
def test_what_a_cmdb_holds_otherwise_is_decided_written_under_its_lock_and_read_back(tab, there):
    page = tab(there.steward)
    page.set_default_timeout(20_000)
    page.goto("/services/agreement/")
    heads = page.locator("thead").first.inner_text()
    assert all(words in heads for words in ("Catalogue says", "CMDB says", "Monitoring says"))
    page.click(f"main a[href='{PAGE}']")
    row = page.locator("section", has=page.locator("#fields-title")).locator("tr", has=page.locator("th", has_text="Owner"))
    ours = there.estate.imaging.versions.get().owner.username
    assert "L. Novak" in row.inner_text() and ours in row.inner_text() and "catalogue is right" in row.inner_text()
    assert "Nothing is overwritten" in page.inner_text("#conflicts") and owner_there(there) == "L. Novak"

    decide(page, "ours", "L. Novak left in May")
    compare(there)
    written = [one for one in there.running.asked if one.method == "PATCH" and one.path == f"{VMS}1/" and "backup_owner" in one.body]
    assert len(written) == 1 and written[0].headers["if-match"].startswith('W/"') and owner_there(there) == ours
    assert WriteBack.objects.get(item__name="pacs-01").written["owner"] == ours, "read back"
    compare(there)
    page.goto(PAGE)
    assert "read back as said" in page.inner_text("#items") and "L. Novak left in May" in page.inner_text("main")
    assert "Agree" in row.inner_text() and page.locator("#conflicts").count() == 0

    there.now = now()
    there.change(VMS, 1, custom_fields={"backup_owner": "T. Weber"})
    inventorying.read(cmdb=there.cmdb, at=now() + dt.timedelta(hours=1))
    compare(there)
    page.goto(PAGE)
    decide(page, "ours", "The catalogue is right")
    compare(there, send=False)
    there.change(VMS, 1, custom_fields={"backup_owner": "K. Lang"})  # between the decision and the write
    compare(there)
    assert owner_there(there) == "K. Lang", "what nobody saw is never written over"
    conflict = WriteConflict.objects.open().get(field="owner")
    page.goto(PAGE)
    assert "K. Lang" in page.inner_text("#conflicts") and conflict.theirs == "K. Lang"
    decide(page, "theirs", "She took over today")
    assert not WriteConflict.objects.open().filter(field="owner").exists() and owner_there(there) == "K. Lang"
    assert not page.complaints


@pytest.mark.req("2.5")
def test_a_relation_that_the_cmdb_knows_is_decided_and_agrees(tab, there):
    relate()
    page = tab(there.steward)
    page.set_default_timeout(20_000)
    page.goto(PAGE)
    assert "Missing in the catalogue." in page.inner_text("#relations") and "pacs-01 runs on web-01" in page.inner_text("#relations")
    page.click("#relations >> text=Decide")
    proposal = page.locator("#proposals article", has_text="pacs-01 runs on web-01")
    proposal.locator("[name=reason]").fill("It has done so since the move")
    proposal.locator("button", has_text="Confirm").click()
    page.wait_for_load_state()
    page.goto(PAGE)
    assert "Agree" in page.inner_text("#relations") and "is hosted on" in page.inner_text("#relations")


def relate() -> None:
    item, other = (ConfigurationItem.objects.get(name=name) for name in ("pacs-01", "web-01"))
    ItemRelation.objects.create(item=item, kind="runs on", other=other)
    cmdb_relations.see_relations(at=now())


@pytest.fixture
def target(there):
    """A Zabbix that refuses what it is told."""
    there.before = lambda asked: Says(503, "") if "jsonrpc" in asked.path else None
    row = ExternalMonitoring(
        name="Zabbix", kind="zabbix", address=there.running.address, host="backup", item="backup", secrets={"token": "t"}, enabled=True
    )
    with because("test"):
        row.save()
    telling_onward.notice_changes(at=now())
    telling_onward.send(at=now())
    return row


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_the_pages_are_accessible_fit_the_screen_and_obey_the_policy(tab, there, target, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    relate()
    root, found = make_admin("root"), {}
    told = change_url(StatusPublication.objects.first())
    for path in ("/services/agreement/", PAGE, "/services/agreement/items/", change_url(there.cmdb), change_url(target), told):
        page = tab(root, size=size, scheme=scheme)
        page.goto(path)
        seen = list(page.complaints)  # axe itself adds styles that the policy then refuses
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page, options={"preload": False}).response["violations"]]
        if seen:
            found[path] = seen
        page.context.close()
    assert not found
