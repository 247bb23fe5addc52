"""Duties: handing over, attestation, gaps, and two entries that claim one job."""

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, IntegrityError, connection, transaction

from catalogue import attesting, handing_over, naming, publishing, replying, responsibilities
from catalogue.models import Attestation, DutyException, HandOver, Service, Team, TeamMember
from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup.common.models import Notice, because
from monitoring.models import BackupJob
from monitoring.overlaps import overlaps
from tests.catalogue.makers import NOON, make_approver, make_author, make_draft, make_service, make_user, take_out
from tests.factories import make_job, make_rule, make_tool

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def asked(service, **more):
    said = {
        "duty": "owner",
        "receiver": make_user("nora", "catalogue.view_service"),
        "by": make_author(),
        "at": NOON + DAY,
        "reason": "Tom retires",
    }
    return handing_over.ask(service=service, **{**said, **more})


def test_a_duty_moves_when_the_receiver_accepts_and_an_approver_approves():
    row = asked(make_service())
    service = row.service
    notice = Notice.objects.get(key=f"hand-over/{row.pk}")
    assert notice.recipient == "nora@example.org" and "Tom retires" in notice.body and "/services/pacs/ownership/" in notice.body
    assert service.version_at(NOON + DAY).owner.username == "owner"
    make_approver()
    done = handing_over.accept(hand_over=row, by=make_user("nora"), at=NOON + 2 * DAY)
    assert (done.accepted, done.version.state, done.version.level) == (True, "in_review", "minor")
    assert Notice.objects.filter(key__startswith=f"version/{done.version.pk}/submitted/").exists()
    publishing.approve(version=done.version, by=make_approver(), at=NOON + 2 * DAY)
    assert service.version_at(NOON + 2 * DAY).owner.username == "nora"
    assert service.version_at(NOON + DAY).owner.username == "owner", "history stays"


