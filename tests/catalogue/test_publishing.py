"""Versions: who may move them, what must be there, and what the database refuses whoever asks."""

import datetime as dt
from threading import Barrier, Thread

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from guardian.shortcuts import assign_perm

from catalogue import publishing
from catalogue.models import Service, ServiceVersion, StatusChange
from catalogue.publishing import NotAllowed, NotReady, WrongState
from itsm_backup.common.models import ReasonMissing
from tests.catalogue.makers import NOON, make_approver, make_author, make_content, make_draft, make_service, make_user, take_out

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def in_review(code="pacs", **content):
    return publishing.submit(version=make_draft(code, **content), by=make_author(), at=NOON)


def test_it_starts_an_entry_in_the_pipeline_with_a_first_draft():
    version = make_draft("pacs")
    assert (version.number, version.state, version.author_ids) == (1, "draft", [make_author().pk])
    assert version.service.lifecycle == "pipeline"
    assert version.history.get().history_change_reason == "Test"


def test_it_refuses_a_code_that_is_taken_or_not_usable():
    make_draft("pacs")
    for code in ("pacs", "two words"):
        with pytest.raises(NotReady, match="Code:"):
            publishing.create_service(code=code, by=make_author(), at=NOON, reason="Again")


def test_it_says_all_that_a_first_draft_lacks_at_once():
    service = publishing.create_service(code="pacs", by=make_author(), at=NOON, reason="New")
    with pytest.raises(NotReady) as refusal:
        publishing.draft_version(service=service, content={}, commitment={}, by=make_author(), at=NOON, reason="First")
    assert len(refusal.value.problems) == 4
    assert not service.versions.exists()


def test_it_says_all_that_keeps_a_draft_from_review_at_once():
    version = make_draft(owner=None, operations_team=None, zone="Europe/Atlantis")
    with pytest.raises(NotReady) as refusal:
        publishing.submit(version=version, by=make_author(), at=NOON)
    text = str(refusal.value)
    assert "one accountable owner" in text and "one operations team" in text and "Europe/Atlantis is no time zone" in text
    assert len(refusal.value.problems) == 3


def test_it_refuses_an_owner_who_has_left():
    version = make_draft(owner=make_user("gone", is_active=False))
    with pytest.raises(NotReady, match="gone, has left"):
        publishing.submit(version=version, by=make_author(), at=NOON)


def test_it_approves_and_moves_the_entry_into_the_catalogue():
    version = publishing.approve(version=in_review(), by=make_approver(), at=NOON)
    service = Service.objects.get(code="pacs")
    assert (version.state, version.approver, version.effective.lower, version.effective.upper) == ("approved", make_approver(), NOON, None)
    assert service.lifecycle == "catalogue"
    assert service.status.status == "unknown"
    assert StatusChange.objects.get(service=service).to_status == "unknown"


def test_it_ends_the_version_before_when_a_new_one_takes_effect():
    make_service("pacs", rpo_s=3_600)
    make_service("pacs", at=NOON + HOUR, rpo_s=7_200, department="Imaging")
    service = Service.objects.get(code="pacs")
    one, two = service.versions.order_by("number")
    assert (one.effective.upper, two.effective.lower, two.effective.upper) == (NOON + HOUR, NOON + HOUR, None)
    assert service.version_at(NOON + HOUR / 2).commitment.rpo_s == 3_600
    assert service.version_at(NOON + HOUR).commitment.rpo_s == 7_200
    assert one.history.first().history_change_reason == "Superseded by version 2."


def test_a_new_draft_starts_from_what_was_approved():
    make_service("pacs", department="Imaging", labels=["confidential"])
    draft = publishing.draft_version(
        service=Service.objects.get(), content={"tier": 1}, commitment={}, by=make_author(), at=NOON, reason="Raise"
    )
    assert (draft.number, draft.tier, draft.department, draft.labels, draft.commitment.rpo_s) == (2, 1, "Imaging", ["confidential"], 93_600)
    assert draft.approver is None and draft.effective is None


def test_it_takes_effect_later_when_told_so():
    make_service("pacs")
    version = publishing.approve(version=in_review(), by=make_approver(), at=NOON + HOUR, effective_from=NOON + 24 * HOUR)
    assert version.service.version_at(NOON + 2 * HOUR).number == 1
    assert version.service.version_at(NOON + 24 * HOUR).number == 2
    with pytest.raises(NotReady, match="choose a later time"):
        publishing.approve(version=in_review(), by=make_approver(), at=NOON + 3 * HOUR)


