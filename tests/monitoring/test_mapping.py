"""Maps are numbered, put in force by somebody else, never change, and a trial stores nothing."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import Error, transaction

from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import because
from monitoring import mapping, polling
from monitoring.connectors.map_document import shipped
from monitoring.models import BackupRun, QuarantinedRecord, RawAnswer, ToolMap, ToolState
from tests.admin_forms import change_url, make_staff, signed_in, url
from tests.factories import make_admin, make_tool, make_user
from tests.monitoring.connectors.test_mapped import BARE, ROW
from tests.recordings import RECORDED
from tests.standins import STAND_INS
from tests.toolserver import Says, tool_server

pytestmark = pytest.mark.django_db
WHY = "The tool is new"


def write(name="ticketed", document=BARE, by=None, at=dt.datetime(2026, 7, 14, tzinfo=dt.UTC)):
    return mapping.draft(name=name, document=document, by=by or make_user(), at=at, reason=WHY)


def test_versions_are_numbered_and_one_is_in_force(noon):
    approver = make_admin()
    first, second = write(), write()
    assert (first.number, second.number, mapping.document_in_force("ticketed")) == (1, 2, "")
    mapping.approve(row=first, by=approver, at=noon, reason=WHY)
    mapping.approve(row=second, by=approver, at=noon, reason=WHY)
    assert list(ToolMap.objects.order_by("number").values_list("state", flat=True)) == ["replaced", "in_force"]
    with pytest.raises(WrongState, match="already in force"):
        mapping.cancel(row=second, by=approver, at=noon, reason=WHY)


def test_the_author_approves_nothing_not_even_past_the_act(noon):
    author = make_admin("ada")
    row = write(by=author)
    with pytest.raises(NotAllowed, match="somebody else must put it in force"):
        mapping.approve(row=row, by=author, at=noon, reason=WHY)
    with pytest.raises(NotAllowed, match="You may not put"):
        mapping.approve(row=row, by=make_user(), at=noon, reason=WHY)
    row.state, row.approver, row.approved_at = "in_force", author, noon
    with pytest.raises(Error, match="toolmap_approved_by_another"), transaction.atomic(), because(WHY, by=author):
        row.save()


def test_what_a_map_says_never_changes():
    row = write()
    row.document = BARE.replace("Test", "Other")
    with pytest.raises(Error, match="never changes"), transaction.atomic(), because(WHY):
        row.save()
    with pytest.raises(Error, match="never changes"), transaction.atomic(), because(WHY):
        ToolMap.objects.get().delete()


def test_a_document_that_cannot_be_used_is_no_version():
    with pytest.raises(NotReady, match="failures too, into a good run"):
        write(document=BARE.replace("ok: success", "'*': success"))
    assert not ToolMap.objects.exists()


def test_a_tool_is_read_by_the_map_in_force_and_old_answers_by_theirs(noon, settings):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    stand_in = STAND_INS["netbackup"]()
    with tool_server(stand_in) as server:
        tool = make_tool("mapped", at=noon, settings={"map": "netbackup", "address": server.address}, secrets=stand_in.secrets)
        assert polling.poll(tool=tool, at=noon).complete
        assert BackupRun.objects.get(external_id="4002").outcome == "warning"
        stricter = write("netbackup", shipped()["netbackup"].replace("DONE 1: warning", "DONE 1: failed"))
        mapping.approve(row=stricter, by=make_admin(), at=noon, reason=WHY)
        polling.poll(tool=tool, at=noon + dt.timedelta(minutes=15))
    run = BackupRun.objects.get(external_id="4002")
    assert (run.outcome, run.revisions.count()) == ("failed", 1)
    from monitoring import answers

    first = RawAnswer.objects.order_by("pk").first()
    _, kept = answers.open_answer(first.pk)
    assert "DONE 1: warning" in kept.meta["document"]


def test_a_map_that_is_not_there_is_told(noon, settings):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    with tool_server(lambda asked: Says()) as server:
        tool = make_tool("mapped", at=noon, settings={"map": "nothing", "address": server.address})
        assert not polling.poll(tool=tool, at=noon).complete
    assert ToolState.objects.get(tool=tool).problem == "There is no map nothing in force."


def test_a_trial_tells_what_was_not_understood_and_stores_nothing():
    rows = [ROW, {**ROW, "id": 8, "state": "Odd"}, {**ROW, "id": None}, {**ROW, "id": 9, "size": "?", "extra": {"site": "B"}}]
    trial = mapping.attempt(document=BARE.replace("job: job", "job: job, target: host"), answer=json.dumps({"data": rows}))
    assert [one.external_id for one in trial.records] == ["7", "8", "9"] and len(trial.rejects) == 1
    assert dict(trial.notes) == {"status “Odd” is not in statuses: the outcome is unknown": 1, "“?” at size is no number": 1}
    assert trial.missing == ["host"] and trial.unused == []
    assert mapping.attempt(document=BARE, answer="[").problem.startswith("The answer cannot be read")
    assert "no list at data" in mapping.attempt(document=BARE, answer="{}").problem
    assert "produkt" in mapping.attempt(document=BARE.replace("product", "produkt"), answer="{}").problem
    assert not (RawAnswer.objects.exists() or QuarantinedRecord.objects.exists() or ToolMap.objects.exists())


def test_the_page_tries_keeps_and_lets_somebody_else_put_in_force(noon):
    writer = signed_in(make_staff("monitoring.view_toolmap", "monitoring.add_toolmap", name="wanda"))
    page = url(ToolMap, "try")
    assert "Veritas NetBackup" in writer.get(page + "?start=netbackup").content.decode()
    shown = writer.post(page, {"document": BARE, "answer": json.dumps({"data": [ROW, {**ROW, "id": 8, "state": "Odd"}]})}).content.decode()
    assert "2 runs" in shown and "Status “Odd” is not in statuses" in shown and "nightly" in shown
    assert "This field is required" in writer.post(page, {"document": "", "answer": ""}).content.decode()
    assert not ToolMap.objects.exists()
    bad = writer.post(url(ToolMap, "add"), {"name": "ticketed", "document": "map: 2", "change_reason": WHY}).content.decode()
    assert "The document does not fit" in bad
    assert writer.post(url(ToolMap, "add"), {"name": "ticketed", "document": BARE, "change_reason": WHY}).status_code == 302
    row = ToolMap.objects.get()
    assert (row.number, row.state, row.author.username) == (1, "draft", "wanda")
    assert (
        "somebody else must put it in force" in writer.post(url(ToolMap, "act", row.pk, "approve"), {"change_reason": WHY}).content.decode()
    )
    approver = signed_in(make_staff("monitoring.view_toolmap", "monitoring.approve_toolmap", name="anna"))
    assert "Put ticketed version 1 in force" in approver.get(change_url(row)).content.decode()
    assert approver.post(url(ToolMap, "act", row.pk, "approve"), {"change_reason": WHY}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.approver.username) == ("in_force", "anna")
    assert signed_in(make_staff("monitoring.view_tool")).get(page).status_code == 403


def test_a_tool_that_posts_by_itself_is_read_by_its_map(client, noon, caplog):
    tool = make_tool("mapped", at=noon, settings={"map": "duplicati"}, ping_key="the-secret-address")
    reports = [json.loads((RECORDED / f"mapped/duplicati/0{number}-list.json").read_text()) for number in range(3)]
    page = "/api/v1/reports/the-secret-address"
    for report in reports:
        assert client.post(page, json.dumps(report), content_type="application/json").status_code == 200
    again = client.post(page, json.dumps(reports[0]), content_type="application/json").json()
    assert (again["stored"], again["unchanged"]) == (0, 1)
    assert sorted(BackupRun.objects.values_list("outcome", flat=True)) == ["failed", "success", "warning"]
    assert client.post(page, json.dumps({"Data": {}}), content_type="application/json").status_code == 200  # no operation: left out
    assert client.post(page, json.dumps({"Data": {"MainOperation": "Backup"}}), content_type="application/json").status_code == 207
    refused = client.post(page, "{", content_type="application/json")
    assert refused.status_code == 400 and "cannot be read" in refused.json()["detail"]
    assert client.get(page).status_code == 405
    assert client.post("/api/v1/reports/another-address", "{}", content_type="application/json").status_code == 404
    assert "secret-address" not in caplog.text and "another-address" not in caplog.text
    with because(WHY):
        tool.enabled = False
        tool.save()
    assert client.post(page, "{}", content_type="application/json").status_code == 404
    assert polling.poll(tool=tool, at=noon).complete


def test_the_list_asks_as_much_for_many_as_for_few(django_assert_max_num_queries, noon):
    client = signed_in(make_admin())
    author = make_user()
    write(by=author)
    client.get(url(ToolMap, "changelist"))
    for _ in range(20):
        write(by=author)
    with django_assert_max_num_queries(14):
        assert client.get(url(ToolMap, "changelist")).status_code == 200
