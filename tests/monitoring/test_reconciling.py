"""Three sides of an entry beside each other, and what a CMDB is told: under a lock, read back, never over what somebody else wrote."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue import inventorying, linking, status
from catalogue.models import Cmdb, ConfigurationItem, FieldMaster
from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup import journey
from itsm_backup.common import outbox
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import Notice, because
from monitoring import reconciling, writing_back
from monitoring.models import Agreement, Comparison, ConflictDecision, WriteBack, WriteConflict
from tests.catalogue.test_inventorying import make_cmdb
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, make_user, push, run_record
from tests.netbox import NetBoxServer
from tests.toolserver import Says, tool_server

pytestmark = [pytest.mark.django_db]
NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
VMS = "/api/virtualization/virtual-machines/"
FIELDS = ("entry", "owner", "team", "rpo_s", "jobs", "schedule", "store", "status")


@pytest.fixture
def there(settings):
    """A NetBox with one machine of one entry, whose nightly job ran."""
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    server = NetBoxServer()
    server.custom = {f"backup_{name}" for name in FIELDS}
    with tool_server(server) as running:
        server.running, server.cmdb = running, make_cmdb(running.address, writes=True)
        row = {"id": 1, "name": "pacs-01", "status": "active", "custom_fields": {}, "last_updated": "2026-07-14T10:00:00Z", "version": 1}
        server.tables[VMS][1] = row
        server.service = make_service("PACS", at=NOON - 30 * DAY, rpo_s=93_600)
        tool = make_tool(at=NOON - 30 * DAY)
        job = make_job(tool, "nightly", at=NOON - 30 * DAY, service=server.service)
        make_schedule(job, local_times="01:30", zone="UTC")
        push(tool, *(run_record("nightly", "success", NOON - n * DAY - 10 * HOUR, repository_name="NAS-02") for n in range(9)), at=NOON)
        journey.advance(at=NOON)
        server.root = make_admin("root")
        yield server


def linked(there) -> ConfigurationItem:
    inventorying.read(cmdb=there.cmdb, at=NOON)
    item = ConfigurationItem.objects.get(name="pacs-01")
    linking.link(item=item, service=there.service, by=there.root, at=NOON, reason="test")
    return item


def compared(at: dt.datetime) -> dict[str, dict]:
    Agreement.objects.update(due_at=at)
    reconciling.compare_due(at=at)
    return {row["field"]: row for row in Agreement.objects.get().comparison.rows}


def columns(there) -> dict[str, object]:
    return {name.removeprefix("backup_"): value for name, value in there.tables[VMS][1]["custom_fields"].items()}


def test_every_side_is_told_field_by_field_with_who_is_right(there):
    there.change(VMS, 1, custom_fields={"backup_owner": "L. Novak", "backup_rpo_s": "93600", "backup_store": "nas-02"})
    item = linked(there)
    rows = compared(NOON)
    version = there.service.versions.get()
    assert (rows["owner"]["catalogue"], rows["owner"]["cmdb"]) == (version.owner.username, {str(item.pk): "L. Novak"})
    assert rows["owner"]["agrees"] is False and rows["owner"]["odd"] == [str(item.pk)] and rows["owner"]["master"] == "catalogue"
    assert rows["rpo_s"]["agrees"] is True and rows["store"]["agrees"] is True, "numbers and words mean the same in any dress"
    assert rows["jobs"]["catalogue"] == rows["jobs"]["monitoring"] == ["nightly"] and rows["jobs"]["odd"] == [str(item.pk)]
    assert rows["schedule"]["catalogue"] == "Daily 01:30 UTC" and "monitoring" not in rows["schedule"]["keeps"]
    assert (rows["runs"]["catalogue"], rows["runs"]["monitoring"], rows["runs"]["agrees"]) == (7, 7, True)
    assert rows["in_use"]["agrees"] is True and rows["status"]["catalogue"] == rows["status"]["monitoring"]
    there.change(VMS, 1, status="decommissioning")
    inventorying.read(cmdb=there.cmdb, at=NOON + HOUR)
    rows = compared(NOON + HOUR)
    assert rows["in_use"]["odd"] == ["catalogue", "monitoring"], "the CMDB says whether something is in use"


def test_a_comparison_is_kept_when_something_changed_and_only_then(there):
    linked(there)
    for minutes in (0, 15, 30):
        compared(NOON + minutes * MINUTE)
    assert Comparison.objects.count() == 1 and Agreement.objects.get().compared_at == NOON + 30 * MINUTE
    status.change(service=there.service, to="outage", reason="Test", evaluation=None, at=NOON + 31 * MINUTE)
    assert reconciling.compare_due(at=NOON + 32 * MINUTE) == 1, "a new status is compared at once"
    assert Comparison.objects.count() == 2


def test_an_administrator_says_who_is_right_and_it_stays_in_the_history(there):
    there.change(VMS, 1, custom_fields={"backup_owner": "L. Novak"})
    item = linked(there)
    with because("The CMDB keeps owners", by=there.root):
        row = FieldMaster.objects.create(field="owner", master="cmdb")
    assert compared(NOON)["owner"]["odd"] == ["catalogue"]
    writing_back.send(at=NOON)
    assert columns(there)["owner"] == "L. Novak", "the master is never written over"
    assert WriteBack.objects.get().wanted.get("owner") is None and not WriteConflict.objects.filter(item=item, field="owner").exists()
    assert row.history.get().history_change_reason == "The CMDB keeps owners"


def test_empty_columns_are_written_and_read_back_and_nothing_is_said_twice(there):
    linked(there)
    compared(NOON)
    assert writing_back.send(at=NOON) == 1
    assert columns(there) == {
        "entry": "PACS", "owner": there.service.versions.get().owner.username, "team": "Storage", "rpo_s": 93_600, "jobs": "nightly",
        "schedule": "Daily 01:30 UTC", "store": "NAS-02", "status": "operational",
    }  # fmt: skip
    row = WriteBack.objects.get()
    assert (row.accepted, row.answer) == (True, "8 of 8 columns read back as said.") and row.written["jobs"] == ["nightly"]
    rows = compared(NOON + MINUTE)
    assert all(row["agrees"] is not False for row in rows.values())
    assert Notice.objects.count() == 1 and writing_back.send(at=NOON + MINUTE) == 0
    patched = [one for one in there.running.asked if one.method == "PATCH"]
    assert len(patched) == 1 and patched[0].headers["if-match"].startswith('W/"') and "changelog_message" in patched[0].json
    status.change(service=there.service, to="degraded", reason="Test", evaluation=None, at=NOON + 2 * MINUTE)
    compared(NOON + 3 * MINUTE)
    writing_back.send(at=NOON + 3 * MINUTE)
    assert columns(there)["status"] == "degraded" and not WriteConflict.objects.exists()


def test_nothing_is_written_where_that_was_not_allowed(there):
    with because("test"):
        there.cmdb.writes = False
        there.cmdb.save()
    linked(there)
    compared(NOON)
    assert not Notice.objects.exists() and columns(there) == {}


def test_what_somebody_wrote_there_is_kept_for_a_person_and_decided(there):
    there.change(VMS, 1, custom_fields={"backup_owner": "L. Novak", "backup_team": "Other"})
    linked(there)
    compared(NOON)
    writing_back.send(at=NOON)
    found = {row.field: (row.ours, row.theirs, row.why) for row in WriteConflict.objects.open()}
    assert found["owner"][1:] == ("L. Novak", "other") and found["team"] == ("Storage", "Other", "other") and len(found) == 2
    assert (columns(there)["owner"], columns(there)["jobs"]) == ("L. Novak", "nightly"), "the other columns are written"
    owner, team = (WriteConflict.objects.get(field=name) for name in ("owner", "team"))
    with pytest.raises(NotAllowed):
        writing_back.decide(conflict=owner, choice="ours", by=make_user(), at=NOON, reason="x")
    with pytest.raises(NotReady):
        writing_back.decide(conflict=owner, choice="both", by=there.root, at=NOON, reason=" ")
    writing_back.decide(conflict=owner, choice="ours", by=there.root, at=NOON + MINUTE, reason="L. Novak left")
    writing_back.decide(conflict=team, choice="theirs", by=there.root, at=NOON + MINUTE, reason="It is theirs by now")
    with pytest.raises(WrongState):
        writing_back.decide(conflict=owner, choice="ours", by=there.root, at=NOON + MINUTE, reason="again")
    compared(NOON + 2 * MINUTE)
    writing_back.send(at=NOON + 2 * MINUTE)
    assert (columns(there)["owner"], columns(there)["team"]) == (there.service.versions.get().owner.username, "Other")
    assert not WriteConflict.objects.open().exists()
    compared(NOON + 3 * MINUTE)
    assert not WriteConflict.objects.open().exists() and writing_back.send(at=NOON + 3 * MINUTE) == 0, "what was decided is not asked again"
    assert ConflictDecision.objects.count() == 2
    there.change(VMS, 1, custom_fields={"backup_team": "Third"})
    inventorying.read(cmdb=there.cmdb, at=NOON + 20 * MINUTE)
    compared(NOON + 20 * MINUTE)
    assert WriteConflict.objects.open().get().theirs == "Third", "another word of theirs is a new question"


def test_ours_is_written_after_a_decision_only_over_what_the_person_saw(there):
    there.change(VMS, 1, custom_fields={"backup_owner": "L. Novak"})
    linked(there)
    compared(NOON)
    writing_back.send(at=NOON)
    writing_back.decide(conflict=WriteConflict.objects.get(), choice="ours", by=there.root, at=NOON, reason="She left")
    compared(NOON + MINUTE)
    there.change(VMS, 1, custom_fields={"backup_owner": "Somebody new"})
    writing_back.send(at=NOON + MINUTE)
    assert columns(there)["owner"] == "Somebody new" and WriteConflict.objects.open().get().theirs == "Somebody new"


def racing(there, times: int, change: dict) -> None:
    """Somebody changes the item right before each of so many writes arrives."""
    left = iter(range(times))

    def before(asked):
        if asked.method == "PATCH" and next(left, None) is not None:
            there.change(VMS, 1, **change)

    there.before = before


def test_a_race_over_another_column_is_tried_once_more(there):
    linked(there)
    compared(NOON)
    racing(there, 1, {"comments": "by hand"})
    assert writing_back.send(at=NOON) == 1
    assert columns(there)["status"] == "operational" and there.tables[VMS][1]["comments"] == "by hand"
    assert not WriteConflict.objects.exists()


def test_a_race_over_our_column_and_one_that_never_ends_are_kept_for_a_person(there):
    linked(there)
    compared(NOON)
    racing(there, 1, {"custom_fields": {"backup_owner": "by hand"}})
    writing_back.send(at=NOON)
    only = WriteConflict.objects.open().get()
    assert (only.field, only.theirs, only.why) == ("owner", "by hand", "race") and columns(there)["owner"] == "by hand"
    assert columns(there)["jobs"] == "nightly" and WriteBack.objects.get().accepted is False
    status.change(service=there.service, to="degraded", reason="Test", evaluation=None, at=NOON + MINUTE)
    compared(NOON + 2 * MINUTE)
    racing(there, 9, {"comments": "again and again"})
    writing_back.send(at=NOON + 2 * MINUTE)
    assert columns(there)["status"] == "operational" and WriteConflict.objects.open().get(field="status").why == "race"


def test_what_is_read_back_otherwise_is_kept_for_a_person(there):
    """A NetBox whose own validation cuts what it takes."""
    linked(there)
    compared(NOON)
    take = there._take

    def cut(row, told):
        fields = {name: value[:5] if name == "backup_schedule" else value for name, value in told.get("custom_fields", {}).items()}
        return take(row, {**told, "custom_fields": fields})

    there._take = cut
    writing_back.send(at=NOON)
    only = WriteConflict.objects.open().get()
    assert (only.field, only.ours, only.theirs, only.why) == ("schedule", "Daily 01:30 UTC", "Daily", "read_back")
    assert WriteBack.objects.get().answer == "7 of 8 columns read back as said. 1 waits for a person."
    there._take = take
    there.change(VMS, 1, custom_fields={"backup_schedule": "Daily 01:30 UTC"})
    inventorying.read(cmdb=there.cmdb, at=NOON + HOUR)
    compared(NOON + HOUR)
    compared(NOON + HOUR)
    assert not WriteConflict.objects.open().exists(), "both sides say the same again"


def test_a_sender_that_dies_after_writing_writes_nothing_twice(there):
    linked(there)
    compared(NOON)
    (notice,) = outbox._claim(NOON, "cmdb")
    writing_back._deliver(notice, NOON)
    WriteBack.objects.update(written={}, accepted=None)  # as if it had died before it could write down the answer
    assert writing_back.send(at=NOON + outbox.CLAIM + MINUTE) == 1
    assert len([one for one in there.running.asked if one.method == "PATCH"]) == 1 and WriteBack.objects.get().accepted is True


def test_a_refusal_is_told_and_tried_again_and_an_item_that_is_gone_is_left(there):
    linked(there)
    compared(NOON)
    there.before = lambda asked: Says(403, {"detail": "You do not have permission"}) if asked.method == "PATCH" else None
    assert writing_back.send(at=NOON) == 0
    row = WriteBack.objects.select_related("notice").get()
    assert row.accepted is False and "Give the account the right" in row.answer and row.notice.not_before > NOON
    there.before = lambda asked: None
    assert writing_back.send(at=NOON + 10 * MINUTE) == 1 and WriteBack.objects.get().accepted is True
    status.change(service=there.service, to="degraded", reason="Test", evaluation=None, at=NOON + 11 * MINUTE)
    compared(NOON + 11 * MINUTE)
    del there.tables[VMS][1]
    writing_back.send(at=NOON + 11 * MINUTE)
    assert ConfigurationItem.objects.get(name="pacs-01").gone_at == NOON + 11 * MINUTE
    assert Notice.objects.filter(sent_at=None, given_up_at=None).count() == 0


def test_comparing_asks_as_often_for_many_entries_as_for_few(there, django_assert_max_num_queries):
    linked(there)
    for n in range(12):
        make_service(f"SVC-{n}", at=NOON - DAY)
    compared_now = [service.service for service in Agreement.objects.all()]
    reconciling.compare_due(at=NOON)
    assert Agreement.objects.count() == 13 and compared_now == []
    Agreement.objects.update(due_at=NOON)
    with django_assert_max_num_queries(22):
        assert reconciling.compare_due(at=NOON + MINUTE) == 13


def test_proposals_say_why_and_what_two_entries_claim_is_left_to_people(there):
    there.change(VMS, 1, custom_fields={"backup_entry": "pacs"})
    row = {"status": "active", "custom_fields": {}, "last_updated": "2026-07-14T10:00:00Z", "version": 1}
    there.tables[VMS][2] = {"id": 2, "name": "ris-01.example.org", **row}
    there.tables[VMS][3] = {**there.tables[VMS][2], "id": 3, "name": "shared"}
    inventorying.read(cmdb=there.cmdb, at=NOON)
    other = make_service("RIS")
    targets = {"ris-01": {other.pk}, "shared": {other.pk, there.service.pk}}
    found = linking.proposals(services=[there.service, other], targets=targets, most=10)
    assert [(one.item.name, one.service.code) for one in found] == [("pacs-01", "PACS"), ("ris-01.example.org", "RIS")]
    assert "says that it belongs to PACS" in found[0].because and "names it as what it protects" in found[1].because
    assert Cmdb.objects.count() == 1