def test_only_the_receiver_answers_and_only_once():
    row = asked(make_service())
    with pytest.raises(NotAllowed, match="Only nora can answer"):
        handing_over.accept(hand_over=row, by=make_author(), at=NOON + DAY)
    with pytest.raises(NotReady, match="Say why"):
        handing_over.decline(hand_over=row, by=make_user("nora"), at=NOON + DAY, reason=" ")
    handing_over.decline(hand_over=row, by=make_user("nora"), at=NOON + DAY, reason="No time")
    with pytest.raises(WrongState):
        handing_over.accept(hand_over=row, by=make_user("nora"), at=NOON + DAY)
    assert not Service.objects.get().versions.filter(state="in_review").exists()
    with pytest.raises(DatabaseError, match="answer that was given stays"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_handover SET accepted = true WHERE id = %s", [row.pk])


def test_a_hand_over_that_cannot_be_says_why():
    service = make_service()
    for receiver, told in ((make_user("owner"), "holds this duty already"), (make_user("gone", is_active=False), "has left")):
        with pytest.raises(NotReady, match=told):
            asked(service, receiver=receiver)
    asked(service)
    with pytest.raises(NotReady, match="waits for its answer already"):
        asked(service, receiver=make_user("zoe"))
    with pytest.raises(NotReady, match="not in force"):
        asked(make_draft("new").service)


def team_of(name, *people):
    with because("test"):
        team, _ = Team.objects.get_or_create(name=name, defaults={"email": f"{name}@example.org"})
        for person in people:
            TeamMember.objects.create(team=team, person=person)
    return team


def test_the_backups_go_to_another_team_when_one_of_its_members_accepts():
    service = make_service()
    before = service.version_at(NOON).operations_team
    team = team_of("databases", make_user("nora"), make_user("ola"), make_author(), make_user("gone", is_active=False))
    row = asked(service, duty="operations_team", receiver=None, team=team)
    assert (row.giving, row.receiving) == (str(before), "databases")
    told = Notice.objects.filter(key__startswith=f"hand-over/{row.pk}/")
    assert {one.recipient for one in told} == {"nora@example.org", "ola@example.org"}
    assert "Will databases run the backups of" in told[0].subject and f"Until then {before} does." in told[0].body
    for other in (make_user("zoe"), make_author(), make_user("gone")):
        with pytest.raises(NotAllowed, match="Only a member of databases who did not ask for it"):
            handing_over.accept(hand_over=row, by=other, at=NOON + DAY)
    assert HandOver.objects.filter(handing_over.asked_of(make_user("ola"))).get() == row
    done = handing_over.accept(hand_over=row, by=make_user("ola"), at=NOON + 2 * DAY, reason="Gladly")
    assert (done.receiver.username, done.accepted, done.version.state) == ("ola", True, "in_review")
    publishing.approve(version=done.version, by=make_approver(), at=NOON + 2 * DAY)
    assert service.version_at(NOON + 2 * DAY).operations_team == team
    assert service.version_at(NOON + DAY).operations_team == before, "history stays"


def test_a_team_in_which_nobody_else_could_accept_is_asked_nothing():
    service = make_service()
    own = service.version_at(NOON).operations_team
    for team, told in ((team_of("empty"), "Nobody but you could accept"), (team_of("mine", make_author()), "Nobody but you could accept"),
                       (own, "holds this duty already"), (None, "Choose the team")):  # fmt: skip
        with pytest.raises(NotReady, match=told):
            asked(service, duty="operations_team", receiver=None, team=team)
    row = asked(service, duty="operations_team", receiver=None, team=team_of("full", make_user("nora")))
    for broken in ("team_id = former_team_id", "giver_id = asked_by_id", "team_id = NULL", "answered_at = now(), accepted = true"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE catalogue_handover SET {broken} WHERE id = %s", [row.pk])


def test_an_open_version_keeps_a_hand_over_waiting_with_a_sentence():
    row = asked(make_service())
    make_draft()
    with pytest.raises(NotReady, match=r"Version 2 is draft: author finishes or cancels it first\. Then accept"):
        handing_over.accept(hand_over=row, by=make_user("nora"), at=NOON + DAY)
    assert HandOver.objects.get().answered_at is None
    draft = row.service.versions.get(number=2)
    publishing.cancel(version=draft, by=make_author(), at=NOON + DAY, reason="x")
    handing_over.decline(hand_over=row, by=make_user("nora"), at=NOON + DAY, reason="No time")
    make_draft(at=NOON + DAY)
    with pytest.raises(NotReady, match=r"Version 3 of pacs is draft: finish or cancel it first, or name the receiver in it\."):
        handing_over.ask(service=row.service, duty="owner", receiver=make_user("nora"), by=make_author(), at=NOON + DAY, reason="x")


def opened(*services, due=30):
    return attesting.open_round(services=services, title="Yearly check", due_on=(NOON + due * DAY).date(), by=make_author(), at=NOON + DAY)


def test_owners_answer_for_many_entries_at_once_and_once():
    one, two = make_service("one"), make_service("two")
    other = make_service("other", owner=make_user("olga"))
    made = opened(one, two, other)
    assert made.attestations.count() == 3 and Notice.objects.filter(key__startswith="attestation/").count() == 2
    owner = make_user("owner")
    with pytest.raises(NotReady, match="Say what is not right"):
        attesting.answer(round=made, right=[], wrong={two.pk: " "}, by=owner, at=NOON + 2 * DAY)
    assert attesting.answer(round=made, right=[one.pk, other.pk], wrong={two.pk: "Tier is 1"}, by=owner, at=NOON + 2 * DAY) == 2
    assert attesting.answer(round=made, right=[two.pk], wrong={}, by=owner, at=NOON + 3 * DAY) == 0
    said = {row.service.code: (row.right, row.remark) for row in made.attestations.select_related("service")}
    assert said == {"one": (True, ""), "two": (False, "Tier is 1"), "other": (None, "")}
    with pytest.raises(DatabaseError, match="answer that was given stays"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute('UPDATE catalogue_attestation SET "right" = true WHERE service_id = %s', [two.pk])


def test_who_has_not_answered_is_reminded_before_on_and_every_week_after_the_day():
    made = opened(make_service())
    day = NOON + 30 * DAY
    written = [attesting.remind(at=day + shift * DAY) for shift in (-20, -7, -6, 0, 1, 7, 8, 14)]
    assert written == [0, 1, 0, 1, 0, 1, 0, 1]
    assert "Overdue" in Notice.objects.latest("pk").subject
    attesting.answer(round=made, right=[made.attestations.get().service_id], wrong={}, by=make_user("owner"), at=day)
    assert attesting.remind(at=day + 21 * DAY) == 0


def test_what_a_former_owner_did_not_answer_is_asked_of_the_one_in_force():
    made = opened(make_service(), make_service("ris"))
    answered = Service.objects.get(code="ris")
    attesting.answer(round=made, right=[answered.pk], wrong={}, by=make_user("owner"), at=NOON + DAY)
    assert attesting.follow_owners(at=NOON + 2 * DAY) == 0
    for row in (asked(Service.objects.get(code="pacs")), asked(answered)):
        done = handing_over.accept(hand_over=row, by=make_user("nora"), at=NOON + 2 * DAY)
        publishing.approve(version=done.version, by=make_approver(), at=NOON + 2 * DAY)
    assert attesting.follow_owners(at=NOON + 3 * DAY) == 1
    told = {row.service.code: (row.person.username, row.version.number) for row in made.attestations.all()}
    assert told == {"pacs": ("nora", 2), "ris": ("owner", 1)}, "what was answered stays with who said it"
    mail = Notice.objects.get(recipient="nora@example.org", key__startswith=f"attestation/{made.pk}/")
    assert "Service pacs" in mail.body and "Service ris" not in mail.body
    late = {Service.objects.get(code="pacs").pk: "Not mine any more"}
    assert attesting.answer(round=made, right=[], wrong=late, by=make_user("owner"), at=NOON + 3 * DAY) == 0
    assert attesting.follow_owners(at=NOON + 4 * DAY) == 0


def test_between_a_change_and_the_hour_nobody_attests_what_is_not_in_force_nor_what_is_not_theirs():
    service = make_service()
    made, owner = opened(service), make_user("owner")
    said = {"round": made, "right": [service.pk], "wrong": {}, "at": NOON + 3 * DAY}
    make_service(rpo_s=180_000, at=NOON + 2 * DAY)
    with pytest.raises(NotReady, match=r"Version 2 of .* is in force by now: read that"):
        attesting.answer(**said, by=owner)
    row = made.attestations.get()
    assert (row.version.number, row.answered_at) == (2, None), "it is asked about what is in force"
    with pytest.raises(NotReady, match="Version 2"):
        attesting.answer(**said, by=owner, read={service.pk: 1})
    done = handing_over.accept(hand_over=asked(service), by=make_user("nora"), at=NOON + 3 * DAY)
    publishing.approve(version=done.version, by=make_approver(), at=NOON + 3 * DAY)
    with pytest.raises(NotReady, match=r"nora answers for .* by now, and is asked instead"):
        attesting.answer(**said, by=owner)
    assert Notice.objects.filter(recipient="nora@example.org", key__startswith=f"attestation/{made.pk}/").exists()
    assert attesting.answer(**said, by=make_user("nora")) == 1
    assert [(row.version.number, row.person.username) for row in made.attestations.all()] == [(3, "nora")]


def test_of_an_entry_that_left_nothing_is_attested():
    service = make_service()
    made = opened(service)
    take_out(service, at=NOON + 2 * DAY)
    with pytest.raises(NotReady, match=r"No version of .* is in force any more"):
        attesting.answer(round=made, right=[service.pk], wrong={}, by=make_user("owner"), at=NOON + 3 * DAY)


def test_a_round_that_asks_nobody_is_refused():
    with pytest.raises(NotReady) as refusal:
        attesting.open_round(services=[make_draft().service], title=" ", due_on=dt.date(2020, 1, 1), by=make_author(), at=NOON)
    assert len(refusal.value.problems) == 3


def told(service, at=NOON):
    return [gap.kind for gap in responsibilities.gaps(services=[service.pk], at=at)]


def test_gaps_are_found():
    service = make_service("good", review_due_on=(NOON + DAY).date())
    assert told(service) == []
    assert told(service, NOON + 3 * DAY) == ["review"]
    owner = make_user("owner")
    owner.is_active = False
    owner.save()
    assert told(service) == ["owner"]
    with because("test"):
        team = service.version_at(NOON).operations_team
        team.email = ""
        team.save()
    assert told(service) == ["owner", "team"]
    assert told(make_service("same", owner=make_author(), steward=make_author(), labels=["odd"])) == ["owner", "team", "review", "label"]


def test_not_right_is_a_gap_until_a_steward_answers_it_whatever_is_approved_meanwhile():
    service = make_service(review_due_on=dt.date(2027, 1, 1))
    made = opened(service)
    assert told(service, NOON + 40 * DAY) == ["attestation"]
    attesting.answer(round=made, right=[], wrong={service.pk: "Tier is 1."}, by=make_user("owner"), at=NOON + 2 * DAY)
    assert told(service, NOON + 40 * DAY) == ["wrong"]
    make_service("pacs", at=NOON + 3 * DAY, tier=1)
    assert told(service, NOON + 40 * DAY) == ["wrong"], "nobody said that it mends what was meant"
    asked = {"attestation": made.attestations.get(), "at": NOON + 4 * DAY}
    with pytest.raises(NotAllowed):
        replying.reply(text="It is", by=make_user("stranger"), **asked)
    with pytest.raises(NotReady, match="Say in at most"):
        replying.reply(text=" ", by=make_author(), **asked)
    with pytest.raises(NotReady, match="approved after its owner said so"):
        replying.reply(text="It is", version=service.versions.get(number=1), by=make_author(), **asked)
    replying.reply(text="Tier 1 it is.", version=service.versions.get(number=2), by=make_author(), **asked)
    assert told(service, NOON + 40 * DAY) == [] and told(service, NOON + 3 * DAY) == ["wrong"], "and of then what was known then"
    mail = Notice.objects.get(key__startswith=f"told/attestation/{asked['attestation'].pk}/reply")
    assert mail.recipient == "owner@example.org" and "“Tier is 1.”. Version 2 takes it up." in mail.body and "Tier 1 it is." in mail.body
    with pytest.raises(WrongState, match="Nothing waits for an answer"):
        replying.reply(text="Again", by=make_author(), **asked)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_attestationreply SET text = 'other'")


def test_not_right_is_over_when_the_owner_attests_anew():
    service = make_service(review_due_on=dt.date(2027, 1, 1))
    first = opened(service)
    attesting.answer(round=first, right=[], wrong={service.pk: "Tier is 1."}, by=make_user("owner"), at=NOON + DAY)
    again = attesting.open_round(
        services=[service], title="Once more", due_on=(NOON + 60 * DAY).date(), by=make_author(), at=NOON + 2 * DAY
    )  # fmt: skip
    assert told(service, NOON + 3 * DAY) == ["wrong"]
    attesting.answer(round=again, right=[service.pk], wrong={}, by=make_user("owner"), at=NOON + 4 * DAY)
    assert told(service, NOON + 5 * DAY) == []
    with pytest.raises(WrongState):
        replying.reply(attestation=first.attestations.get(), text="x", by=make_author(), at=NOON + 5 * DAY)


def test_gaps_ask_as_often_for_many_entries_as_for_few(django_assert_max_num_queries):
    make_service("s0")
    with django_assert_max_num_queries(12) as few:
        responsibilities.gaps(services=Service.objects.all(), at=NOON)
    for number in range(1, 11):
        make_service(f"s{number}")
    with django_assert_max_num_queries(len(few.captured_queries)):
        assert len(responsibilities.gaps(services=Service.objects.all(), at=NOON)) == 11


def test_a_job_that_two_entries_claim_is_found(django_assert_num_queries):
    one, two = make_service("one"), make_service("two")
    tool = make_tool()
    make_job(tool, "pacs-nightly", service=one)
    make_job(tool, "ris-nightly", service=two)
    assert overlaps(jobs=BackupJob.objects.all(), at=NOON) == []
    claim = make_rule(two, tool, "pacs-nightly")
    with django_assert_num_queries(3):
        (found,) = overlaps(jobs=BackupJob.objects.all(), at=NOON)
    assert found.job.external_id == "pacs-nightly" and found.rules[1] == claim and len(found.rules) == 2


def test_nobody_is_accountable_twice_and_somebody_always_is():
    for _, letters in responsibilities.MATRIX:
        assert sum("A" in letter for letter in letters) == 1 and sum("R" in letter for letter in letters) >= 1
    service = make_service()
    with pytest.raises((DatabaseError, IntegrityError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_serviceversion SET owner_id = NULL WHERE service_id = %s", [service.pk])
    assert Attestation.objects.count() == 0


def auditor():
    person = make_user("ada", first_name="Ada", last_name="Audit")
    person.groups.add(Group.objects.get_or_create(name="auditor")[0])
    return person


def test_nobody_answers_for_an_entry_that_they_audit():
    person = auditor()
    for duty in ("owner", "steward"):
        with pytest.raises(NotReady, match=f"Ada Audit cannot be its {duty}: auditor and {duty} exclude each other"):
            make_draft(f"new-{duty}", **{duty: person})
    service = make_service()
    with pytest.raises(NotReady, match="Ada Audit cannot be its owner"):
        handing_over.ask(service=service, duty="owner", receiver=person, by=make_author(), at=NOON, reason="Moved")
    assert person not in naming.candidates("owner", NOON) and make_user("owner") in naming.candidates("owner", NOON)


def test_who_becomes_an_auditor_is_a_gap_of_the_entries_that_name_them_and_their_next_version_needs_somebody_else():
    service = make_service(review_due_on=dt.date(2027, 1, 1), owner=make_user("ada", first_name="Ada", last_name="Audit"))
    auditor()
    (gap,) = responsibilities.gaps(services=[service.pk], at=NOON)
    assert gap.cause == "The owner holds a duty that excludes it" and "Hand the duty over" in gap.sentence
    draft = make_draft(name="Other")
    with pytest.raises(NotReady, match="Ada Audit cannot be its owner"):
        publishing.submit(version=draft, by=make_author(), at=NOON)


def test_a_steward_who_measures_needs_an_exception():
    person = make_user("mona", "monitoring.change_tool")
    assert "mona cannot be its steward: monitoring-admin and steward exclude each other" in naming.refusal(person, "steward", NOON)
    assert naming.refusal(person, "owner", NOON) == ""
    with because("test"):
        DutyException.objects.create(
            person=person, one="steward", other="monitoring-admin", reason="Small team", owner=make_user("owner"), approver=make_approver(),
            approved_at=NOON, valid_from=NOON, valid_until=NOON + 30 * DAY,
        )  # fmt: skip
    assert naming.refusal(person, "steward", NOON) == "" != naming.refusal(person, "steward", NOON + 31 * DAY)
