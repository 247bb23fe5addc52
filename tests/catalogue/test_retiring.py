"""An entry's way out of the catalogue: asked for, decided by somebody else, stopped by what stands in the way, readable afterwards."""

import datetime as dt

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from catalogue import exporting, legal_holds, publishing, relating, responsibilities, retiring
from catalogue.models import Relation, Retirement, Service
from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup.common.models import Notice, because
from monitoring.models import BackupJob
from tests.catalogue.makers import NOON, make_approver, make_author, make_draft, make_service, make_user
from tests.factories import make_job, make_schedule, make_tool

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]
DAY = dt.timedelta(days=1)


def ask(service, **more):
    said = {"ends_at": NOON + 10 * DAY, "by": make_author(), "at": NOON + DAY, "reason": "Replaced by the new archive"}
    return retiring.ask(service=service, **{**said, **more})


def approve(row, *, at=NOON + 2 * DAY):
    return retiring.approve(retirement=row, by=make_approver(), at=at)


def life(service):
    return Service.objects.get(pk=service.pk).lifecycle


def test_it_is_asked_for_approved_by_somebody_else_and_done_on_its_day():
    service, successor = make_service(), make_service("archive")
    make_approver()
    row = ask(service, successor=successor)
    asked = Notice.objects.get(key__startswith=f"retirement/{row.pk}/asked/")
    assert asked.recipient == "approver@example.org" and "Replaced by the new archive" in asked.body and "archive" in asked.body
    assert life(service) == "catalogue", "nothing changes before somebody agrees"
    with pytest.raises(NotAllowed, match=r"somebody else decides on it\. approver can"):
        retiring.approve(retirement=row, by=make_author(), at=NOON + DAY)
    approve(row)
    assert life(service) == "pending_retirement" and service in Service.objects.listed()
    told = set(Notice.objects.filter(key__startswith=f"retirement/{row.pk}/planned/").values_list("recipient", flat=True))
    assert told == {"owner@example.org", "author@example.org"}
    assert retiring.retire_due(at=NOON + 9 * DAY) == 0 and service.version_at(NOON + 9 * DAY)
    assert retiring.retire_due(at=NOON + 10 * DAY) == 1
    assert life(service) == "retired" and service not in Service.objects.listed()
    assert service.version_at(NOON + 9 * DAY).number == 1, "what it promised stays readable"
    assert service.version_at(NOON + 10 * DAY) is None
    row.refresh_from_db()
    assert (row.state, row.over_at) == ("done", NOON + 10 * DAY)
    assert [retiring.state_at(row, NOON + n * DAY) for n in (1, 3, 11)] == ["asked", "planned", "done"]
    assert Service.history.filter(id=service.pk).first().history_change_reason == "Retired as approved: Replaced by the new archive"
    assert retiring.retire_due(at=NOON + 11 * DAY) == 0


def test_without_a_day_to_come_it_is_retired_with_the_approval():
    service = make_service()
    row = approve(ask(service, ends_at=NOON + DAY))
    assert (row.state, life(service)) == ("done", "retired")


def test_an_entry_that_was_never_in_force_leaves_the_pipeline():
    service = make_draft().service
    row = ask(service, ends_at=NOON + DAY)
    with pytest.raises(NotReady, match="Version 1 is draft: finish or cancel it first"):
        approve(row)
    publishing.cancel(version=service.versions.get(), by=make_author(), at=NOON + DAY, reason="A slip")
    assert approve(row).state == "done" and life(service) == "retired"


