"""What stands behind a promise through the API: agreements, impact analyses, checks, deviations; the past, rights, and many rows."""

import datetime as dt
import json
from decimal import Decimal

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue import agreeing, deviating, publishing
from catalogue.models import Agreement, Deviation, Service
from itsm_backup.common.models import because
from itsm_backup.common.time import iso, now
from tests.catalogue.makers import make_approver, make_author, make_draft, make_service, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.4")]
HOUR, DAY = 3_600, dt.timedelta(days=1)
CODE = "COMMITMENT_WEAKER_THAN_SLA"


def call(user, method, address, **body):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    sent = json.dumps(body) if body else ""
    return client.generic(method.upper(), f"/api/v1/{address}", sent, content_type="application/json")


def told(user, address):
    answer = call(user, "get", address)
    assert answer.status_code == 200, answer.content
    return answer.json()


def agree(service, at, *, rpo_s=12 * HOUR, name="Radiology SLA"):
    """The service keeps a new agreement that asks for more than its 26 h."""
    author, boss = make_author(), make_user("boss", "catalogue.approve_service")
    with because("test"):
        agreement, _ = Agreement.objects.get_or_create(kind="sla", name=name, defaults={"party": "Radiology"})
    said = {"by": author, "at": at, "reason": "Signed"}
    row = agreeing.draft_agreement(agreement=agreement, content={"from_on": at.date(), "rpo_s": rpo_s}, **said)
    return agreeing.approve(row=row, by=boss, at=at, reason="Signed")


@pytest.fixture
def people():
    for name in ("author", "approver"):
        make_user(name, is_staff=True)
    return make_author(), make_approver()


@pytest.fixture
def service(people):
    """In force for two days, and since yesterday it keeps an agreement that asks for more, in a draft."""
    made = make_service(at=now() - 2 * DAY)
    agree(made, now() - DAY)
    content = {"reason": "SLA", "content": {"sla": "Radiology SLA"}}
    assert call(people[0], "post", "services/pacs/versions/", **content).status_code == 201
    return made


def reader_of(service, name="reader"):
    reader = make_user(name)
    assign_perm("catalogue.view_service", reader, service)
    return reader


def test_a_version_names_its_agreement_with_the_version_and_takes_it_back_as_it_was_read(service, people):
    agree(service, now(), rpo_s=8 * HOUR)
    read = call(people[0], "get", "services/pacs/versions/2/")
    assert read.json()["content"]["sla"] == "Radiology SLA, version 1", "a newer version is no version that the entry named"
    client = Client(headers={"If-Match": read["ETag"]})
    client.force_login(people[0], backend="django.contrib.auth.backends.ModelBackend")
    body = {"reason": "As it was", "content": {"sla": read.json()["content"]["sla"]}}
    kept = client.patch("/api/v1/services/pacs/versions/2/", json.dumps(body), content_type="application/json")
    assert (kept.status_code, kept["ETag"]) == (200, read["ETag"])
    body["content"]["sla"] = "Radiology SLA, version 9"
    refused = client.patch("/api/v1/services/pacs/versions/2/", json.dumps(body), content_type="application/json")
    assert refused.status_code == 400 and "There is no sla Radiology SLA, version 9." in refused.json()["detail"]


def test_agreements_are_read_with_their_versions_and_who_keeps_them(service, people):
    author, _ = people
    person = make_user("clerk", "catalogue.view_agreement", "catalogue.view_agreementversion")
    (row,) = told(person, "agreements/?kind=sla&q=radio")["results"]
    assert (row["name"], row["party"], [each["rpo_s"] for each in row["versions"]]) == ("Radiology SLA", "Radiology", [12 * HOUR])
    agreeing.draft_agreement(
        agreement=Agreement.objects.get(), content={"from_on": now().date(), "rpo_s": HOUR}, by=author, at=now(), reason="Soon"
    )
    assert [each["state"] for each in told(person, f"agreements/{row['id']}/")["versions"]] == ["approved"], "a draft is its author's"
    assert [each["state"] for each in told(author, f"agreements/{row['id']}/")["versions"]] == ["draft", "approved"]
    assert told(person, f"agreements/?as_of={iso(now() - 2 * DAY)}")["count"] == 0
    assert call(person, "get", "agreements/?kind=slo").status_code == 400
    assert told(person, f"agreements/{row['id']}/")["services"] == [], "the entry that names it is a draft, and out of sight"


