"""Reviews: proposed, filled from what is on record, answered, published by somebody else, and what follows from them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from catalogue import publishing
from catalogue.models import Relation
from incidents import following_up, owing, proposing, reviewing, working
from incidents.models import EntryProposal, Incident, PostIncidentReview, ReviewAction, ReviewAnswer
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from itsm_backup.common.time import iso, parse_instant
from itsm_backup.portal import review_page
from itsm_backup.portal.asof import Moment
from tests.factories import make_admin, make_service, make_user, push, run_record
from tests.portal.makers import HOUR, Estate, make_estate, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.5")]
DAY = dt.timedelta(days=1)


@pytest.fixture
def estate(noon) -> Estate:
    """The imaging archive, tier 1, promise 4 h: opened an hour ago at the latest, mended since; its review is proposed."""
    made = make_estate(noon)
    push(made.tool, run_record("pacs-2h", "success", noon, minutes=5), at=noon + HOUR / 6)
    journey.advance(at=noon + HOUR / 6)
    return made


@pytest.fixture
def later(noon):
    return noon + HOUR


@pytest.fixture
def incident(estate) -> Incident:
    found = Incident.objects.get()
    assert found.state == "resolved"
    return found


@pytest.fixture
def author(later):
    return make_person("operator", later)


@pytest.fixture
def publisher(later):
    return make_person("change-manager", later)


@pytest.fixture
def draft(incident, author, later) -> PostIncidentReview:
    return reviewing.start(incident=incident, by=author, at=later)


def say(review: PostIncidentReview, question: str, answer: str, by: Any, at: dt.datetime, note: str = "") -> None:
    reviewing.answer(review=review, question=question, said=answer, note=note, by=by, at=at)


def write_all(review: PostIncidentReview, by: Any, at: dt.datetime, **no: str) -> None:
    """Everything that it lacks; `no` names the questions that are answered with no, and what the entry should say instead."""
    for question in ReviewAnswer.Question.values:
        say(review, question, "no" if question in no else "yes", by, at, note=no.get(question, ""))
    reviewing.write(review=review, cause="The pool was full", went_wrong="Nobody watched it grow", by=by, at=at)


def published(review: PostIncidentReview, by: Any, publisher: Any, at: dt.datetime, **no: str) -> PostIncidentReview:
    write_all(review, by, at, **no)
    reviewing.submit(review=review, by=by, at=at)
    return reviewing.publish(review=review, by=publisher, at=at)


def test_a_heavy_incident_owes_a_review_when_it_is_resolved(incident):
    review = PostIncidentReview.objects.get()
    assert (review.incident, review.state, review.required) == (incident, "proposed", True)
    assert not owing.is_complete(incident)


def test_what_is_published_says_what_became_of_its_messages_by_then(draft, author, publisher, later):
    mails = Notice.objects.filter(key__startswith=f"incident/{draft.incident_id}/").order_by("pk")
    gone, _ = mails
    mails.update(sent_at=None)
    reviewing.reread(review=draft, by=author, at=later)
    assert {one.who for one in told_on(draft, author, later)} == {"On its way"}
    mails.filter(pk=gone.pk).update(sent_at=later)
    done = published(draft, author, publisher, later + HOUR)
    assert done.facts["told_at"] == iso(later + HOUR) and done.facts_at == later
    became = {one.who for one in told_on(done, author, later + HOUR)}
    assert became == {f"Sent {review_page.written(iso(later))}", "On its way"}
    mails.update(sent_at=later + 2 * HOUR)
    done.refresh_from_db()
    assert {one.who for one in told_on(done, author, later + 2 * HOUR)} == became, "it is never changed"


def test_of_a_message_to_many_it_says_how_many_a_mail_server_took():
    line = {"at": "2026-07-14T12:00:00Z", "text": "update 1", "sent_at": "2026-07-14T12:01:00Z", "alert": None}
    moment = Moment(at=parse_instant(line["at"]), now=parse_instant(line["at"]))
    told = {
        (2, 1, 0): "2 of 3 taken by the mail server, 1 on their way",
        (2, 0, 1): "2 of 3 taken by the mail server, 1 not sent",
        (0, 2, 1): "0 of 3 taken by the mail server, 2 on their way, 1 not sent",
    }
    for (taken, waiting, lost), words in told.items():
        fate = {"taken": taken, "waiting": waiting, "lost": lost}
        assert review_page._line({**line, "fate": fate}, moment).who == words
    assert review_page._line({**line, "sent_at": None}, moment).who == "Not sent"


def told_on(review, person, at):
    moment = Moment(at=at, now=at)
    return review_page.review_page(
        review=review_page.find(number=review.number, user=person, moment=moment), user=person, moment=moment
    ).told


def test_what_is_required_is_not_declined_and_the_database_says_so_too(incident, author, later):
    review = PostIncidentReview.objects.get()
    with pytest.raises(working.NotPossible, match="has to be reviewed"):
        reviewing.decline(review=review, reason="no time", by=author, at=later)
    review.state = "declined"
    with pytest.raises(IntegrityError), transaction.atomic(), because("x"):
        review.save()


def test_the_draft_is_filled_with_what_is_on_record(draft, estate, author):
    (imaging,) = [one for one in draft.facts["services"] if one["code"] == "SVC-003"]
    assert (imaging["version"], imaging["promised"]["rpo_s"]) == (1, 4 * 3600)
    assert imaging["exposure"]["beyond_s"] > 0 and imaging["exposure"]["worst_s"] > 5 * 3600
    assert imaging["exposure"]["worst_at"].startswith("2026-07-14T12:05")
    assert any("Resolved" in line["text"] for line in draft.facts["timeline"])
    assert any(line["kind"] == "status" and "degraded" in line["text"] for line in draft.facts["timeline"])
    assert draft.facts["told"] and draft.author_ids == [author.pk]


def test_the_promise_is_the_one_of_then_not_of_today(incident, estate, author, later):
    said = {"by": make_admin(), "at": later, "reason": "looser"}
    version = publishing.draft_version(service=estate.imaging, content={}, commitment={"rpo_s": 8 * 3600}, **said)
    publishing.submit(version=version, by=said["by"], at=later)
    publishing.approve(version=version, by=make_admin("another"), at=later)
    draft = reviewing.start(incident=incident, by=author, at=later + HOUR)
    assert draft.facts["services"][0]["promised"]["rpo_s"] == 4 * 3600
    assert draft.answers.get(question="rpo").proposed == "no"


def test_answers_are_proposed_with_their_reason(draft):
    found = {row.question: row for row in draft.answers.all()}
    assert set(found) == set(ReviewAnswer.Question.values)
    assert found["rpo"].proposed == "no" and "4 h were promised" in found["rpo"].because
    assert found["rpo"].links[0]["page"] == "version"
    assert found["restore"].proposed == "no"
    assert found["dependencies"].proposed == "yes"
    assert found["tier"].proposed == "yes"
    assert {row.answer for row in found.values()} == {""}


def test_what_was_learned_since_says_that_dependencies_were_not_complete(incident, estate, author, later):
    with because("found out"):
        Relation.objects.create(provider=estate.imaging, consumer=estate.research)
    draft = reviewing.start(incident=incident, by=author, at=later)
    row = draft.answers.get(question="dependencies")
    assert row.proposed == "no" and "Research file shares" in row.because


def test_reading_the_record_again_keeps_what_people_answered(draft, author, estate, later):
    say(draft, "dependencies", "yes", author, later)
    with because("found out"):
        Relation.objects.create(provider=estate.imaging, consumer=estate.research)
    reviewing.reread(review=draft, by=author, at=later + HOUR)
    row = draft.answers.get(question="dependencies")
    assert (row.proposed, row.answer) == ("no", "yes")


def test_a_no_says_what_the_entry_should_say_instead(draft, author, later):
    with pytest.raises(working.NotPossible, match="what the entry should say instead"):
        say(draft, "rpo", "no", author, later)
    row = draft.answers.get(question="rpo")
    row.answer, row.answered_by, row.answered_at = "no", author, later
    with pytest.raises(IntegrityError), transaction.atomic(), because("x"):
        row.save()


def test_it_is_handed_in_whole_and_the_database_says_so_too(draft, author, later):
    with pytest.raises(working.NotPossible, match="Write what caused it"):
        reviewing.submit(review=draft, by=author, at=later)
    row = PostIncidentReview.objects.get(pk=draft.pk)
    row.state, row.cause, row.went_wrong, row.submitted_at = "in_review", "x", "y", later
    with pytest.raises(IntegrityError, match="every question"), transaction.atomic(), because("x"):
        row.save()


def test_an_author_never_publishes(draft, author, later):
    write_all(draft, author, later)
    reviewing.submit(review=draft, by=author, at=later)
    with pytest.raises(working.NotPossible, match="somebody else"):
        reviewing.publish(review=draft, by=author, at=later)
    row = PostIncidentReview.objects.get(pk=draft.pk)
    row.state, row.publisher, row.published_at = "published", author, later
    with pytest.raises(IntegrityError, match="review_author_never_publishes"), transaction.atomic(), because("x"):
        row.save()


def test_who_wrote_the_promise_does_not_publish_whether_it_held(draft, author, estate, later):
    write_all(draft, author, later)
    reviewing.submit(review=draft, by=author, at=later)
    steward = type(author).objects.get(pk=estate.imaging.versions.get().author_ids[0])
    with pytest.raises(working.NotPossible, match="who wrote the promise"):
        reviewing.publish(review=draft, by=steward, at=later)


def test_it_is_sent_back_with_a_reason_that_its_authors_read(draft, author, publisher, later):
    author.email = "author@example.org"
    author.save()
    write_all(draft, author, later)
    reviewing.submit(review=draft, by=author, at=later)
    with pytest.raises(working.NotPossible, match="Say why"):
        reviewing.send_back(review=draft, reason=" ", by=publisher, at=later)
    back = reviewing.send_back(review=draft, reason="Which pool?", by=publisher, at=later)
    assert back.state == "draft"
    assert "Which pool?" in Notice.objects.get(recipient="author@example.org", subject__contains="Sent back").body


def test_published_is_never_changed(draft, author, publisher, later):
    made = published(draft, author, publisher, later)
    assert owing.is_complete(made.incident)
    made.cause = "Another one"
    for change in (made.save, made.answers.first().save, made.answers.first().delete):
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic(), because("x"):
            change()
    with pytest.raises(working.NotPossible, match="Only a draft"):
        reviewing.write(review=made, cause="x", by=author, at=later)


def test_a_correction_is_the_next_revision(draft, author, publisher, later):
    made = published(draft, author, publisher, later, rpo="8 h")
    with pytest.raises(working.NotPossible, match="Say why"):
        reviewing.correct(review=made, reason="", by=author, at=later)
    second = reviewing.correct(review=made, reason="It was the quota", by=author, at=later)
    assert (second.revision, second.state, second.cause) == (2, "draft", made.cause)
    assert second.answers.get(question="rpo").note == "8 h" and not owing.is_complete(made.incident)
    reviewing.write(review=second, cause="The quota was reached", by=author, at=later)
    reviewing.submit(review=second, by=author, at=later)
    reviewing.publish(review=second, by=publisher, at=later)
    assert EntryProposal.objects.count() == 1
    assert list(PostIncidentReview.objects.all().newest()) == [second]
    with pytest.raises(working.NotPossible, match="not the newest"):
        reviewing.correct(review=made, reason="x", by=author, at=later)


def test_every_no_becomes_one_proposal_that_its_steward_drafts(draft, author, publisher, estate, later):
    made = published(draft, author, publisher, later, rpo="8 h, as it was", restore="A test every 90 days")
    assert {one.question for one in EntryProposal.objects.all()} == {"rpo", "restore"}
    with pytest.raises(IntegrityError), transaction.atomic():
        again = EntryProposal.objects.first()
        EntryProposal.objects.create(
            incident=again.incident, answer=made.answers.get(question="tier"), question=again.question, service=again.service, made_at=later
        )
    proposal = EntryProposal.objects.get(question="rpo")
    with pytest.raises(working.NotPossible, match="You may not change"):
        proposing.draft(proposal=proposal, by=author, at=later)
    steward = make_person("steward", later)
    drafted = proposing.draft(proposal=proposal, by=steward, at=later)
    assert (drafted.version.number, drafted.version.state, drafted.version.author_ids) == (2, "draft", [steward.pk])
    assert f"/reviews/{made.number}/" in drafted.version.reason and "8 h, as it was" in drafted.version.reason
    assert proposing.became(drafted) == "Version 2 is a draft"
    with pytest.raises(working.NotPossible, match="answered already"):
        proposing.draft(proposal=proposal, by=steward, at=later)
    other = proposing.draft(proposal=EntryProposal.objects.get(question="restore"), by=steward, at=later)
    assert other.version == drafted.version
    drafted.version.refresh_from_db()
    assert "8 h, as it was" in drafted.version.reason and "A test every 90 days" in drafted.version.reason


def test_what_the_data_suggest_stands_in_the_draft(incident, estate, author, publisher, later):
    with because("found out"):
        deep = make_service("SVC-000", at=later - 2 * DAY, tier=1, name="Emergency board")
        Relation.objects.create(provider=estate.reporting, consumer=deep)
    Incident.objects.filter(pk=incident.pk).update(service=estate.reporting)
    incident.refresh_from_db()
    draft = reviewing.start(incident=incident, by=author, at=later)
    assert draft.answers.get(question="tier").suggestion == {"content": {"tier": 1}}
    published(draft, author, publisher, later, tier="Tier 1, because the emergency board stops with it")
    drafted = proposing.draft(proposal=EntryProposal.objects.get(), by=make_person("steward", later), at=later)
    assert (drafted.version.service, drafted.version.tier) == (estate.reporting, 1)


def test_a_proposal_is_settled_or_declined_with_a_reason(draft, author, publisher, later):
    published(draft, author, publisher, later, contacts="The team moved")
    steward, proposal = make_person("steward", later), EntryProposal.objects.get()
    with pytest.raises(working.NotPossible, match="Say what put it right"):
        proposing.settle(proposal=proposal, as_="settled", reason=" ", by=steward, at=later)
    done = proposing.settle(proposal=proposal, as_="declined", reason="It is right", by=steward, at=later)
    assert proposing.became(done) == "Declined: It is right"


def test_an_action_has_somebody_and_a_day_and_ends_once(draft, author, later):
    said = {"review": draft, "what": "Watch the pool", "by": author, "at": later}
    with pytest.raises(working.NotPossible, match="live account"):
        following_up.add(owner=None, due_on=later.date(), **said)
    with pytest.raises(working.NotPossible, match="may not see"):
        following_up.add(owner=make_user(), due_on=later.date(), **said)
    with pytest.raises(working.NotPossible, match="today or later"):
        following_up.add(owner=author, due_on=(later - DAY).date(), **said)
    action = following_up.add(owner=author, due_on=later.date(), **said)
    with pytest.raises(working.NotPossible, match="Say why"):
        following_up.end(action=action, as_="cancelled", outcome="", by=author, at=later)
    done = following_up.end(action=action, as_="done", outcome="Alert at 80 %", by=author, at=later)
    with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic(), because("x"):
        done.save()
    with pytest.raises(IntegrityError), transaction.atomic(), because("x"):
        ReviewAction.objects.create(review=draft, what="x", owner=author, due_on=None)


def test_who_is_late_is_reminded_once_a_week_and_then_the_publisher_too(draft, author, publisher, later):
    for one in (author, publisher):
        one.email = f"{one.username}@example.org"
        one.save()
    following_up.add(review=draft, what="Watch the pool", owner=author, due_on=later.date(), by=author, at=later)
    assert following_up.remind(at=later + 2 * DAY) == 0  # not published yet
    published(draft, author, publisher, later)
    assert [following_up.remind(at=later + days * DAY) for days in (0, 1, 2, 7, 8)] == [0, 1, 0, 2, 0]
    mails = Notice.objects.filter(subject__contains="Overdue").order_by("pk")
    assert [one.recipient for one in mails] == [author.email, author.email, publisher.email]
    assert "Watch the pool" in mails[0].body and "You published the review" in mails[2].body


def test_those_concerned_are_told_once(draft, author, publisher, estate, later):
    version = estate.reporting.versions.get()
    for one, address in ((author, "author@example.org"), (version.owner, "dependent@example.org")):
        one.email = address
        one.save()
    published(draft, author, publisher, later, rpo="8 h")
    mails = Notice.objects.filter(key__startswith="review/").order_by("pk")
    told = {one.recipient: one.body for one in mails}
    assert len(told) == len(mails)
    assert estate.imaging.versions.get().operations_team.email in told
    assert "Nobody watched it grow" in told[estate.imaging.versions.get().operations_team.email]
    beside = told["dependent@example.org"]
    assert "Radiology reporting" in beside and "Imaging" not in beside and "full" not in beside


def test_reviews_on_their_way_are_read_by_those_who_work_on_them(draft, author, publisher, estate, later):
    reader = make_person("stakeholder", later, services=[estate.imaging])
    other = make_person("stakeholder", later, services=[estate.research])
    seen = PostIncidentReview.objects.visible_to
    assert list(seen(author)) == [draft] == list(seen(publisher))
    assert not seen(reader).exists() and not seen(other).exists()
    published(draft, author, publisher, later)
    assert list(seen(reader)) == [draft] and not seen(other).exists()
    assert not seen(reader, "change").exists()


def test_who_wrote_a_review_stays_one_of_its_authors_by_sql_too(draft):
    with pytest.raises(DatabaseError, match="stays one of its authors"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE incidents_postincidentreview SET author_ids = '{}' WHERE id = %s", [draft.pk])
