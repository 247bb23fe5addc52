"""External catalogues over documented payloads, on a local HTTP server: told once, in order, again after a refusal, never doubled.

The stand-ins answer as ServiceNow's Table API and iTop's REST/JSON 1.3 are documented; no real instance was asked.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from urllib.parse import parse_qs

import pytest

from catalogue import presets, propagating, retiring, status, telling_outward
from catalogue.models import ExternalCatalogue, Publication, Relation, Service
from itsm_backup.common import outbox
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import Notice, because
from tests.admin_forms import change_url, filled, make_staff, signed_in, url
from tests.catalogue.makers import NOON, make_approver, make_author, make_service
from tests.toolserver import Asked, Says, tool_server

pytestmark = [pytest.mark.django_db, pytest.mark.tested("documented")]
MINUTE = dt.timedelta(minutes=1)


class ServiceNow:
    """Table API: rows by sys_id, queries by correlation_id, {"result": …}, errors as {"error": {"message": …}}."""

    kind, password = "servicenow", "s3cret"

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = {}
        self.refuse: Says | None = None

    def __call__(self, asked: Asked) -> Says:
        if self.refuse:
            return self.refuse
        if asked.headers.get("authorization") != "Basic " + base64.b64encode(b"backup:s3cret").decode():
            return Says(
                401, {"error": {"message": "User Not Authenticated", "detail": "Required to provide Auth information"}, "status": "failure"}
            )
        if asked.method == "GET":
            wanted = asked.query["sysparm_query"].removeprefix("correlation_id=")
            return Says(200, {"result": [{"sys_id": key} for key, row in self.rows.items() if row["correlation_id"] == wanted]})
        if asked.method == "POST":
            number = f"{len(self.rows):032x}"
            self.rows[number] = asked.json
            return Says(201, {"result": {"sys_id": number, **asked.json}})
        self.rows[asked.path.rsplit("/", 1)[1]].update(asked.json)
        return Says(200, {"result": {"sys_id": asked.path.rsplit("/", 1)[1]}})


class ITop:
    """REST/JSON 1.3: one address, form field json_data, status 200 with a code for every refusal."""

    kind, password = "itop", "s3cret"

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = {}
        self.refuse: Says | None = None

    def __call__(self, asked: Asked) -> Says:
        form = {key: values[0] for key, values in parse_qs(asked.body).items()}
        if self.refuse:
            return self.refuse
        if (form["auth_user"], form["auth_pwd"]) != ("backup", "s3cret"):
            return Says(200, {"code": 1, "message": "Error: Invalid login"})
        told = json.loads(form["json_data"])
        if told["operation"] == "core/get":
            found = [key for key, row in self.rows.items() if row["name"] == told["key"]["name"]]
            return self._objects(found, told)
        key = told.get("key") or str(len(self.rows) + 1)
        self.rows.setdefault(key, {}).update(told["fields"])
        return self._objects([key], told)

    def _objects(self, keys: list[str], told: dict) -> Says:
        rows = {
            f"{told['class']}::{key}": {"code": 0, "message": "", "class": told["class"], "key": key, "fields": {"id": key}} for key in keys
        }
        return Says(200, {"objects": rows or None, "code": 0, "message": f"Found: {len(keys)}"})


@pytest.fixture(params=[ServiceNow, ITop], ids=lambda each: each.kind)
def there(request, settings):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    stand_in = request.param()
    with tool_server(stand_in) as server:
        row = ExternalCatalogue(
            name="Group catalogue", kind=stand_in.kind, address=server.address, account="backup", secrets={"password": stand_in.password}
        )  # fmt: skip
        presets.furnish(row)
        row.full_clean()
        with because("test"):
            row.save()
        stand_in.catalogue, stand_in.server = row, server
        yield stand_in


def told(at: dt.datetime) -> tuple[int, int]:
    return telling_outward.notice_changes(at=at), telling_outward.send(at=at)


@pytest.mark.req("2.4")
def test_what_a_provider_does_to_it_is_told_beside_its_own_status(there):
    make_service("pacs", name="Imaging archive")
    provider = make_service("san", name="Storage")
    with because("test"):
        Relation.objects.create(
            consumer=Service.objects.get(code="pacs"), provider=provider, kind="depends_on", strength="hard", valid_from=NOON - MINUTE
        )
    status.change(service=Service.objects.get(code="pacs"), to="operational", reason="Test", evaluation=None, at=NOON)
    status.change(service=provider, to="outage", reason="Test", evaluation=None, at=NOON)
    propagating.propagate(at=NOON)
    assert told(NOON + MINUTE) == (2, 2)
    columns = {source: column for column, source in there.catalogue.mapping.items()}
    row = next(row for row in there.rows.values() if row["name"] == "Imaging archive")
    assert [row[columns[one]] for one in ("status", "affected", "affected_by")] == ["operational", "outage", "san"]
    assert told(NOON + 2 * MINUTE) == (0, 0)
    status.change(service=provider, to="operational", reason="Test", evaluation=None, at=NOON + 2 * MINUTE)
    propagating.propagate(at=NOON + 2 * MINUTE)
    assert told(NOON + 3 * MINUTE) == (2, 2), "the cause and what it reached"
    row = next(row for row in there.rows.values() if row["name"] == "Imaging archive")
    assert [row[columns[one]] for one in ("status", "affected", "affected_by")] == ["operational", "", ""]


def test_entries_and_status_follow_and_nothing_is_sent_twice(there):
    service = make_service("pacs", rpo_s=14_400)
    assert told(NOON) == (1, 1)
    (row,) = there.rows.values()
    assert row["name"] == "Service pacs" and "14400" in row.values() and "unknown" in row.values()
    assert told(NOON + MINUTE) == (0, 0), "nothing changed, nothing is said"
    status.change(service=service, to="degraded", reason="Test", evaluation=None, at=NOON + MINUTE)
    assert told(NOON + 2 * MINUTE) == (1, 1)
    make_service("pacs", at=NOON + 2 * MINUTE, rpo_s=7_200)
    assert told(NOON + 3 * MINUTE) == (1, 1)
    (row,) = there.rows.values()
    assert "degraded" in row.values() and "7200" in row.values()
    publication = Publication.objects.get()
    assert (publication.accepted, publication.answer, publication.version.number) == (True, "The row was changed.", 2)
    assert publication.external_id == next(iter(there.rows))


@pytest.mark.req("1.5")
def test_an_entry_that_leaves_is_told_with_its_day_and_is_over_there_at_the_end(there):
    service, day = make_service("pacs"), NOON + dt.timedelta(days=3)
    status.change(service=service, to="operational", reason="Test", evaluation=None, at=NOON)
    assert told(NOON) == (1, 1)
    columns = {source: column for column, source in there.catalogue.mapping.items()}

    def says(*sources):
        (row,) = there.rows.values()
        return [row[columns[one]] for one in sources]

    assert says("lifecycle", "leaves_at", "status") == ["catalogue", "", "operational"]
    asked = retiring.ask(service=service, ends_at=day, by=make_author(), at=NOON + MINUTE, reason="Replaced")
    assert told(NOON + MINUTE) == (0, 0), "nothing is decided yet"
    retiring.approve(retirement=asked, by=make_approver(), at=NOON + 2 * MINUTE)
    assert told(NOON + 2 * MINUTE) == (1, 1)
    assert says("lifecycle", "leaves_at", "status") == ["pending_retirement", f"{day:%Y-%m-%d %H:%M:%S}", "operational"]
    assert told(NOON + 3 * MINUTE) == (0, 0)
    there.refuse = Says(503, {"error": {"message": "down"}})
    status.change(service=service, to="degraded", reason="Test", evaluation=None, at=day - MINUTE)
    assert told(day - MINUTE) == (1, 0)
    there.refuse = None
    assert retiring.retire_due(at=day) == 1
    assert telling_outward.waiting(there.catalogue, day) == 1
    assert told(day) == (1, 1), "what waited is not sent any more"
    assert says("lifecycle", "leaves_at", "status") == ["retired", f"{day:%Y-%m-%d %H:%M:%S}", "retired"]
    assert there.kind != "itop" or says("stage") == ["obsolete"]
    status.change(service=service, to="outage", reason="Test", evaluation=None, at=day + MINUTE)
    assert told(day + MINUTE) == (0, 0), "it is over"
    telling_outward.tell_again(catalogue=there.catalogue, at=day + MINUTE)
    assert told(day + 2 * MINUTE) == (1, 1)


@pytest.mark.req("1.5")
def test_a_retirement_that_is_called_off_is_taken_back_there_and_what_was_never_told_is_not_made(there):
    service, never = make_service("pacs"), make_service("old")
    retiring.approve(
        retirement=retiring.ask(service=never, ends_at=NOON + MINUTE, by=make_author(), at=NOON, reason="Gone"),
        by=make_approver(), at=NOON + MINUTE,
    )  # fmt: skip
    asked = retiring.ask(service=service, ends_at=NOON + dt.timedelta(days=3), by=make_author(), at=NOON, reason="Replaced")
    retiring.approve(retirement=asked, by=make_approver(), at=NOON + MINUTE)
    assert told(NOON + MINUTE) == (1, 1)
    retiring.call_off(retirement=asked, by=make_approver(), at=NOON + 2 * MINUTE, reason="Still needed")
    assert told(NOON + 2 * MINUTE) == (1, 1)
    (row,) = there.rows.values()
    assert "catalogue" in row.values() and "pending_retirement" not in row.values()


def test_a_sender_that_dies_after_the_row_was_made_makes_no_second_one(there):
    make_service("pacs")
    telling_outward.notice_changes(at=NOON)
    (notice,) = outbox._claim(NOON, "catalogue")
    telling_outward._deliver(notice, NOON)
    Publication.objects.update(external_id="", accepted=None)  # as if it had died before it could write down the answer
    later = NOON + outbox.CLAIM + MINUTE
    assert telling_outward.send(at=later) == 1
    assert len(there.rows) == 1 and Publication.objects.get().answer == "The row was changed."


def test_a_refusal_is_told_with_what_to_do_and_tried_again_until_it_is_taken(there):
    make_service("pacs")
    with because("test"):
        there.catalogue.secrets = {"password": "wrong"}
        there.catalogue.save()
    assert told(NOON) == (1, 0)
    publication = Publication.objects.select_related("notice").get()
    assert publication.accepted is False and ("Check account and password" in publication.answer or "Invalid login" in publication.answer)
    assert publication.notice.attempts == 1 and publication.notice.not_before > NOON
    assert "wrong" not in publication.answer + publication.notice.body + publication.notice.latest_error
    with because("test"):
        there.catalogue.secrets = {"password": "s3cret"}
        there.catalogue.save()
    assert told(NOON + 10 * MINUTE) == (0, 1)
    assert Publication.objects.get().accepted is True


def test_what_is_newer_takes_the_place_of_what_could_not_be_sent(there):
    service = make_service("pacs")
    there.refuse = Says(503, {"error": {"message": "down"}})
    assert told(NOON) == (1, 0)
    status.change(service=service, to="outage", reason="Test", evaluation=None, at=NOON + MINUTE)
    there.refuse = None
    assert told(NOON + 2 * MINUTE) == (1, 1)
    (row,) = there.rows.values()
    assert "outage" in row.values()
    assert list(Notice.objects.order_by("pk").values_list("given_up_at", "sent_at")) == [
        (NOON + 2 * MINUTE, None),
        (None, NOON + 2 * MINUTE),
    ]


def test_an_answer_of_another_form_is_a_refusal_and_mails_go_on(there):
    make_service("pacs")
    there.refuse = Says(200, {"something": "else"})
    outbox.write(key="mail", thread="mail", recipient="a@example.org", subject="Mail", body="Mail", at=NOON)
    assert told(NOON) == (1, 0)
    assert Publication.objects.get().accepted is False
    sent = []
    assert outbox.send_waiting(at=NOON, deliver=lambda notice: sent.append(notice.key)) == 1
    assert sent == ["mail"], "each channel has its own way out"


def test_an_address_that_was_not_allowed_is_never_asked(there, settings):
    settings.TOOL_ADDRESSES = Allowed("cmdb.example.org")
    make_service("pacs")
    before = len(there.server.asked)
    assert told(NOON) == (1, 0)
    assert len(there.server.asked) == before
    assert "TOOL_ADDRESSES" in Publication.objects.get().answer


def test_another_mapping_tells_everything_again(there):
    make_service("pacs", supplier="Archive Ltd")
    told(NOON)
    with because("test"):
        there.catalogue.mapping = {**there.catalogue.mapping, "u_supplier": "supplier"}
        there.catalogue.save()
    assert told(NOON + MINUTE) == (1, 1)
    assert next(iter(there.rows.values()))["u_supplier"] == "Archive Ltd"
    assert telling_outward.tell_again(catalogue=there.catalogue, at=NOON) == 1
    assert told(NOON + 2 * MINUTE) == (1, 1)


def test_two_rows_with_one_key_are_left_to_a_person(settings):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    stand_in = ServiceNow()
    stand_in.rows = {"1": {"correlation_id": "pacs"}, "2": {"correlation_id": "pacs"}}
    with tool_server(stand_in) as server, because("test"):
        row = ExternalCatalogue(name="X", kind="servicenow", address=server.address, account="backup", secrets={"password": "s3cret"})
        presets.furnish(row)
        row.save()
        make_service("pacs")
        assert told(NOON) == (1, 0)
    assert "Two rows bear the correlation_id pacs" in Publication.objects.get().answer
    assert stand_in.rows["1"] == {"correlation_id": "pacs"}


@pytest.mark.parametrize(
    ("mapping", "words"),
    [({"correlation_id": "code", "x": "colour"}, "takes colour, which no entry has"), ({"name": "name"}, "correlation_id is missing")],
)
def test_a_mapping_that_cannot_be_is_refused(mapping, words):
    assert any(words in told for told in presets.problems_of(mapping, "servicenow"))


def test_the_admin_shows_mapping_and_answers_and_never_the_password(there):
    make_service("pacs")
    told(NOON)
    client = signed_in(make_staff("catalogue.view_externalcatalogue", "catalogue.change_externalcatalogue", "catalogue.view_service"))
    page = client.get(change_url(there.catalogue))
    text = page.content.decode()
    assert "correlation_id: code" in text or "backup_code: code" in text
    assert "The row was made." in text and "s3cret" not in text
    sent = client.post(change_url(there.catalogue), filled(page, mapping="name: colour", change_reason="Test"))
    assert "takes colour, which no entry has" in sent.content.decode()
    kept = client.post(change_url(there.catalogue), filled(page, account="other", change_reason="Test"))
    assert kept.status_code == 302
    there.catalogue.refresh_from_db()
    assert (there.catalogue.account, there.catalogue.secrets) == ("other", {"password": "s3cret"})
    reader = signed_in(make_staff("catalogue.view_service", name="reader"))
    assert reader.get(change_url(there.catalogue)).status_code in (302, 403)
    assert reader.get(url(ExternalCatalogue, "add")).status_code == 403


def test_looking_for_changes_asks_as_often_for_many_entries_as_for_few(there, django_assert_max_num_queries):
    for n in range(12):
        make_service(f"SVC-{n}")
    assert telling_outward.notice_changes(at=NOON) == 12
    with django_assert_max_num_queries(3):
        assert telling_outward.notice_changes(at=NOON + MINUTE) == 0