def test_who_sees_an_entry_reads_what_stands_behind_it_and_a_stranger_nothing(service, people):
    author, approver = people
    bounds = {"mtpd_s": 8 * HOUR, "tolerated_loss_s": 24 * HOUR, "wrt_s": 2 * HOUR, "review_due_on": (now() + 90 * DAY).date()}
    row = agreeing.draft_analysis(service=service, content=bounds, by=author, at=now() - DAY, reason="Asked the wards")
    reader, stranger = reader_of(service), make_user("stranger")
    assert told(reader, "impact-analyses/")["count"] == 0, "what is being written is for those who work on the entry"
    assert told(author, "impact-analyses/?state=draft&service=pacs")["count"] == 1
    agreeing.approve(row=row, by=approver, at=now(), reason="Agreed")
    (read,) = told(reader, "impact-analyses/")["results"]
    assert (read["service"], read["mtpd_s"], read["author"], read["approver"]) == ("pacs", 8 * HOUR, "author", "approver")
    assert told(reader, f"impact-analyses/?as_of={iso(now() - DAY / 2)}")["count"] == 0
    assert told(reader, "agreements/")["count"] == 0, "no version in force names it yet"
    for address in (f"impact-analyses/{row.pk}/", f"agreements/{Agreement.objects.get().pk}/", "services/pacs/checks/"):
        assert call(stranger, "get", address).status_code == 404, address
    assert call(author, "get", f"impact-analyses/{row.pk}/").json() == {**read, "etag": agreeing.hash_of(row)}
    assert call(reader, "get", "impact-analyses/?state=agreed").status_code == 400


def test_a_service_tells_its_whole_promise_its_packages_and_agreements(people):
    author, approver = people
    at = now() - DAY
    version = make_draft("erp", at=at, kind="supporting_service", regulations=["KRITIS"], sla=agree(None, at), rpo_s=6 * HOUR)
    gold = {"name": "Gold", "price": "120 a month", "rpo_s": 6 * HOUR, "rto_s": None, "retention_days": None, "success_rate": None}
    promise = {"immutability_days": 14, "encryption": "everywhere", "copy_scheme": "3-2-1-1-0", "rpo_attainment_rate": Decimal("0.99")}
    promise["measurement_calendar"] = "Mon-Fri"
    publishing.edit_draft(version=version, content={}, commitment=promise, offerings=[gold], by=author, at=at, reason="x")
    publishing.submit(version=version, by=author, at=at, announce=False)
    publishing.approve(version=version, by=approver, at=at)
    make_service("pacs", at=at)
    (row,) = told(author, "services/?kind=supporting_service")["results"]
    assert (row["code"], row["kind"]) == ("erp", "supporting_service")
    assert told(author, "services/?kind=business_service,backup_service")["count"] == 1
    assert call(author, "get", "services/?kind=car").status_code == 400
    one = told(author, "services/erp/")
    assert {**one["commitment"], **promise, "rpo_attainment_rate": 0.99} == one["commitment"]
    assert (one["offerings"], one["regulations"]) == ([gold], ["KRITIS"])
    assert [(each["kind"], each["name"], each["version"]) for each in one["agreements"]] == [("sla", "Radiology SLA", 1)]
    before = told(author, f"services/erp/?as_of={iso(at - DAY)}")
    assert (before["version"], before["offerings"], before["agreements"], before["commitment"]) == (None, [], [], None)


def test_checks_say_what_stops_a_version_and_which_deviation_bears_it(service, people):
    author, approver = people
    reader = reader_of(service)
    inforce = told(reader, "services/pacs/checks/")
    assert (inforce["version"], inforce["holds"], inforce["agreements"], inforce["checks"]) == (1, True, [], [])
    draft = told(author, "services/pacs/checks/?version=2")
    (check,) = draft["checks"]
    assert (draft["holds"], check["code"], check["state"], check["deviation"]) == (False, CODE, "stops", None)
    assert [(each["name"], each["version"]) for each in draft["agreements"]] == [("Radiology SLA", 1)]
    assert call(reader, "get", "services/pacs/checks/?version=2").status_code == 404, "a draft is for those who work on it"
    assert call(author, "get", "services/pacs/checks/?version=x").status_code == 400
    asked = {"service": "pacs", "code": CODE, "owner": "author", "expires_on": f"{now() + 9 * DAY:%Y-%m-%d}", "reason": "New array"}
    made = call(author, "post", "deviations/", **asked)
    assert (made.status_code, made.json()["state"], made.json()["bears"]) == (201, "asked", None)
    assert call(approver, "post", f"deviations/{made.json()['id']}/grant", reason="Until the array is here").json()["state"] == "granted"
    (check,) = told(author, "services/pacs/checks/?version=2")["checks"]
    assert (check["state"], check["deviation"]) == ("borne", made.json()["id"])
    then = told(author, f"services/pacs/checks/?as_of={iso(now() - 3 * DAY)}")
    assert (then["version"], then["holds"], then["checks"]) == (None, None, [])


