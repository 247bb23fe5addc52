"""Pages of rules: the list, one rule, the queue, the bench and its deeds; for whoever may, and as of any instant."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from itsm_backup import journey
from monitoring import ruling
from monitoring.correlation import attribute_jobs
from monitoring.models import AttributionRule, CauseRule, RuleVersion
from tests.factories import make_job, make_rule, make_service, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def signed(person):
    client = Client()
    client.force_login(person, backend=BACKEND)
    return client


@pytest.fixture
def present():
    from itsm_backup.common.time import now

    return now().replace(second=0, microsecond=0)


@pytest.fixture
def mona(present):
    return make_person("monitoring-admin", present)


@pytest.fixture
def peter(present):
    return make_person("approver", present)


@pytest.fixture
def tool(present):
    """Two jobs of the archive, one of them mapped; a job that nothing speaks for; a failure that no rule names."""
    start = present - 9 * DAY
    tool, pacs = make_tool(at=start, name="vault"), make_service("PACS", name="Imaging archive", at=start)
    for name, host in (("pacs-nightly", "pacs01"), ("pacs-hourly", "pacs01"), ("lab", "lab01")):
        make_job(tool, name, at=start, target_name=host)
    make_rule(pacs, tool, "pacs-nightly", at=start)
    stuck = "Fatal: 7 of 9: the robot arm is stuck"
    for hours in (6, 4, 2):
        push(
            tool,
            run_record("pacs-nightly", "failed", present - hours * HOUR, native_message=stuck),
            at=present,
        )
    journey.advance(at=present)
    return tool


def form(**more):
    given = {
        "kind": "attribution", "name": "Archive", "service": "PACS", "tool": "vault", "position": "100", "enabled": "on",
        "reason": "Asked for", "field-0": "name", "operator-0": "starts_with", "value-0": "pacs-",
    }  # fmt: skip
    return given | more


def test_one_click_makes_a_draft_of_what_relatives_speak_for(tool, mona):
    client = signed(mona)
    html = client.get("/improve/unmatched/").content.decode()
    assert "2 jobs belong to no service." in html and "Protected host is pacs01 belongs to Imaging archive (PACS)" in html
    assert "1 of its jobs on pacs01 belong there" in html and "Nothing that is known speaks for a service" in html
    answer = client.post("/improve/rules/suggest", {"job": tool.jobs.get(external_id="pacs-hourly").pk}, follow=True)
    row = RuleVersion.objects.get()
    assert answer.redirect_chain[-1][0] == f"/improve/rules/versions/{row.pk}/"
    assert (row.state, row.author, row.service.code, row.plain) == ("draft", mona, "PACS", [("target_name", "equals", "pacs01")])
    assert not AttributionRule.objects.filter(name=row.name).exists()
    lonely = client.post("/improve/rules/suggest", {"job": tool.jobs.get(external_id="lab").pk}, follow=True).content.decode()
    assert "Choose the service" in lonely and RuleVersion.objects.count() == 1


def test_one_click_names_the_cause_of_what_failures_say(tool, mona, peter, present):
    client = signed(mona)
    html = client.get("/improve/unmatched/").content.decode()
    assert "the robot arm is stuck" in html
    client.post("/improve/rules/suggest", {"text": "the robot arm is stuck"})
    row = RuleVersion.objects.get()
    assert (row.kind, row.name, row.plain) == ("cause", "the-robot-arm-is-stuck", [("message", "contains", "the robot arm is stuck")])
    page = client.get(f"/improve/rules/versions/{row.pk}/").content.decode()
    assert "+3" in page and "3 failed runs behind the alerts" in page and "it says “the robot arm is stuck”" in page
    ruling.send(row=row, by=mona, at=present)
    ruling.approve(row=row, by=peter, at=present, reason="Read")
    assert CauseRule.objects.get(name=row.name).plain == row.plain


def test_a_draft_is_kept_tried_and_refused_in_words(tool, mona):
    client = signed(mona)
    refused = client.post("/improve/rules/save", form(**{"operator-0": "matches", "value-0": ".*", "position": "first", "service": "NONE"}))
    html = refused.content.decode()
    assert refused.status_code == 409 and "The position is a whole number" in html and "There is no service NONE" in html
    assert 'value=".*"' in html, "what was typed is kept"
    refused = client.post("/improve/rules/save", form(**{"operator-0": "matches", "value-0": ".*"}))
    assert refused.status_code == 409 and "takes every text" in refused.content.decode() and not RuleVersion.objects.exists()
    kept = client.post("/improve/rules/save", form(), follow=True).content.decode()
    assert (
        "+1" in kept
        and "whose job name starts with pacs- belongs to Imaging archive (PACS)" in kept
        and "You wrote Archive, version 1" in kept
    )
    assert "Put it in force" not in kept and "Send for approval" in kept
    row = RuleVersion.objects.get()
    second = {"field-1": "name", "operator-1": "is_not", "value-1": "pacs-test", "ends_on": "2099-12-31", "position": "1"}
    client.post("/improve/rules/save", form(**second))
    client.post("/improve/rules/save", form(**second, drop="0"))
    row.refresh_from_db()
    assert row.plain == [("name", "is_not", "pacs-test")] and f"{row.valid_to:%Y-%m-%d}" in ("2099-12-31", "2100-01-01")
    page = client.get(f"/improve/rules/versions/{row.pk}/").content.decode()
    assert "It takes every one of the 3 jobs" in page and 'value="2099-12-31"' in page


def test_operations_are_written_and_told_in_words(tool, mona):
    said = {"kind": "cause", "name": "logs", "title": "the log disk is full", "component": "job", "position": "100", "enabled": "on"}
    asked = {"field-0": "operation", "operator-0": "one_of", "value-0": "log backup, restore test", "reason": "Tried"}
    said |= {"field-1": "message", "operator-1": "contains", "value-1": "log disk"}
    kept = signed(mona).post("/improve/rules/save", {**said, **asked}, follow=True).content.decode()
    assert RuleVersion.objects.get().conditions[0]["value"] == "log_backup, restore_test"
    assert (
        "whose operation is one of log backup, restore test and whose message contains log disk fails because" in kept
        and "log_backup" not in kept
    )
    wrong = signed(mona).post("/improve/rules/save", {**said, **asked, "value-0": "log backups"}).content.decode()
    assert "operation: there is no log backups. Choose of: backup, copy, replicate, log backup," in wrong


def test_another_person_puts_it_in_force_and_the_list_names_the_version(tool, mona, peter, present):
    writer, reader = signed(mona), signed(peter)
    writer.post("/improve/rules/save", form())
    row = RuleVersion.objects.get()
    address = f"/improve/rules/versions/{row.pk}/"
    assert "Put it in force" not in reader.get(address).content.decode(), "it is not sent yet"
    writer.post(f"{address}send")
    row.refresh_from_db()
    page = reader.get(address).content.decode()
    assert "Put it in force" in page and "Keep as draft" not in page
    assert writer.post(f"{address}approve", {"reason": "Mine", "seen": ruling.hash_of(row)}).status_code == 403
    reader.post(f"{address}approve", {"reason": "", "seen": ruling.hash_of(row)})
    reader.post(f"{address}approve", {"reason": "Stale", "seen": "something else"})
    row.refresh_from_db()
    assert row.state == "draft"
    told = reader.post(f"{address}approve", {"reason": "Read", "seen": ruling.hash_of(row)}, follow=True).content.decode()
    assert "Archive, version 1 is in force." in told
    attribute_jobs(at=present + HOUR)
    listed = reader.get("/improve/rules/?text=arch").content.decode()
    assert f"Version 1, {peter.get_full_name()}" in listed
    rule = AttributionRule.objects.get(name="Archive")
    shown = reader.get(f"/improve/rules/attribution/{rule.pk}/").content.decode()
    assert "pacs-hourly" in shown and "Version 1" in shown and "Write the next version" not in shown
    begun = writer.get(f"/improve/rules/new/?kind=attribution&rule={rule.pk}").content.decode()
    assert 'value="pacs-"' in begun and "Nothing is kept yet" in begun


def test_the_past_shows_what_was_in_force_and_offers_nothing(tool, mona, peter, present):
    row = ruling.draft_rule(
        kind="attribution", name="Archive", by=mona, at=present, reason="x",
        content={"service": AttributionRule.objects.get().service, "conditions": [("name", "starts_with", "pacs-")]},
    )  # fmt: skip
    past = f"?as_of={present - HOUR:%Y-%m-%dT%H:%MZ}"
    client = signed(mona)
    assert "Archive" in client.get("/improve/rules/").content.decode()
    for address in ("/improve/rules/", "/improve/unmatched/"):
        html = client.get(address + past).content.decode()
        assert "Archive" not in html and "New rule" not in html and "Make this rule" not in html, address
    assert client.get(f"/improve/rules/versions/{row.pk}/{past}").status_code == 404


def test_who_sees_no_rules_is_refused_and_a_row_out_of_sight_is_not_there(tool, mona, present):
    row = ruling.draft_rule(
        kind="attribution", name="Archive", by=mona, at=present, reason="x",
        content={"service": AttributionRule.objects.get().service, "conditions": [("name", "starts_with", "pacs-")]},
    )  # fmt: skip
    stranger = signed(make_person("operator", present, services=[make_service("OTHER")]))
    assert stranger.get(f"/improve/rules/versions/{row.pk}/").status_code == 404
    assert stranger.post(f"/improve/rules/versions/{row.pk}/approve", {"reason": "x"}).status_code == 404
    assert stranger.get("/improve/rules/new/?kind=attribution").status_code == 403
    assert stranger.post("/improve/rules/save", form()).status_code in (403, 409) and RuleVersion.objects.count() == 1
    nobody = signed(make_person("executive", present))
    assert nobody.get("/improve/rules/").status_code == nobody.get("/improve/unmatched/").status_code == 403
    assert "Improve" not in nobody.get("/").content.decode().split("</nav>")[0]


def test_the_bench_asks_as_often_for_many_jobs(tool, mona, present, django_assert_max_num_queries):
    row = ruling.draft_rule(
        kind="attribution", name="Archive", by=mona, at=present, reason="x",
        content={"service": AttributionRule.objects.get().service, "conditions": [("name", "matches", "^(pacs|more)-")]},
    )  # fmt: skip
    client = signed(mona)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for number in (0, 40):
        for one in range(number):
            make_job(tool, f"more-{one}")
        for show in ("matched", "services", "near", "unmatched"):
            with CaptureQueriesContext(connection) as seen:
                assert client.get(f"/improve/rules/versions/{row.pk}/?show={show}&days=7").status_code == 200
            counts.append(len(seen.captured_queries))
    assert max(counts) == max(counts[:4]) <= 40, counts
