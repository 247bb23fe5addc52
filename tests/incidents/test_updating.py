"""What people are told of a major incident: rendered from figures, approved by somebody else, sent once to each, and kept."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.template.loader import render_to_string
from django.test import Client

from catalogue.models import Relation
from incidents import advising, gathering, leading, nominating, rendering, reviewing, updating, working
from incidents.models import AudienceTemplate, Incident, MajorDelivery, MajorIncident, MajorMessage, MajorUpdate, ReviewAnswer
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from itsm_backup.common.time import now
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.major_lead import lead_of
from itsm_backup.portal.update_page import states_then, telling_of, update_page
from itsm_backup.portal.words import person
from monitoring import tokens
from monitoring.models import Alert, ServiceState
from tests.factories import make_admin, make_service, make_user, push, restore_record, run_record
from tests.portal.makers import HOUR, make_estate, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.6")]
MINUTE = dt.timedelta(minutes=1)
ALL = ["responders", "owners", "compliance", "executives", "business"]
WORDS = "New disks are built in."


@pytest.fixture
def estate(noon):
    return make_estate(noon)


@pytest.fixture
def people(estate):
    roles = {"manager": "incident-manager", "lead": "operator", "user": "stakeholder", "boss": "executive", "auditor": "auditor"}
    return {name: make_person(role, estate.at) for name, role in roles.items()}


@pytest.fixture
def major(estate, people):
    made = nominating.propose(incident=Incident.objects.get(), reason="The clinic waits", by=people["lead"], at=estate.at)
    return leading.declare(
        major=made, manager=people["manager"], communications_lead=people["lead"], interval_min=None, by=people["manager"], at=estate.at
    )


def drafted(major, people, *, at, words=WORDS, details="", audiences=ALL):
    return updating.draft(major=major, words=words, details=details, audiences=audiences, by=people["lead"], at=at)


def issued(user):
    return tokens.issue(user=user, scope="write", tool=None, at=now(), days=1)


def body_of(update, audience):
    return update.messages.get(audience=audience).body


def test_each_audience_is_told_what_is_known_and_no_more(estate, major, people):
    update = drafted(major, people, at=estate.at, details="Pool NAS-02 on bkp-ctl-02")
    business, responders = body_of(update, "business"), body_of(update, "responders")
    assert "Backups of Imaging archive are disturbed." in business and "Concerned: Radiology" in business
    assert "If Imaging archive failed now, its data since Tue 14 Jul 2026, 07:00 UTC would be lost." in business
    assert "How long a restore takes: Imaging archive: not measured" in business
    assert "Next update: by Tue 14 Jul 2026, 12:30 UTC" in business and "As of Tue 14 Jul 2026, 12:00 UTC." in business
    for inside in ("NAS-02", "bkp-ctl-02", "pacs", "Details", "P1"):
        assert inside not in business and inside not in body_of(update, "executives")
    assert "Details: Pool NAS-02 on bkp-ctl-02" in responders and "newest copy 5 h old, promised 4 h" in responders
    assert "Would stop with it: Radiology reporting (tier 2)" in responders and "Alerts:" in responders
    assert "Data: Patient data" in body_of(update, "compliance")


def test_a_restore_time_is_told_only_with_the_test_that_measured_it(estate, major, people):
    push(estate.tool, restore_record("pacs-2h", "success", estate.at - 3 * HOUR, minutes=42), at=estate.at)
    journey.advance(at=estate.at)
    update = drafted(major, people, at=estate.at)
    assert "Imaging archive: 42 min in the test of 14 Jul 2026" in body_of(update, "business")


def test_whoever_answers_for_what_is_in_breach_is_told_for_that(estate, major, people):
    owner = estate.imaging.versions.get().owner
    owner.email = "owner@example.org"
    owner.save()
    with because("test"):
        later = make_service("SVC-000", at=estate.at - HOUR, name="Aa first by name", owner=owner)
        Relation.objects.create(provider=estate.imaging, consumer=later)
    update = drafted(major, people, at=estate.at)
    (row,) = [to for to in update.messages.get(audience="owners").recipients if to["address"] == owner.email]
    assert row["why"] == "owner of Imaging archive"


def test_other_words_stand_in_the_story_with_who_wrote_them(estate, major, people):
    update = drafted(major, people, at=estate.at)
    updating.reword(update=update, words="Disks are here.", details="", by=people["manager"], at=estate.at)
    told = major.incident.entries.filter(kind="major").latest("pk").text
    assert told == f"{update} put in other words by Incident-manager Person"


def test_everybody_is_listed_with_why_and_told_once_as_who_is_told_most(estate, major, people):
    with because("test"):
        template = rendering.templates()["business"]
        template.addresses = ["all@example.org", people["lead"].email.upper()]
        template.save()
    update = drafted(major, people, at=estate.at)
    rows = {one.audience: {to["address"]: to for to in one.recipients} for one in update.messages.all()}
    assert rows["responders"][people["lead"].email]["why"] == "tells people of it"
    assert rows["business"][people["user"].email]["why"] == "stakeholder who sees one of the services"
    assert rows["business"][people["lead"].email.upper()]["instead"] == "responders"
    assert any(one["why"] == "owner of Radiology reporting" for one in rows["owners"].values())
    updating.send(update=update, by=people["manager"], at=estate.at)
    told = list(MajorDelivery.objects.values_list("address", flat=True))
    assert len(told) == len({one.lower() for one in told}) and {"all@example.org", people["boss"].email, people["auditor"].email} <= set(
        told
    )
    assert MajorDelivery.objects.get(address=people["lead"].email).message.audience == "responders"


def test_who_may_see_none_of_the_services_is_not_told(estate, major, people):
    other = make_person("stakeholder", estate.at, services=[estate.research])
    mine = make_person("stakeholder", estate.at, services=[estate.reporting])
    told = {one["address"] for one in drafted(major, people, at=estate.at).messages.get(audience="business").recipients}
    assert mine.email in told and other.email not in told


def test_an_author_never_approves_whoever_they_are(estate, major, people):
    root = make_admin()
    update = updating.draft(major=major, words=WORDS, details="", audiences=ALL, by=root, at=estate.at)
    with pytest.raises(working.NotPossible, match=r"An author never approves: you wrote it\. Incident-manager Person can\."):
        updating.send(update=update, by=root, at=estate.at)
    updating.reword(update=update, words="Other words.", details="", by=people["manager"], at=estate.at)
    with pytest.raises(working.NotPossible, match="An author never approves"):
        updating.send(update=update, by=people["manager"], at=estate.at)
    for who in (root, people["manager"]):
        with pytest.raises(DatabaseError), transaction.atomic():
            MajorUpdate.objects.filter(pk=update.pk).update(approver=who, state="sent", sent_at=estate.at, content_hash="x")
    assert not MajorDelivery.objects.exists()
    other = make_person("incident-manager", estate.at)
    update = updating.render_again(update=update, by=other, at=estate.at)
    assert updating.send(update=update, by=other, at=estate.at).approver == other  # to render again is not to write


def test_figures_that_changed_since_the_preview_are_rendered_and_approved_again(estate, major, people):
    update = drafted(major, people, at=estate.at)
    push(estate.tool, run_record("pacs-2h", "success", estate.at - MINUTE, minutes=0), at=estate.at)
    journey.advance(at=estate.at + MINUTE)
    with pytest.raises(working.NotPossible, match=r"Figures have changed since the preview: .*newest copies"):
        updating.send(update=update, by=people["manager"], at=estate.at + MINUTE)
    update = updating.render_again(update=update, by=people["lead"], at=estate.at + MINUTE)
    assert updating.send(update=update, by=people["manager"], at=estate.at + 2 * MINUTE).state == "sent"


def test_a_preview_that_is_old_or_reaches_others_is_rendered_again(estate, major, people):
    update = drafted(major, people, at=estate.at)
    assert "the preview is older" in " ".join(updating.changes(update, at=estate.at + 31 * MINUTE))
    make_person("executive", estate.at)
    assert updating.changes(update, at=estate.at) == ["who is told"]


def test_what_was_sent_is_frozen_with_its_hash(estate, major, people):
    update = updating.send(update=drafted(major, people, at=estate.at), by=people["manager"], at=estate.at + MINUTE)
    texts = [[one.audience, one.subject, one.body] for one in update.messages.all()]
    assert update.content_hash == gathering.hash_of(texts)
    for rows, change in (
        (MajorMessage.objects, {"body": "x"}),
        (MajorUpdate.objects, {"words": "x"}),
        (MajorDelivery.objects, {"who": "x"}),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.all().delete()
    with pytest.raises(working.NotPossible, match="is sent: it stays as it is"):
        updating.send(update=update, by=people["manager"], at=estate.at + MINUTE)


def test_the_next_one_is_due_when_people_were_told_it_is(estate, major, people):
    updating.send(update=drafted(major, people, at=estate.at + 10 * MINUTE), by=people["manager"], at=estate.at + 15 * MINUTE)
    major.refresh_from_db()
    assert major.next_update_at == major.remind_at == estate.at + 40 * MINUTE


def test_mails_of_one_person_go_on_with_the_first(estate, major, people):
    for minutes in (0, 10):
        updating.send(update=drafted(major, people, at=estate.at + minutes * MINUTE), by=people["manager"], at=estate.at + minutes * MINUTE)
    first, second = Notice.objects.filter(recipient=people["boss"].email).order_by("pk")
    assert second.follows == first and second.headers["In-Reply-To"] == first.message_id and first.thread == second.thread
    assert "In-Reply-To" not in first.headers


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"words": " "}, "Say what is being done"),
        ({"words": "It will be back by 14:00."}, "“It will be back by 14:00.” promises a time that nobody measured"),
        ({"details": "Done within 2 hours"}, "promises a time"),
        ({"words": "NAS-02 is full"}, "“NAS-02”: compliance, executives, business users are told no names"),
        ({"words": "x" * 2_001}, "2,001 characters, and 2,000 fit"),
        ({"audiences": []}, "Choose at least one audience"),
    ],
)
def test_words_that_may_not_be_said_are_refused_with_a_sentence(estate, major, people, said, told):
    with pytest.raises(working.NotPossible, match=told):
        drafted(major, people, at=estate.at, **said)


def test_one_draft_waits_at_a_time_and_can_be_withdrawn_with_a_reason(estate, major, people):
    update = drafted(major, people, at=estate.at)
    with pytest.raises(working.NotPossible, match="waits for somebody to approve it"):
        drafted(major, people, at=estate.at)
    with pytest.raises(working.NotPossible, match="Say why"):
        updating.withdraw(update=update, reason=" ", by=people["lead"], at=estate.at)
    updating.withdraw(update=update, reason="Wrong service", by=people["lead"], at=estate.at)
    assert drafted(major, people, at=estate.at).number == 2


def test_whoever_was_told_of_it_is_told_that_it_is_over(estate, major, people):
    updating.send(update=drafted(major, people, at=estate.at, audiences=["business", "owners"]), by=people["manager"], at=estate.at)
    leading.move(major=major, to="mitigating", reason="", by=people["manager"], at=estate.at)
    ended = {"resolution": "fixed", "cause": "storage", "reason": "new disks"}
    working.move(incident=major.incident, to="resolved", by=people["lead"], at=estate.at + HOUR, **ended)
    leading.move(major=major, to="resolved", reason="", by=people["manager"], at=estate.at + HOUR)
    with pytest.raises(working.NotPossible, match="is told that it is over: choose service owners, too"):
        drafted(major, people, at=estate.at + HOUR, audiences=["business"])
    closure = drafted(major, people, at=estate.at + HOUR, audiences=["business", "owners"])
    assert closure.kind == "closure" and "It ended Tue 14 Jul 2026, 13:00 UTC: fixed." in body_of(closure, "business")
    updating.send(update=closure, by=people["manager"], at=estate.at + HOUR)
    major.refresh_from_db()
    assert (major.next_update_at, major.remind_at) == (None, None)
    with pytest.raises(working.NotPossible, match="was sent already"):
        drafted(major, people, at=estate.at + HOUR)


def test_a_template_is_versioned_and_refuses_what_it_may_not_say(estate, major, people):
    template = rendering.templates()["business"]
    template.body = "{headline} because {cause}"
    with pytest.raises(ValidationError, match="says more than business users are told"):
        template.full_clean()
    template.body = "{headline}: {words}"
    template.full_clean()
    with because("Shorter", by=make_user()):
        template.save()
    message = drafted(major, people, at=estate.at).messages.get(audience="business")
    assert template.version == 2 and message.body.startswith("Backups of Imaging archive are disturbed: New disks are built in.")
    assert message.template_version == AudienceTemplate.history.model.objects.filter(audience="business").latest("history_id").history_id


def over(major, people, *, at):
    """Mitigated, its incident ended by hand, resolved."""
    leading.move(major=major, to="mitigating", reason="", by=people["manager"], at=at)
    ended = {"resolution": "fixed", "cause": "storage", "reason": "new disks"}
    working.move(incident=major.incident, to="resolved", by=people["lead"], at=at, **ended)
    return leading.move(major=major, to="resolved", reason="", by=people["manager"], at=at)


def publish_review(incident, people, *, at):
    """Written by who tells of it, published by somebody else."""
    review = reviewing.start(incident=incident, by=people["lead"], at=at)
    for question in ReviewAnswer.Question.values:
        reviewing.answer(review=review, question=question, said="yes", note="", by=people["lead"], at=at)
    reviewing.write(review=review, cause="The pool was full", went_wrong="Nobody watched it", by=people["lead"], at=at)
    reviewing.submit(review=review, by=people["lead"], at=at)
    reviewing.publish(review=review, by=make_person("change-manager", at), at=at)


def test_it_is_closed_when_people_were_told_and_its_review_is_published(estate, major, people):
    by = {"by": people["manager"], "reason": "", "at": estate.at + HOUR}
    over(major, people, at=estate.at + HOUR)
    review = major.incident.reviews.get()
    assert review.required and review.state == "proposed"
    leading.move(major=major, to="review", **by)
    with pytest.raises(working.NotPossible, match="write the closing message"):
        leading.move(major=major, to="closed", **by)
    updating.send(update=drafted(major, people, at=estate.at + HOUR), by=people["manager"], at=estate.at + HOUR)
    with pytest.raises(working.NotPossible, match="is not published yet"):
        leading.move(major=major, to="closed", **by)
    with pytest.raises(DatabaseError), transaction.atomic():
        MajorIncident.objects.filter(pk=major.pk).update(state="closed", closed_at=estate.at)
    publish_review(major.incident, people, at=estate.at + HOUR)
    closed = leading.move(major=major, to="closed", **by)
    assert (closed.state, closed.closed_at, closed.next_update_at) == ("closed", estate.at + HOUR, None)


def test_it_is_closed_also_when_the_closing_message_was_sent_before_it_is_reviewed(estate, major, people):
    by = {"by": people["manager"], "reason": "", "at": estate.at + 2 * HOUR}
    over(major, people, at=estate.at + HOUR)
    updating.send(update=drafted(major, people, at=estate.at + HOUR), by=people["manager"], at=estate.at + HOUR)
    assert leading.move(major=major, to="review", **by).next_update_at is None, "it was told: nothing is due, and nobody is reminded"
    publish_review(major.incident, people, at=estate.at + 2 * HOUR)
    assert leading.move(major=major, to="closed", **by).state == "closed"


def test_what_stood_as_due_though_it_was_told_keeps_nobody_from_closing_it(estate, major, people):
    over(major, people, at=estate.at + HOUR)
    updating.send(update=drafted(major, people, at=estate.at + HOUR), by=people["manager"], at=estate.at + HOUR)
    leading.move(major=major, to="review", reason="", by=people["manager"], at=estate.at + HOUR)
    MajorIncident.objects.filter(pk=major.pk).update(next_update_at=estate.at + 2 * HOUR, remind_at=estate.at + 2 * HOUR)
    publish_review(major.incident, people, at=estate.at + HOUR)
    closed = leading.move(major=major, to="closed", reason="", by=people["manager"], at=estate.at + HOUR)
    assert (closed.next_update_at, closed.remind_at) == (None, None)


def again(major, people, *, at):
    """Its incident was reopened, and it is mitigated again."""
    working.move(incident=Incident.objects.get(pk=major.incident_id), to="in_progress", by=people["lead"], at=at, reason="It is full again")
    return leading.move(major=major, to="mitigating", reason="It is full again", by=people["manager"], at=at)


def test_what_comes_back_after_its_closing_message_is_told_of_again_and_ends_with_one_of_its_own(estate, major, people):
    over(major, people, at=estate.at + HOUR)
    updating.send(update=drafted(major, people, at=estate.at + HOUR), by=people["manager"], at=estate.at + HOUR)
    back = again(major, people, at=estate.at + 2 * HOUR)
    assert back.next_update_at == estate.at + 2 * HOUR + 30 * MINUTE
    page = telling_of(major=back, user=people["lead"], moment=Moment(at=estate.at + 2 * HOUR, now=estate.at + 2 * HOUR))
    assert page.may_write and not page.closes and {one.value for one in page.audiences if one.chosen} == set(ALL)
    told = drafted(back, people, at=estate.at + 2 * HOUR)
    assert told.kind == "update"
    updating.send(update=told, by=people["manager"], at=estate.at + 2 * HOUR)
    ended = {"resolution": "fixed", "cause": "storage", "reason": "more disks"}
    at = estate.at + 3 * HOUR
    working.move(incident=Incident.objects.get(), to="resolved", by=people["lead"], at=at, **ended)
    leading.move(major=major, to="resolved", reason="", by=people["manager"], at=at)
    leading.move(major=major, to="review", reason="", by=people["manager"], at=at)
    publish_review(Incident.objects.get(), people, at=at)
    with pytest.raises(working.NotPossible, match="write the closing message"):
        leading.move(major=major, to="closed", reason="", by=people["manager"], at=at)
    closure = drafted(major, people, at=at)
    assert closure.kind == "closure"
    updating.send(update=closure, by=people["manager"], at=at)
    assert leading.move(major=major, to="closed", reason="", by=people["manager"], at=at).state == "closed"


def test_a_draft_that_says_it_is_over_is_not_sent_once_it_came_back(estate, major, people):
    over(major, people, at=estate.at + HOUR)
    closure = drafted(major, people, at=estate.at + HOUR)
    again(major, people, at=estate.at + HOUR + MINUTE)
    for act, by in ((updating.send, "manager"), (updating.render_again, "lead")):
        with pytest.raises(working.NotPossible, match=r"is mitigating since this was drafted\. Withdraw it"):
            act(update=closure, by=people[by], at=estate.at + HOUR + MINUTE)
    updating.withdraw(update=closure, reason="It came back", by=people["lead"], at=estate.at + HOUR + MINUTE)
    assert drafted(major, people, at=estate.at + HOUR + MINUTE).kind == "update"


def test_business_users_read_what_works_what_is_affected_and_what_to_do(estate, major, people):
    told = body_of(drafted(major, people, at=estate.at), "business")
    assert "Affected: The backups of Imaging archive are not as promised." in told
    assert "What works: The backups of Radiology reporting are as promised. Of 2 services of Radiology, 1 keeps its backup promise" in told
    assert "1 does not. Whether the services themselves run is not measured here." in told
    assert "What to do: Imaging archive: keep originals of all that was entered since Tue 14 Jul 2026, 07:00 UTC. No copy has it." in told
    assert "If data is missing or looks wrong there, do not mend it yourself: tell Operator Person." in told
    assert told.index("For other services there is nothing to do.") < told.index("What is being done: New disks are built in.")


def test_nothing_is_to_be_done_where_promises_are_kept_again(estate, major, people):
    push(estate.tool, run_record("pacs-2h", "success", estate.at - MINUTE, minutes=0), at=estate.at)
    journey.advance(at=estate.at + MINUTE)
    told = body_of(drafted(major, people, at=estate.at + MINUTE), "business")
    assert "Affected:" not in told
    assert "What works: The backups of Imaging archive and Radiology reporting are as promised." in told
    assert "What to do: Nothing any more.\nImaging archive: what was entered before Tue 14 Jul 2026, 11:59 UTC is in a copy." in told


def test_a_service_elsewhere_that_moves_changes_nothing_and_one_of_the_department_does(estate, major, people):
    update = drafted(major, people, at=estate.at)
    with because("test"):
        make_service("SVC-051", at=estate.at - HOUR, name="Theatre plan", department="Surgery")
        assert updating.changes(update, at=estate.at) == []
        make_service("SVC-050", at=estate.at - HOUR, name="Dose register", department="Radiology")
    assert updating.changes(update, at=estate.at) == ["services of the departments concerned"]
    told = body_of(updating.render_again(update=update, by=people["lead"], at=estate.at), "business")
    assert "Of 3 services of Radiology, 1 keeps its backup promise, 1 does not, of 1 nothing is known." in told


def test_when_it_is_over_people_read_what_is_in_a_copy_and_what_is_not(estate, major, people):
    over(major, people, at=estate.at + HOUR)
    told = body_of(drafted(major, people, at=estate.at + HOUR), "business")
    assert "Not as promised yet: The backups of Imaging archive are not as promised." in told
    assert "What to do: Imaging archive: go on keeping originals of all that was entered since Tue 14 Jul 2026, 07:00 UTC." in told
    push(estate.tool, run_record("pacs-2h", "success", estate.at + HOUR, minutes=0), at=estate.at + HOUR)
    journey.advance(at=estate.at + HOUR + MINUTE)
    told = body_of(updating.render_again(update=MajorUpdate.objects.get(), by=people["lead"], at=estate.at + HOUR + MINUTE), "business")
    assert "Not as promised" not in told
    assert "What to do: Nothing any more.\nImaging archive: what was entered before Tue 14 Jul 2026, 13:00 UTC is in a copy." in told


def test_words_that_nobody_changed_follow_the_product_and_others_stay(estate, major, people):
    rows = rendering.templates()
    with because(rendering.SHIPPED):
        for name in ("business", "owners"):
            rows[name].body = "{headline}. As an earlier version said it."
            rows[name].save()
    with because("Ours", by=make_user()):
        rows["owners"].subject = "{headline}!"
        rows["owners"].save()
    found = rendering.templates()
    assert found["business"].body == rendering.shipped("business")["body"] and found["business"].version == 3
    assert found["owners"].body == "{headline}. As an earlier version said it."
    assert rendering.templates()["business"].version == 3


def test_of_damage_nobody_is_told_that_a_copy_holds_and_of_many_only_the_first_are_named(estate, major, people):
    figures = gathering.figures_of(major, at=estate.at)
    (one,) = figures["services"]
    many = [{**one, "service": number, "name": f"Ward {number}", "verdict": "broken"} for number in range(1, 9)]
    figures |= {"services": many, "consumers": [], "around": [], "damaged": [2], "failed_restores": []}
    assert advising.affected(figures).startswith("A check found the copies of Ward 2 damaged; the backups of Ward 1, Ward 3, Ward 4,")
    told = advising.advice(figures, lead="Nia Watts").splitlines()
    assert told[1] == "Ward 2: keep originals of all that is entered. No copy is known that could be restored."
    assert told[5] == "The same holds for 3 more services: Nia Watts says for which."
    assert "Let nothing be restored there without Nia Watts." in told
    figures["damaged"] = []
    figures["services"], figures["disturbed"] = [{**one, "verdict": "kept"}], []
    assert advising.advice(figures, lead="Nia Watts") == "Nothing: every service that was hit keeps its backup promise now."


def test_a_service_of_the_headline_is_never_told_as_working_nor_left_without_what_to_do(estate, major, people):
    for verdict in ("kept", "at_risk"):
        ServiceState.objects.filter(service=estate.imaging).update(verdict=verdict)
        update = drafted(major, people, at=estate.at)
        told = body_of(update, "business")
        assert "Backups of Imaging archive are disturbed." in told
        assert "Affected: The backups of Imaging archive are disturbed, and no promise of them is broken yet." in told
        assert "What works: The backups of Radiology reporting are as promised." in told
        assert (
            "What to do: Imaging archive: keep originals of all that was entered since Tue 14 Jul 2026, 07:00 UTC. No copy has it." in told
        )
        updating.withdraw(update=update, reason="Next", by=people["lead"], at=estate.at)


def test_a_copy_that_is_known_is_told_as_known_where_nobody_said_when_the_next_is_due(estate, major, people):
    over(major, people, at=estate.at + HOUR)
    ServiceState.objects.update(verdict="no_data")
    figures = gathering.figures_of(MajorIncident.objects.get(), at=estate.at + HOUR)
    assert {one["verdict"] for one in [*figures["services"], *figures["consumers"]]} == {"copy_kept"}
    told = body_of(drafted(major, people, at=estate.at + HOUR), "business")
    assert "nothing is known" not in told and "go on keeping originals" not in told
    assert "What to do: Nothing any more.\nImaging archive: what was entered before Tue 14 Jul 2026, 07:00 UTC is in a copy." in told
    works = advising.still_kept(figures)
    assert works.startswith("The newest copies of Imaging archive and Radiology reporting are no older than promised.")
    assert "Of 2 services of Radiology, 0 keep their backup promise, of 2 the copies alone are known, no older than promised." in works
    ServiceState.objects.update(captured_at=None)
    unknown = advising.affected(gathering.figures_of(MajorIncident.objects.get(), at=estate.at + HOUR))
    assert unknown == "Of the backups of Imaging archive and Radiology reporting nothing is known."


def test_it_is_told_since_the_first_failure_of_all_that_joined_it(estate, major, people):
    Alert.objects.filter(service=estate.imaging).update(opened_at=estate.at - 4 * HOUR)
    told = body_of(drafted(major, people, at=estate.at), "business")
    assert "When: since Tue 14 Jul 2026, 08:00 UTC, for 4 h." in told


def test_after_a_restore_test_that_failed_no_copy_and_no_time_is_told(estate, major, people):
    push(estate.tool, restore_record("pacs-2h", "success", estate.at - 4 * HOUR, minutes=42), at=estate.at)
    push(estate.tool, restore_record("pacs-2h", "failed", estate.at - 3 * HOUR, minutes=42), at=estate.at)
    journey.advance(at=estate.at)
    update = drafted(major, people, at=estate.at)
    for audience in ALL:
        told = body_of(update, audience)
        failed = "restore test of 14 Jul 2026 failed"
        assert f"If Imaging archive failed now, it is not known what could be restored: its {failed}." in told
        assert f"Imaging archive: not known since the {failed}" in told and "42 min" not in told
    told = body_of(update, "business")
    assert "Affected: A restore test of Imaging archive failed." in told
    assert "keep originals of all that is entered. No copy is known that could be restored." in told


def test_what_is_about_restores_alone_does_not_say_that_backups_fail(estate, major, people):
    Alert.objects.update(alert_class=Alert.Class.RTO_TEST_FAILED)
    update = drafted(major, people, at=estate.at)
    assert body_of(update, "executives").startswith("Restore tests of Imaging archive do not keep what is promised.")


def test_approved_is_what_was_read(estate, major, people):
    update = drafted(major, people, at=estate.at)
    read = updating.hash_of(update)
    updating.reword(update=update, words="Other words.", details="", by=people["lead"], at=estate.at)
    with pytest.raises(working.NotPossible, match="It says something else by now than what you read"):
        updating.send(update=update, by=people["manager"], at=estate.at, read=read)
    update.refresh_from_db()
    assert updating.send(update=update, by=people["manager"], at=estate.at, read=updating.hash_of(update)).state == "sent"


def test_no_door_sends_what_somebody_changed_meanwhile(estate, major, people):
    update = drafted(major, people, at=estate.at)
    page, api = Client(), Client(headers={"Authorization": f"Bearer {issued(people['manager'])}"})
    page.force_login(people["manager"], backend="django.contrib.auth.backends.ModelBackend")
    address = f"/major/{major.number}/updates/{update.number}/"
    read = re.search(r'name="read" value="([0-9a-f]{64})"', page.get(address).content.decode())
    door = f"/api/v1/major-incidents/{major.number}/updates/{update.number}/"
    seen = api.get(door).json()["texts_hash"]
    assert read is None or read[1] == seen
    updating.reword(update=update, words="Other words.", details="", by=people["lead"], at=now())
    refused = page.post(f"{address}send", {"read": seen})
    assert refused.status_code == 409 and "Read it again." in refused.content.decode() and "Other words." in refused.content.decode()
    assert page.post(f"{address}send").status_code == 409
    assert api.post(f"{door}send/", {"read": seen}, content_type="application/json").status_code == 409
    assert api.post(f"{door}send/", {}, content_type="application/json").status_code == 400
    assert not MajorDelivery.objects.exists()


def test_labels_are_told_in_words(estate, major, people):
    update = drafted(major, people, at=estate.at)
    update.figures = {**update.figures, "labels": ["personal_data"]}
    assert rendering.values_of(major, update, at=estate.at)["labels"] == "Personal data"


def test_what_came_back_is_not_closed_by_the_message_of_before_by_sql_either(estate, major, people):
    over(major, people, at=estate.at + HOUR)
    updating.send(update=drafted(major, people, at=estate.at + HOUR), by=people["manager"], at=estate.at + HOUR)
    again(major, people, at=estate.at + 2 * HOUR)
    at = estate.at + 3 * HOUR
    ended = {"resolution": "fixed", "cause": "storage", "reason": "more disks"}
    working.move(incident=Incident.objects.get(), to="resolved", by=people["lead"], at=at, **ended)
    for to in ("resolved", "review"):
        leading.move(major=major, to=to, reason="", by=people["manager"], at=at)
    publish_review(Incident.objects.get(), people, at=at)
    closed = {"state": "closed", "closed_at": at, "next_update_at": None, "remind_at": None}
    with pytest.raises(DatabaseError, match="told that it is over"), transaction.atomic():
        MajorIncident.objects.filter(pk=major.pk).update(**closed)
    updating.send(update=drafted(major, people, at=at), by=people["manager"], at=at)
    assert MajorIncident.objects.filter(pk=major.pk).update(**closed) == 1


def test_who_wrote_an_update_stays_one_of_its_authors_by_sql_too(estate, major, people):
    update = drafted(major, people, at=estate.at)
    with pytest.raises(DatabaseError, match="stays one of its authors"), transaction.atomic():
        MajorUpdate.objects.filter(pk=update.pk).update(author_ids=[])
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        update.wordings.update(words="x")


def test_the_page_of_the_past_says_of_an_update_what_was_so_then(estate, major, people):
    update = drafted(major, people, at=estate.at, words="Disks are ordered.")
    updating.reword(update=update, words="Disks are here.", details="", by=people["boss"], at=estate.at + 2 * MINUTE)
    update.refresh_from_db()
    updating.send(update=update, by=people["manager"], at=estate.at + 4 * MINUTE)
    update.refresh_from_db()

    def then(minutes, after=30):
        moment = Moment(at=estate.at + minutes * MINUTE, now=estate.at + after * MINUTE)
        return update_page(update=update, user=people["manager"], moment=moment)

    first, second, third = then(1), then(3), then(5)
    assert (first.state, first.messages, first.not_kept) == ("Draft", (), True)
    assert [one.words for one in first.wordings] == ["Disks are ordered."]
    assert dict(first.facts).keys() == {"State", "Written by"}
    assert set(dict(second.facts)["Written by"].split(", ")) == {"Executive Person", "Operator Person"}
    assert second.state == "Draft" and "Disks are here." in second.messages[0].body and "Approved by" not in dict(second.facts)
    assert {to.became for one in second.messages for to in one.recipients if not to.verdict} == {"Is told when it is approved"}
    assert third.state == "Sent" and dict(third.facts)["Approved by"] == "Incident-manager Person"
    rows = telling_of(major=major, user=people["lead"], moment=Moment(at=estate.at + MINUTE, now=estate.at + HOUR)).rows
    assert [(row.state, row.who) for row in rows] == [("Draft", "")]
    now = then(30)
    assert [(one.words, one.who) for one in now.wordings] == [
        ("Disks are here.", "Executive Person"),
        ("Disks are ordered.", "Operator Person"),
    ]


def test_what_was_withdrawn_was_a_draft_before(estate, major, people):
    update = drafted(major, people, at=estate.at)
    updating.withdraw(update=update, reason="Not needed", by=people["lead"], at=estate.at + 2 * MINUTE)
    states = [
        states_then(major, [update], Moment(at=estate.at + minutes * MINUTE, now=estate.at + HOUR))[update.pk]
        for minutes in (1, 3)
        if update.refresh_from_db() is None
    ]
    assert states == ["draft", "withdrawn"]


def test_the_banner_of_the_past_says_who_led_it_and_when_people_were_told(estate, major, people):
    updating.send(update=drafted(major, people, at=estate.at + 4 * MINUTE), by=people["manager"], at=estate.at + 4 * MINUTE)
    said = {"part": "manager", "person": make_person("incident-manager", estate.at), "reason": "Shift ends"}
    leading.appoint(major=major, by=people["manager"], at=estate.at + 20 * MINUTE, **said)

    def then(minutes):
        moment = Moment(at=estate.at + minutes * MINUTE, now=estate.at + HOUR)
        return lead_of(incident=Incident.objects.get(), user=people["lead"], moment=moment)

    before, after = then(1), then(10)
    assert (before.state, before.told, before.manager) == ("Declared", None, person(people["manager"]))
    assert before.due.words.endswith("in 29 min") and after.due.words.endswith("in 24 min")
    assert after.told[1].words == "Update 1" and after.lead == person(people["lead"])
    assert after.told[3].endswith(" sent") and after.told[3].startswith("0 of "), "nobody has it yet"
    Notice.objects.filter(key__startswith="major/").update(sent_at=estate.at + 5 * MINUTE)
    assert then(10).told[3] == ""
    assert [row.how for row in after.messages] == ["Update 1"] and before.messages == ()


def test_what_was_told_under_an_earlier_major_incident_is_told_on_where_it_comes_back(estate, major, people):
    updating.send(update=drafted(major, people, at=estate.at + MINUTE), by=people["manager"], at=estate.at + MINUTE)
    by, back = {"by": people["manager"], "reason": "", "at": estate.at + HOUR}, {"by": people["lead"], "at": estate.at + 2 * HOUR}
    over(major, people, at=estate.at + HOUR)
    updating.send(update=drafted(major, people, at=estate.at + HOUR), by=people["manager"], at=estate.at + HOUR)
    leading.move(major=major, to="review", **by)
    publish_review(major.incident, people, at=estate.at + HOUR)
    leading.move(major=major, to="closed", **by)
    working.move(incident=major.incident, to="in_progress", reason="It is full again", **back)
    newest = nominating.propose(incident=major.incident, reason="It is full again", **back)
    moment = Moment(at=estate.at + 2 * HOUR, now=estate.at + 2 * HOUR)
    lead = lead_of(incident=Incident.objects.get(), user=people["manager"], moment=moment)
    assert (lead.link.words, lead.doing, [one.words for one in lead.earlier]) == (newest.number, "", [major.number])
    assert [row.how for row in lead.messages] == [f"Closing message 2 of {major.number}", f"Update 1 of {major.number}"]
    assert lead.told[1].words == lead.messages[0].how and f"/{major.number}/" in lead.told[1].href
    page = render_to_string("portal/_major_lead.html", {"lead": lead})
    assert f"It was a major incident before: {major.number}" in page and f"Closing message 2 of {major.number}" in page