def test_a_deviation_is_asked_for_decided_and_taken_back_by_those_who_may(service, people):
    author, approver = people
    reader, until = reader_of(service), f"{now() + 9 * DAY:%Y-%m-%d}"
    asked = {"service": "pacs", "code": CODE, "owner": "author", "expires_on": until, "reason": "New array"}
    assert call(reader, "post", "deviations/", **asked).status_code == 403
    late = call(author, "post", "deviations/", **{**asked, "expires_on": "2020-01-01"})
    assert late.status_code == 409 and "is over already" in late.json()["detail"]
    assert call(author, "post", "deviations/", **{**asked, "owner": "nobody"}).status_code == 400
    pk = call(author, "post", "deviations/", **asked).json()["id"]
    own = call(author, "post", f"deviations/{pk}/grant", reason="Mine")
    assert own.status_code == 403 and "cannot grant it. approver or boss can." in own.json()["detail"]
    assert call(reader, "post", f"deviations/{pk}/end", reason="No").status_code == 403
    before = now()
    granted = call(approver, "post", f"deviations/{pk}/grant", reason="For nine days")
    assert (granted.status_code, granted.json()["approver"]) == (200, "approver")
    again = call(approver, "post", f"deviations/{pk}/grant", reason="Again")
    assert again.status_code == 409 and "was decided on already" in again.json()["detail"]
    then = told(reader, f"deviations/{pk}/?as_of={iso(before)}")
    assert (then["state"], then["approver"], then["granted_at"]) == ("asked", None, None), "the past does not know who granted it"
    assert call(approver, "post", f"deviations/{pk}/end", reason="The array is here").json()["state"] == "taken_back"
    assert [row["id"] for row in told(reader, f"deviations/?state=taken_back&code={CODE}&service=pacs")["results"]] == [pk]
    assert told(reader, "deviations/?state=granted")["count"] == 0 and call(reader, "get", "deviations/?state=open").status_code == 400
    assert call(make_user("stranger"), "get", f"deviations/{pk}/").status_code == 404
    assert call(reader, "get", f"deviations/{pk}/?as_of={iso(now() - DAY)}").status_code == 404


INSTANTS = st.none() | st.integers(-3, 3)


@given(granted=INSTANTS, ended=INSTANTS, expires=st.integers(-3, 3), at=st.integers(-3, 3))
@settings(max_examples=60, deadline=None)
def test_the_state_that_is_asked_for_is_the_state_that_is_told(granted, ended, expires, at):
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    person, other = make_user("asker"), make_user("granter")
    found = Service.objects.filter(code="state").first()
    service = found or publishing.create_service(code="state", by=person, at=noon, reason="New")
    with because("test"):
        row = Deviation.objects.create(
            service=service, code=CODE, reason="x", owner=person, asked_by=person, asked_at=noon - 9 * DAY,
            expires_on=(noon + expires * DAY).date(), approver=None if granted is None else other,
            granted_at=None if granted is None else noon + granted * DAY, ended_at=None if ended is None else noon + ended * DAY,
        )  # fmt: skip
    moment = noon + at * DAY
    state = deviating.state_of(row, moment)
    if granted is not None and ended is not None and ended <= at:
        assert state == "taken back"
    assert [each for each in deviating.STATES if Deviation.objects.filter(deviating.in_state(each, moment), pk=row.pk)] == [state]


def test_lists_ask_as_often_for_many_rows_as_for_few(service, people, django_assert_max_num_queries):
    author, approver = people
    client = Client()
    client.force_login(make_user("boss", "catalogue.view_service", "catalogue.view_deviation", "catalogue.view_impactanalysis",
                                 "catalogue.view_agreement", "catalogue.view_agreementversion"),
                       backend="django.contrib.auth.backends.ModelBackend")  # fmt: skip

    def add(number):
        made = make_service(f"more-{number}", at=now() - DAY)
        bounds = {"mtpd_s": 8 * HOUR, "tolerated_loss_s": 24 * HOUR, "review_due_on": (now() + 90 * DAY).date()}
        agreeing.approve(
            row=agreeing.draft_analysis(service=made, content=bounds, by=author, at=now(), reason="x"), by=approver, at=now(), reason="x"
        )
        deviating.ask(service=made, code=CODE, owner=author, expires_on=now().date(), by=author, at=now(), reason="x")
        agree(made, now(), name=f"SLA {number}")

    add(0)
    lists = ("deviations/", "impact-analyses/", "agreements/")
    counts = {}
    for address in lists:
        with django_assert_max_num_queries(12) as few:
            assert client.get(f"/api/v1/{address}").status_code == 200
        counts[address] = len(few.captured_queries)
    for number in range(1, 8):
        add(number)
    for address in lists:
        with django_assert_max_num_queries(counts[address]):
            assert client.get(f"/api/v1/{address}").json()["count"] >= 8, address
