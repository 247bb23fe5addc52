"""Many entries in one go: each is decided once or not at all, whoever races or dies; every refusal names its reason."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import connection, connections
from guardian.shortcuts import assign_perm

from catalogue import batching, importing, publishing, sheets, working_through
from catalogue.models import Batch, BatchItem, Service, ServiceVersion
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common.models import Notice
from tests.catalogue.makers import NOON, make_approver, make_author, make_draft, make_user

LATER = NOON + dt.timedelta(hours=1)


def submitted(count: int, **content) -> list[ServiceVersion]:
    made = [make_draft(f"SVC-{n:03}", **content) for n in range(count)]
    return [publishing.submit(version=version, by=make_author(), at=NOON, announce=False) for version in made]


def approval(versions, by, *, partly=False) -> Batch:
    wishes = batching.to_approve(versions, by=by, at=NOON)
    batch = batching.propose(act="approve", title="Approval", wishes=wishes, by=by, at=NOON, reason="Agreed in the board")
    return batching.start(batch=batch, by=by, at=NOON, partly=partly)


def worked(batch: Batch, at: dt.datetime = LATER, **more) -> dict[str, str]:
    working_through.work(batch=batch, clock=lambda: at, **more)
    return dict(batch.items.values_list("code", "state"))


@pytest.mark.django_db
def test_each_draft_is_approved_by_itself_and_each_refusal_is_named():
    boss = make_user("boss", "catalogue.view_service", "catalogue.change_service", "catalogue.approve_service")
    versions = submitted(4)
    own = make_draft("SVC-OWN")
    publishing.edit_draft(version=own, content={"department": "Mine"}, commitment={}, by=boss, at=NOON, reason="Test")
    own = publishing.submit(version=own, by=boss, at=NOON, announce=False)
    batch = batching.propose(
        act="approve", title="Approval", wishes=batching.to_approve([*versions, own], by=boss, at=NOON), by=boss, at=NOON, reason="Agreed"
    )  # fmt: skip
    assert batch.items.get(code="SVC-OWN").problems == [["", "You wrote part of it, so somebody else must approve it."]]
    batching.start(batch=batch, by=boss, at=NOON, partly=True)
    publishing.return_to_draft(version=versions[1], by=make_author(), at=NOON, reason="Wrong")
    publishing.edit_draft(version=versions[2], content={"department": "New"}, commitment={}, by=make_author(), at=NOON, reason="Test")
    publishing.submit(version=versions[2], by=make_author(), at=NOON, announce=False)
    states = worked(batch)
    assert states == {"SVC-000": "done", "SVC-001": "refused", "SVC-002": "refused", "SVC-003": "done", "SVC-OWN": "refused"}
    told = dict(batch.items.values_list("code", "told"))
    assert "is a draft" in told["SVC-001"], "somebody took it back"
    assert "is not what you read any more" in told["SVC-002"], "its content changed since it was seen"
    assert ServiceVersion.objects.approved().count() == 2
    assert {row.approver for row in ServiceVersion.objects.approved()} == {boss}


@pytest.mark.django_db
def test_an_approver_who_lost_the_duty_meanwhile_approves_nothing():
    approver = make_approver()
    batch = approval(submitted(2), approver)
    approver.user_permissions.clear()
    assert set(worked(batch).values()) == {"refused"}
    assert "You may not approve versions of" in batch.items.first().told
    assert not ServiceVersion.objects.approved().exists()


@pytest.mark.django_db
def test_it_can_be_stopped_left_and_gone_on_with_by_who_asked_for_it():
    approver = make_approver()
    batch = approval(submitted(3), approver)
    working_through.work(batch=batch, clock=lambda: LATER, most=1)
    with pytest.raises(NotAllowed, match="Only approver, who asked for it"):
        batching.stop(batch=batch, by=make_author(), at=LATER)
    batching.stop(batch=batch, by=approver, at=LATER)
    assert working_through.work(batch=batch, clock=lambda: LATER) == 0, "nothing happens while it is stopped"
    batching.start(batch=batch, by=approver, at=LATER)
    with pytest.raises(Refused, match="started already"):
        batching.start(batch=batch, by=approver, at=LATER)
    assert working_through.work(batch=batch, clock=lambda: LATER) == 2
    batch.refresh_from_db()
    assert batch.finished_at == LATER
    with pytest.raises(Refused):
        batching.stop(batch=batch, by=approver, at=LATER)


@pytest.mark.django_db
def test_nothing_is_asked_for_without_a_reason_or_an_entry():
    with pytest.raises(NotReady, match=r"Say why.*Choose at least one"):
        batching.propose(act="approve", title="Approval", wishes=[], by=make_approver(), at=NOON, reason=" ")


@pytest.mark.django_db
def test_what_is_known_to_be_missing_or_planned_is_said_before_it_is_started():
    whole, half = make_draft("SVC-WHOLE"), make_draft("SVC-HALF", steward=None, operations_team=None)
    said = {wish.code: wish.problems for wish in batching.to_submit([whole, half], by=make_author())}
    assert said == {"SVC-WHOLE": [], "SVC-HALF": [("", "It needs one responsible steward. It needs one operations team.")]}
    boss = make_approver()
    version = publishing.submit(version=whole, by=make_author(), at=NOON)
    publishing.approve(version=version, by=boss, at=NOON, effective_from=NOON + 9 * dt.timedelta(days=1))
    later = publishing.submit(version=make_draft("SVC-WHOLE", rpo_s=7_200), by=make_author(), at=NOON)
    (wish,) = batching.to_approve([later], by=boss, at=NOON)
    assert wish.problems == [("", "Version 1 takes force later, on 23 Jul 2026 at 12:00 UTC. Withdraw that one first.")]


@pytest.mark.django_db
def test_drafts_that_are_submitted_are_told_of_in_one_mail_to_each_approver():
    approver = make_approver()
    drafts = [make_draft(f"SVC-{n}") for n in range(3)]
    limited, stranger = make_user("limited"), make_user("stranger")
    assign_perm("catalogue.approve_service", limited, drafts[1].service)
    assign_perm("catalogue.approve_service", stranger, make_draft("SVC-OTHER").service)
    wishes = batching.to_submit(drafts, by=make_author())
    batch = batching.propose(act="submit", title="Import of a.csv", wishes=wishes, by=make_author(), at=NOON, reason="New site")
    batching.start(batch=batch, by=make_author(), at=NOON)
    assert set(worked(batch).values()) == {"done"}
    assert Notice.objects.filter(recipient=limited.email).count() == 1, "by a grant on one of them"
    assert not Notice.objects.filter(recipient=stranger.email).exists()
    mails = Notice.objects.filter(recipient=approver.email)
    assert [mail.subject for mail in mails] == ["For approval: 3 entries. Import of a.csv"]
    assert f"/approvals/?batch={batch.pk}" in mails[0].body
    assert Notice.objects.get(recipient=make_author().email).subject == "Done: Import of a.csv"


@pytest.mark.django_db(transaction=True)
def test_four_racing_workers_decide_every_entry_once():
    approver = make_approver()
    batch = approval(submitted(24), approver)
    decided, errors = [], []

    def race() -> None:
        try:
            decided.append(working_through.work(batch=Batch.objects.get(pk=batch.pk), clock=lambda: LATER))
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=race) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (errors, sum(decided)) == ([], 24)
    assert ServiceVersion.objects.approved().count() == 24
    assert ServiceVersion.history.filter(state="approved", history_type="~").count() == 24, "each was approved once"
    batch.refresh_from_db()
    assert batch.finished_at == LATER and Notice.objects.filter(subject="Done: Approval").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_in_the_middle_of_an_entry_takes_back_that_entry_alone():
    approver = make_approver()
    batch = approval(submitted(5), approver)
    calls = []

    class Killed(BaseException):
        """As if the process were gone: nothing of ours catches it."""

    def dies_at_the_third(service: Service, at: dt.datetime):
        calls.append(service)
        if len(calls) == 3:
            raise Killed
        return working_through.UNMEASURED

    with pytest.raises(Killed):
        working_through.work(batch=batch, clock=lambda: LATER, measure=dies_at_the_third)
    assert ServiceVersion.objects.approved().count() == 2
    assert sorted(batch.items.values_list("state", flat=True)) == ["done", "done", "waiting", "waiting", "waiting"]
    assert working_through.stalled(at=LATER + dt.timedelta(seconds=5)) == [], "it may only be slow"
    assert working_through.stalled(at=LATER + dt.timedelta(minutes=1)) == [batch.pk], "the heartbeat hands it out again"
    assert set(worked(batch, LATER + dt.timedelta(minutes=1)).values()) == {"done"}
    assert working_through.stalled(at=LATER + dt.timedelta(hours=1)) == []
    assert ServiceVersion.history.filter(state="approved", history_type="~").count() == 5


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE catalogue_batchitem SET state = 'waiting', done_at = NULL WHERE state = 'done'", "decided once"),
        ("UPDATE catalogue_batchitem SET state = 'done' WHERE state = 'waiting'", "batch_item_decided_has_a_time"),
        ("UPDATE catalogue_batch SET by_id = by_id + 1", "never changes"),
        ("UPDATE catalogue_batch SET reason = 'other'", "never changes"),
    ],
)
def test_the_database_refuses_to_decide_twice_or_to_ask_for_something_else(statement, words):
    batch = approval(submitted(2), make_approver())
    working_through.work(batch=batch, clock=lambda: LATER, most=1)
    with pytest.raises(Exception, match=words), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
def test_what_fails_inside_the_product_is_told_and_does_not_stop_the_rest(monkeypatch):
    batch = approval(submitted(3), make_approver())

    def broken_once(service: Service, at: dt.datetime):
        if service.code == "SVC-001":
            raise ZeroDivisionError
        return working_through.UNMEASURED

    assert worked(batch, measure=broken_once) == {"SVC-000": "done", "SVC-001": "refused", "SVC-002": "done"}
    assert "failed inside the product" in batch.items.get(code="SVC-001").told
    assert ServiceVersion.objects.get(service__code="SVC-001").state == "in_review"


@pytest.mark.django_db
def test_a_new_entry_that_cannot_be_drafted_leaves_no_trace():
    steward = make_user("author", "catalogue.view_service", "catalogue.change_service", "catalogue.add_service")
    rows = sheets.read("code,name,tier,commissioned_at\nSVC-1,One \u202eowT,3,2026-01-01\n".encode())
    wishes = importing.wishes(rows, by=steward, at=NOON)
    batch = batching.propose(act="draft", title="Import", wishes=wishes, by=steward, at=NOON, reason="Test")
    batching.start(batch=batch, by=steward, at=NOON)
    assert worked(batch) == {"SVC-1": "refused"}
    assert "turn the direction of the text" in batch.items.get().told
    assert not Service.objects.exists()


@pytest.mark.django_db
def test_proposing_asks_the_database_as_often_for_two_versions_as_for_twenty(django_assert_max_num_queries):
    versions = submitted(20)
    boss = make_user("boss", "catalogue.view_service", "catalogue.approve_service")
    for rows in (versions[:2], versions):
        with django_assert_max_num_queries(16):
            wishes = batching.to_approve(ServiceVersion.objects.filter(pk__in=[row.pk for row in rows]), by=boss, at=NOON)
            batching.propose(act="approve", title="Approval", wishes=wishes, by=boss, at=NOON, reason="Test")
    assert BatchItem.objects.count() == 22