def test_it_never_takes_effect_in_the_past():
    with pytest.raises(NotReady, match="before its approval"):
        publishing.approve(version=in_review(), by=make_approver(), at=NOON, effective_from=NOON - HOUR)


def test_it_takes_effect_at_most_two_years_ahead_or_the_entry_could_never_change_again():
    version = in_review()
    with pytest.raises(NotReady, match=r"31 Dec 9999 .* more than two years ahead"):
        publishing.approve(version=version, by=make_approver(), at=NOON, effective_from=dt.datetime(9999, 12, 31, tzinfo=dt.UTC))
    publishing.approve(version=version, by=make_approver(), at=NOON, effective_from=NOON + dt.timedelta(days=731))


def test_an_author_never_approves_not_even_a_superuser():
    version = make_draft()
    boss = make_user("boss", is_superuser=True)
    make_approver("berg")
    publishing.edit_draft(version=version, content={"summary": "Pictures"}, commitment={}, by=boss, at=NOON, reason="Wording")
    publishing.submit(version=version, by=make_author(), at=NOON)
    with pytest.raises(NotAllowed, match=r"somebody else must approve it. berg can."):
        publishing.approve(version=version, by=boss, at=NOON)
    assert ServiceVersion.objects.get().state == "in_review"


def test_the_database_refuses_an_author_as_approver():
    version = in_review()
    with pytest.raises(IntegrityError, match="version_author_never_approves"), connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_serviceversion SET approver_id = author_ids[1] WHERE id = %s", [version.pk])


@pytest.mark.parametrize("approval", ["", ", state = 'approved', approver_id = author_ids[1]"])
def test_the_database_lets_nobody_out_of_the_authors(approval):
    version = in_review()
    with pytest.raises(DatabaseError, match="stays one of its authors"), connection.cursor() as cursor:
        cursor.execute(f"UPDATE catalogue_serviceversion SET author_ids = '{{}}'{approval} WHERE id = %s", [version.pk])


def test_it_names_who_can_when_somebody_without_the_duty_tries():
    version = in_review()
    limited = make_user("limited")
    assign_perm("catalogue.approve_service", limited, version.service)
    with pytest.raises(NotAllowed, match=r"You may not approve versions of pacs. limited can."):
        publishing.approve(version=version, by=make_user("stranger"), at=NOON)
    with pytest.raises(NotAllowed, match="You may not approve"):  # asked before whether they read the newest
        publishing.approve(version=version, by=make_user("stranger"), at=NOON, seen="0" * 64)
    assert publishing.approve(version=version, by=make_user("limited"), at=NOON).state == "approved"


def test_it_says_so_when_nobody_holds_the_duty():
    with pytest.raises(NotAllowed, match="administrator can grant the role approver"):
        publishing.approve(version=in_review(), by=make_user("stranger"), at=NOON)


def test_an_edit_in_review_voids_the_review():
    version = in_review()
    helper = make_user("helper")
    edited = publishing.edit_draft(version=version, content={}, commitment={"rpo_s": 60}, by=helper, at=NOON, reason="Tighter")
    assert (edited.state, edited.submitted_at, edited.author_ids) == ("draft", None, sorted([make_author().pk, helper.pk]))
    with pytest.raises(WrongState, match="waits until one of its authors submits it for review"):
        publishing.approve(version=edited, by=make_approver(), at=NOON)


def test_an_edit_without_a_difference_writes_nothing():
    version = in_review()
    before = version.history.count()
    same = publishing.edit_draft(
        version=version, content={"tier": 3}, commitment={"rpo_s": 93_600}, by=make_user("helper"), at=NOON, reason="Same"
    )
    assert (same.state, same.author_ids, same.history.count()) == ("in_review", [make_author().pk], before)


def test_a_review_can_end_without_approval_and_the_reason_is_kept():
    version = publishing.return_to_draft(version=in_review(), by=make_approver(), at=NOON, reason="RPO is too long")
    assert version.state == "draft"
    assert version.history.first().history_change_reason == "RPO is too long"
    with pytest.raises(ReasonMissing):
        publishing.cancel(version=version, by=make_author(), at=NOON, reason=" ")