def test_what_stands_in_the_way_is_named_and_the_entry_waits_as_a_gap():
    service, consumer = make_service(), make_service("ris")
    because_of = {"by": make_author(), "at": NOON, "reason": "It reads from it"}
    relation = relating.relate(consumer=consumer, provider=service, kind="depends_on", strength="hard", **because_of)
    job = make_job(make_tool(), "nightly")
    BackupJob.objects.filter(pk=job.pk).update(service=service)
    make_schedule(job)
    hold = legal_holds.place(service=service, owner=make_user("counsel"), reason="File 7", by=make_approver(), at=NOON)
    approve(ask(service))
    planned = make_draft()
    found = retiring.obstacles(service=service, at=NOON + 3 * DAY)
    assert found == [
        "It is under legal hold (File 7): have that released first.",
        "Service ris stops with it: end or soften that relation first.",
        "Version 2 is draft: finish or cancel it first.",
        "A job still runs for it (nightly): end it in the tool and delete the schedule, or give it to another entry by a rule.",
    ]
    stored = relating.relate(consumer=make_service("lab"), provider=service, kind="stores_to", strength="hard", **because_of)
    told = "Service lab loses its backup with it: end or soften that relation first."
    assert retiring.obstacles(service=service, at=NOON + 3 * DAY)[2] == told
    relating.end(relation=stored, by=make_author(), at=NOON + DAY, reason="Moved to another store")
    narrow = make_user("narrow")
    hidden = "A service that you may not see stops with it: end or soften that relation first."
    assert retiring.obstacles(service=service, at=NOON + 3 * DAY, reader=narrow)[1] == hidden
    assert retiring.retire_due(at=NOON + 11 * DAY) == 0 and life(service) == "pending_retirement"
    late = NOON + 11 * DAY
    kinds = [gap.kind for gap in responsibilities.gaps(services=[service.pk], at=late)]
    assert "retirement" in kinds
    legal_holds.release(hold=hold, by=make_approver(), at=late, reason="Settled")
    relating.end(relation=relation, by=make_author(), at=late, reason="Moved")
    publishing.cancel(version=planned, by=make_author(), at=late, reason="Not needed")
    job.schedule._change_reason = "Over"
    job.schedule.delete()
    BackupJob.objects.filter(pk=job.pk).update(last_seen_at=late - 3 * DAY)
    assert retiring.obstacles(service=service, at=late) == [] and retiring.retire_due(at=late) == 1
    assert responsibilities.gaps(services=[service.pk], at=late) == []


def test_its_relations_end_with_it():
    service, other, archive = make_service(), make_service("ris"), make_service("archive")
    said = {"by": make_author(), "at": NOON, "reason": "So it is"}
    relating.relate(consumer=service, provider=other, kind="depends_on", strength="hard", **said)
    relating.relate(consumer=other, provider=service, kind="depends_on", strength="soft", **said)
    relating.relate(consumer=archive, provider=service, kind="supersedes", strength="soft", **said)
    row = approve(ask(service, ends_at=NOON + DAY))
    told = Notice.objects.filter(key__startswith=f"retirement/{row.pk}/planned/")
    assert told.exists()
    assert list(Relation.objects.standing(NOON + 3 * DAY).values_list("kind", flat=True)) == ["supersedes"]
    assert Relation.objects.standing(NOON + DAY).count() == 3, "then they held"


def test_it_can_be_refused_or_called_off_and_stays():
    service = make_service()
    row = retiring.refuse(retirement=ask(service), by=make_approver(), at=NOON + DAY, reason="Still used")
    assert (row.state, life(service)) == ("refused", "catalogue")
    assert "Still used" in Notice.objects.get(key__startswith=f"retirement/{row.pk}/refused/").body
    row = approve(ask(service, at=NOON + 2 * DAY))
    with pytest.raises(NotReady, match="is planned already"):
        ask(service)
    with pytest.raises(NotAllowed):
        retiring.call_off(retirement=row, by=make_user("reader", "catalogue.view_service"), at=NOON + 3 * DAY, reason="I need it")
    assert retiring.call_off(retirement=row, by=make_author(), at=NOON + 3 * DAY, reason="The project stopped").state == "called_off"
    assert life(service) == "catalogue" and retiring.open_of(service) is None
    with pytest.raises(WrongState, match="is called off already"):
        retiring.approve(retirement=row, by=make_approver(), at=NOON + 4 * DAY)


def test_what_is_called_off_keeps_the_word_of_its_approver_and_says_who_called_it_off():
    service = make_service()
    row = retiring.approve(retirement=ask(service), by=make_approver(), at=NOON + 2 * DAY, reason="Agreed")
    off = retiring.call_off(retirement=row, by=make_author(), at=NOON + 3 * DAY, reason="The project stopped")
    assert (off.answer, off.decided_by) == ("Agreed", make_approver())
    assert retiring.callings_off([off]) == {off.pk: (make_author(), "The project stopped", "Agreed")}
    early = retiring.call_off(retirement=ask(service, at=NOON + 4 * DAY), by=make_author(), at=NOON + 4 * DAY, reason="A slip")
    assert retiring.callings_off([early]) == {early.pk: (make_author(), "A slip", "")} and life(service) == "catalogue"
    Retirement.objects.bulk_create([Retirement(
        service=service, ends_at=NOON, reason="x", asked_by=make_author(), asked_at=NOON, state="called_off", answer="Stays", over_at=NOON
    )])  # fmt: skip
    assert retiring.callings_off(Retirement.objects.filter(answer="Stays")).popitem()[1] == (None, "Stays", ""), "of before this was kept"


