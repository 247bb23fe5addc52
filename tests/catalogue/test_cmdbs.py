"""What the product asks of ServiceNow, iTop and GLPI, over reference servers that answer as documented: the same of each."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue import inventorying
from catalogue.cmdbs import CMDBS
from catalogue.cmdbs.base import Changed, NotAnswered, NotThere, Source, Talk
from catalogue.models import Cmdb, ConfigurationItem, ItemReject, ItemRelation
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.http.client import Client
from itsm_backup.common.models import because
from tests.glpi import BLOCK, GlpiServer
from tests.itop import ItopServer
from tests.servicenow import CI, ServiceNowServer
from tests.toolserver import Says, tool_server

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
SERVERS = {one.kind: one for one in (ServiceNowServer, ItopServer, GlpiServer)}


class There:
    """A CMDB to try things on: the server, a row that leads to it, and a conversation with it."""

    def __init__(self, server, running, settings) -> None:
        settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
        self.server, self.running, self.connector = server, running, CMDBS[server.kind]
        tables = [server.table, "Appliance"] if server.kind == "glpi" else [server.table]
        row = Cmdb(
            name=server.kind, kind=server.kind, address=running.address, account=server.account, secrets=server.secrets, tables=tables
        )
        row.full_clean(exclude=["secrets"])
        with because("test"):
            row.save()
        self.cmdb = row

    def talk(self, client: Client, **secrets: str) -> Talk:
        source = {"account": self.cmdb.account, "secrets": {**self.cmdb.secrets, **secrets}, "columns": self.cmdb.columns}
        return Talk(source=Source(address=self.running.address, **source), client=client)

    def read(self, at: dt.datetime = NOON):
        return inventorying.read(cmdb=self.cmdb, at=at)


@pytest.fixture(params=SERVERS)
def there(request, settings):
    server = SERVERS[request.param]()
    with tool_server(server) as running:
        yield There(server, running, settings)


def names() -> list[str]:
    return list(ConfigurationItem.objects.there().order_by("name").values_list("name", flat=True))


def test_items_are_read_with_state_columns_and_what_cannot_be_compared_is_left_out(there):
    number = there.server.make("pacs-01")
    there.server.set(number, "owner", "L. Novak")
    there.server.set(number, "rpo_s", "93600")
    there.server.retire(there.server.make("old-01"))
    state = there.read()
    assert state.problem == "" and names() == ["old-01", "pacs-01"]
    item = ConfigurationItem.objects.get(name="pacs-01")
    assert item.fields["owner"] == "L. Novak" and item.fields["rpo_s"] == 93_600
    assert item.fields["status"] is None, "an empty column is there, and may be written"
    assert not item.retired and ConfigurationItem.objects.get(name="old-01").retired
    assert item.address.startswith(there.running.address) and number in item.address


def test_pages_go_on_by_number_and_only_what_changed_is_asked_for_between(there, monkeypatch):
    for place in ("catalogue.cmdbs.servicenow.PAGE", "catalogue.cmdbs.itop.AT_ONCE", "catalogue.cmdbs.glpi.PAGE"):
        monkeypatch.setattr(place, 2)
    numbers = [there.server.make(f"vm-{n}") for n in range(7)]
    assert there.read().latest_complete_at == NOON and names() == [f"vm-{n}" for n in range(7)]
    there.server.now = NOON + 30 * HOUR
    there.server.change(numbers[4], **{"friendlyname" if there.server.kind == "itop" else "name": "changed"})
    asked = len(there.running.asked)
    ConfigurationItem.objects.update(last_seen_at=NOON)
    there.cmdb.state.refresh_from_db()
    type(there.cmdb.state).objects.update(cursor={"since": (NOON + 29 * HOUR).isoformat(), "full_at": (NOON + 29 * HOUR).isoformat()})
    assert there.read(NOON + 30 * HOUR).problem == "" and "changed" in names()
    assert list(ConfigurationItem.objects.filter(last_seen_at__gt=NOON).values_list("name", flat=True)) == ["changed"]
    assert len(there.running.asked) - asked < 12


def test_what_goes_away_while_pages_are_read_takes_no_other_with_it(there, monkeypatch):
    for place in ("catalogue.cmdbs.servicenow.PAGE", "catalogue.cmdbs.itop.AT_ONCE", "catalogue.cmdbs.glpi.PAGE"):
        monkeypatch.setattr(place, 2)
    numbers = [there.server.make(f"vm-{n}") for n in range(7)]
    there.read()
    asked = iter(range(100))

    def before(_):
        if next(asked) == 4:  # in the middle of the listing
            there.server.delete(numbers[0])

    there.server.before = before
    assert there.read(NOON + 13 * HOUR).problem == ""
    assert set(names()) >= {f"vm-{n}" for n in range(1, 7)}, "whoever stood behind the one that went is not missed"


def test_relations_are_kept_even_when_the_other_is_read_later(there):
    first = there.server.make("app-01")
    other = there.server.make("db-01", kind="Appliance") if there.server.kind == "glpi" else there.server.make("db-01")
    kind, reads_from = there.server.relate(first, other)
    there.read()
    relation = ItemRelation.objects.get()
    assert relation.kind == kind and relation.item.external_id == reads_from
    assert {relation.item.name, relation.other.name} == {"app-01", "db-01"}


def test_a_bad_record_is_put_aside_and_the_others_are_kept(there):
    there.server.make("good")
    number = there.server.make("bad")
    there.server.change(number, name="", friendlyname="")
    there.read()
    assert names() == ["good"] and ItemReject.objects.get().reason == "The record has no name."
    assert ItemReject.objects.get().external_id == number


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (Says(429, {"error": {"message": "Rate limit exceeded"}}, {"Retry-After": "3600"}), "asks for fewer questions"),
        (Says(200, "<html>login</html>", kind="text/html"), "other than JSON"),
        (Says(200, {"something": "else"}), "Check that the address is"),
        (Says(200, '{"result": [{"sys_id"', half=True), "broke off"),
        (Says(302, "", {"Location": "http://elsewhere/"}), "status 302"),
    ],
    ids=["throttled", "page", "other", "half", "redirect"],
)
def test_what_goes_wrong_is_told_in_a_sentence_and_tried_later_and_later(there, says, words):
    there.server.make("vm-1")
    there.server.before = lambda asked: says
    state = there.read()
    assert words in state.problem and not any(secret in state.problem for secret in there.server.secrets.values())
    first = state.next_read_at - NOON
    there.read()
    assert there.read().next_read_at - NOON > first and names() == []
    there.server.before = lambda asked: None
    assert there.read(NOON + HOUR).problem == "" and names() == ["vm-1"]


def test_a_reading_that_is_throttled_goes_on_where_it_was(there, monkeypatch):
    for place in ("catalogue.cmdbs.servicenow.PAGE", "catalogue.cmdbs.itop.AT_ONCE", "catalogue.cmdbs.glpi.PAGE"):
        monkeypatch.setattr(place, 2)
    for n in range(5):
        there.server.make(f"vm-{n}")
    monkeypatch.setattr(inventorying, "MOST_PAGES", 1)
    assert there.read().problem == "" and len(names()) == 2
    monkeypatch.setattr(inventorying, "MOST_PAGES", 250)
    there.server.before = lambda asked: Says(429, "", {"Retry-After": "3600"})
    assert "fewer questions" in there.read().problem and len(names()) == 2
    there.server.before = lambda asked: None
    there.read(NOON + HOUR)
    assert names() == [f"vm-{n}" for n in range(5)]


def test_a_wrong_secret_is_told_with_what_to_do(there):
    with because("test"):
        there.cmdb.secrets = dict.fromkeys(there.server.secrets, "wrong")
        there.cmdb.save()
    problem = there.read().problem
    assert "Check " in problem and "wrong" not in problem.replace("seems wrong", ""), problem


def test_a_column_is_written_under_the_lock_and_the_others_stay(there):
    number = there.server.make("pacs-01")
    there.server.set(number, "owner", "L. Novak")
    column = there.cmdb.columns["status"]
    with Client() as client:
        talk = there.talk(client)
        item = there.connector.read(talk, there.server.table, number)
        there.connector.write(talk, item, {column: "degraded"})
        again = there.connector.read(talk, there.server.table, number)
        assert (again.fields["status"], again.fields["owner"]) == ("degraded", "L. Novak") and again.lock != item.lock
        there.server.set(number, "status", "by hand")
        with pytest.raises(Changed):
            there.connector.write(talk, again, {column: "outage"})
        assert there.server.get(number, "status") == "by hand"
        there.server.delete(number)
        with pytest.raises(NotThere):
            there.connector.read(talk, there.server.table, number)


def test_rows_that_servicenow_hides_end_no_listing(settings, monkeypatch):
    monkeypatch.setattr("catalogue.cmdbs.servicenow.PAGE", 2)
    server = ServiceNowServer()
    numbers = [server.make(f"vm-{n}") for n in range(8)]
    server.hidden = set(numbers[1:5])
    with tool_server(server) as running:
        there = There(server, running, settings)
        assert there.read().problem == "" and names() == ["vm-0", "vm-5", "vm-6", "vm-7"]
        asked = [one.query for one in running.asked if one.path.endswith(CI)]
        assert all(one["sysparm_query"].endswith("ORDERBYsys_id") for one in asked)


def test_servicenow_takes_a_token_in_place_of_a_password(settings):
    server = ServiceNowServer()
    with tool_server(server) as running, Client() as client:
        there = There(server, running, settings)
        talk = there.talk(client, token="oauth.token")
        with pytest.raises(NotAnswered, match="Check the account and its token"):
            there.connector.page(talk, CI, after="", since=None)
        assert running.asked[-1].headers["authorization"] == "Bearer oauth.token"


def test_a_refusal_that_itop_tells_with_status_200_is_one(settings):
    server = ItopServer()
    number = server.make("pacs-01")
    server.may_update = False
    with tool_server(server) as running, Client() as client:
        there = There(server, running, settings)
        talk = there.talk(client)
        item = there.connector.read(talk, server.table, number)
        with pytest.raises(NotAnswered, match=r"enough permissions.*code 1"):
            there.connector.write(talk, item, {"backup_status": "degraded"})
        server.may_update = True
        with pytest.raises(NotAnswered, match=r"Unknown attribute.*every column"):
            there.connector.write(talk, item, {"no_such_column": "x"})
        with pytest.raises(NotAnswered, match="no class of iTop"):
            there.connector.page(talk, "Server WHERE 1", after="", since=None)


def test_a_session_of_glpi_that_ends_is_opened_again_and_closed_at_the_end(settings):
    server = GlpiServer()
    for n in range(3):
        server.make(f"vm-{n}")
    with tool_server(server) as running:
        there = There(server, running, settings)
        left = iter(range(1))

        def before(asked):
            if asked.path.endswith("/Computer/") and next(left, None) is not None:
                server.sessions.clear()

        server.before = before
        assert there.read().problem == "" and len(names()) == 3
        asked = [one.path for one in running.asked]
        assert asked.count("/apirest.php/initSession") == 2 and asked[-1].endswith("killSession") and not server.sessions


def test_glpi_makes_a_row_of_additional_fields_once_and_needs_the_block(settings):
    server = GlpiServer()
    number = server.make("pacs-01")
    with tool_server(server) as running, Client() as client:
        there = There(server, running, settings)
        talk = there.talk(client)
        for value in ("degraded", "operational"):
            item = there.connector.read(talk, server.table, number)
            there.connector.write(talk, item, {"backup.statusfield": value, "comment": "Backed up"})
        assert [row["statusfield"] for row in server.types[BLOCK].values()] == ["operational"]
        assert server.types["Computer"][int(number)]["comment"] == "Backed up"
        del server.types[BLOCK]
        item = there.connector.read(talk, server.table, number)
        assert "status" not in item.fields, "a type without the block has no such columns"