def test_a_cancelled_version_stays_and_makes_room_for_the_next():
    publishing.cancel(version=make_draft(), by=make_author(), at=NOON, reason="Not needed")
    assert make_draft().number == 2
    assert list(ServiceVersion.objects.order_by("number").values_list("state", flat=True)) == ["cancelled", "draft"]


def test_there_is_one_open_version_at_a_time():
    make_draft()
    with pytest.raises(NotReady, match=r"number 1, draft. Finish or cancel"):
        make_draft()


@pytest.mark.parametrize("act", ["submit", "approve", "return_to_draft", "cancel"])
def test_an_approved_version_moves_no_more(act):
    make_service("pacs")
    version = ServiceVersion.objects.get()
    with pytest.raises(WrongState, match="already approved: approver approved it on 14 Jul 2026"):
        getattr(publishing, act)(version=version, by=make_approver("second"), at=NOON, reason="Again")
    with pytest.raises(WrongState):
        publishing.edit_draft(version=version, content={"tier": 1}, commitment={}, by=make_author(), at=NOON, reason="Again")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE catalogue_serviceversion SET tier = 1",
        "UPDATE catalogue_serviceversion SET state = 'draft'",
        "DELETE FROM catalogue_serviceversion",
        "UPDATE catalogue_commitment SET rpo_s = 60",
        "DELETE FROM catalogue_commitment",
        "UPDATE catalogue_serviceversion SET effective = tstzrange('2020-01-01', NULL)",
        "UPDATE catalogue_service SET code = 'other'",
        "UPDATE catalogue_historicalserviceversion SET history_change_reason = 'another'",
        "DELETE FROM catalogue_statuschange",
    ],
)
def test_the_database_keeps_what_was_approved(sql):
    make_service("pacs")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    ("column", "constraint"),
    [("owner_id", "version_approved_is_complete"), ("steward_id", "version_approved_is_complete"),
     ("operations_team_id", "version_approved_is_complete")],
)  # fmt: skip
def test_the_database_wants_one_owner_one_steward_one_team(column, constraint):
    version = in_review()
    approver = make_approver()
    with pytest.raises(IntegrityError, match=constraint), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE catalogue_serviceversion SET {column} = NULL, state = 'approved', approver_id = %s, approved_at = now(),"
            " effective = tstzrange(now(), NULL) WHERE id = %s",
            [approver.pk, version.pk],
        )


def test_the_database_refuses_two_versions_in_force_at_once():
    make_service("pacs")
    version = in_review()
    with pytest.raises(IntegrityError, match="version_one_effective"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE catalogue_serviceversion SET state = 'approved', approver_id = %s, approved_at = now(),"
            " effective = tstzrange(now(), NULL) WHERE id = %s",
            [make_approver().pk, version.pk],
        )


def test_a_retired_entry_gets_no_more_versions():
    take_out(make_service("pacs"))
    with pytest.raises(NotReady, match="supersedes it"):
        make_draft("pacs")


def test_a_wrong_field_name_is_a_programming_error():
    with pytest.raises(TypeError, match="rpo is no field"):
        publishing.draft_version(
            service=make_draft().service, content=make_content(), commitment={"rpo": 1}, by=make_author(), at=NOON, reason="Odd"
        )


@pytest.mark.django_db(transaction=True)
def test_of_two_approvals_at_once_one_wins_and_the_other_is_told():
    version, approvers = in_review(), [make_approver("first"), make_approver("second")]
    start, told = Barrier(2), []

    def approve(by):
        start.wait(10)
        try:
            told.append(publishing.approve(version=ServiceVersion.objects.get(pk=version.pk), by=by, at=NOON).approver.username)
        except WrongState as refusal:
            told.append(str(refusal))
        finally:
            connection.close()

    threads = [Thread(target=approve, args=[by]) for by in approvers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    winner = ServiceVersion.objects.get().approver.username
    assert sorted(told, key=len)[0] == winner
    assert f"{winner} approved it on" in sorted(told, key=len)[1]
    assert ServiceVersion.history.filter(state="approved").count() == 1


@pytest.mark.parametrize("code", ["matrix", "Graph", "relations"])
def test_a_code_is_never_the_address_of_another_page(code):
    with pytest.raises(NotReady, match="address of another page"):
        publishing.create_service(code=code, by=make_author(), at=NOON, reason="New")