def test_no_version_is_approved_for_a_time_when_the_entry_has_left():
    service = make_service()
    draft = make_draft(name="Other")
    publishing.submit(version=draft, by=make_author(), at=NOON)
    approve(ask(service))
    said = {"version": draft, "by": make_approver(), "at": NOON + 3 * DAY}
    with pytest.raises(NotReady, match=r"pacs leaves the catalogue on 24 Jul 2026.*call the retirement off, or choose an earlier time"):
        publishing.approve(effective_from=NOON + 11 * DAY, **said)
    assert publishing.approve(effective_from=NOON + 9 * DAY, **said).state == "approved"


def test_what_cannot_be_asked_for_says_why():
    service = make_service()
    for more, told in (
        ({"ends_at": NOON}, "is over"),
        ({"ends_at": NOON + 800 * DAY}, "more than two years ahead"),
        ({"successor": service}, "does not follow itself"),
    ):
        with pytest.raises(NotReady, match=told):
            ask(service, **more)
    with pytest.raises(NotAllowed, match="author can"):
        ask(service, by=make_user("reader", "catalogue.view_service"))
    approve(ask(service, ends_at=NOON + DAY))
    with pytest.raises(NotReady, match="is retired already"):
        ask(service)
    with pytest.raises(NotReady, match="retired for good"):
        make_draft()


def test_the_database_keeps_it():
    service = make_service()
    row = ask(service, ends_at=NOON + DAY)
    statements = (
        ("UPDATE catalogue_retirement SET state = 'planned'", "decided_by_somebody"),
        ("UPDATE catalogue_retirement SET decided_by_id = asked_by_id", "decided_by_somebody_else"),
        ("UPDATE catalogue_retirement SET successor_id = service_id", "followed_by_another"),
        ("UPDATE catalogue_retirement SET ends_at = now()", "never changes"),
        ("DELETE FROM catalogue_retirement", "never changes"),
        ("UPDATE catalogue_service SET lifecycle = 'retired'", "only once its version in force has ended"),
    )
    for statement, told in statements:
        with pytest.raises(IntegrityError, match=told), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with pytest.raises(IntegrityError, match="retirement_one_open"), transaction.atomic():
        Retirement.objects.create(service=service, ends_at=NOON, reason="x", asked_by=make_author(), asked_at=NOON)
    approve(row)
    for statement, told in (
        ("UPDATE catalogue_service SET lifecycle = 'catalogue'", "never comes back"),
        ("UPDATE catalogue_retirement SET answer = 'x'", "never changes"),
    ):
        with pytest.raises(DatabaseError, match=told), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_hold_that_comes_later_stops_it_in_the_database_too():
    service = make_service()
    row = approve(ask(service))
    legal_holds.place(service=service, owner=make_user("counsel"), reason="File 9", by=make_approver(), at=NOON + 3 * DAY)
    assert retiring.retire_due(at=NOON + 12 * DAY) == 0
    with pytest.raises(IntegrityError, match="under legal hold"), transaction.atomic(), because("By force"):
        for version in service.versions.all():
            version.effective = (version.effective.lower, NOON + 12 * DAY)
            version.save()
        held = Service.objects.get(pk=service.pk)
        held.lifecycle = "retired"
        held.save()
    row.refresh_from_db()
    assert row.state == "planned"


def test_where_an_entry_stood_is_known_of_every_instant():
    service, stays = make_service(), make_service("stays")
    approve(ask(service), at=NOON + 2 * DAY)
    called_off = approve(ask(stays), at=NOON + 2 * DAY)
    retiring.call_off(retirement=called_off, by=make_author(), at=NOON + 4 * DAY, reason="Still needed")
    retiring.retire_due(at=NOON + 10 * DAY)
    stood = [retiring.lifecycles([service, stays], NOON + n * DAY) for n in (-1, 1, 3, 5, 10)]
    assert [each[service.pk] for each in stood] == ["pipeline", "catalogue", "pending_retirement", "pending_retirement", "retired"]
    assert [each[stays.pk] for each in stood] == ["pipeline", "catalogue", "pending_retirement", "catalogue", "catalogue"]


def test_an_export_of_the_past_holds_what_was_retired_since():
    service = make_service()
    approve(ask(service, ends_at=NOON + 2 * DAY))
    reader = make_user("reader", "catalogue.view_service")
    assert [b"pacs" in exporting.entries(user=reader, at=NOON + n * DAY, format="csv") for n in (1, 2)] == [True, False]
