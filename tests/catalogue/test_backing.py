"""What should stand behind a promise, who is told of what others did, and what becomes of older versions of agreements."""

import datetime as dt

import pytest

from catalogue import agreeing, backing, checking, deviating, legal_holds, publishing, relating, responsibilities, reviewing
from catalogue.models import Agreement, DutyException, Relation
from itsm_backup.common.models import Notice, because
from itsm_backup.common.time import now
from tests.admin_forms import filled, signed_in, url
from tests.catalogue.makers import NOON, make_approver, make_author, make_draft, make_service, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.4")]
DAY = dt.timedelta(days=1)


def agreed(sla=None, *, at=NOON, **content):
    if sla is None:
        with because("For a test"):
            sla = Agreement.objects.create(kind="sla", name="Clinical systems", party="Clinical board")
    said = {"at": at, "reason": "Talked through"}
    row = agreeing.draft_agreement(agreement=sla, content={"from_on": at.date(), "rpo_s": 3600, **content}, by=make_author(), **said)
    return agreeing.approve(row=row, by=make_approver(), **said)


def codes(version, *, jobs=None, at=NOON):
    asked = checking.question_of(version)
    found = backing.considerations(asked=asked, measured=checking.Measured(jobs=jobs), at=at)
    assert not any(each.stops for each in found) and {each.state for each in found} <= {"consider"}
    return [each.code for each in found]


def told(prefix):
    return {notice.recipient.split("@")[0] for notice in Notice.objects.filter(key__startswith=f"told/{prefix}")}


def test_what_is_missing_behind_a_promise_is_said_and_stops_nothing():
    version = make_draft(labels=["restricted"])
    assert codes(version, jobs=0) == ["NO_JOB", "NO_SLA", "NO_RELATION", "LABEL_ASKS_FOR_ENCRYPTION"]
    assert codes(version, jobs=None) == ["NO_SLA", "NO_RELATION", "LABEL_ASKS_FOR_ENCRYPTION"], "nobody counted the jobs"
    said = {"by": make_author(), "at": NOON, "reason": "So it is"}
    changed = {"content": {"sla": agreed()}, "commitment": {"encryption": "at_rest"}}
    version = publishing.edit_draft(version=version, **changed, **said)
    relating.relate(consumer=version.service, provider=make_service("pool"), kind=Relation.Kind.STORES_TO, strength="hard", **said)
    assert codes(version, jobs=1) == []


def test_entries_with_an_older_version_of_an_agreement_are_told_of_the_newer():
    first = agreed()
    service = make_service(sla=first, rpo_s=1800)
    assert codes(service.version_at(NOON)) == ["NO_RELATION"]
    newer = agreed(first.agreement, at=NOON + DAY, rpo_s=1800)
    later = NOON + 2 * DAY
    assert codes(service.version_at(later), at=later) == ["NO_RELATION", "NEWER_AGREEMENT"]
    assert codes(service.version_at(NOON), at=NOON) == ["NO_RELATION"], "nobody knew of it then"
    gap = next(gap for gap in responsibilities.gaps(services=[service.pk], at=later) if gap.kind == "agreement")
    assert "A newer version of Clinical systems is approved" in gap.sentence
    mail = Notice.objects.get(key__startswith=f"told/agreement/{newer.pk}/newer")
    assert mail.recipient == "author@example.org" and "Service pacs (pacs)" in mail.body
    make_service(sla=newer, at=later, rpo_s=1800)
    assert not any(gap.kind == "agreement" for gap in responsibilities.gaps(services=[service.pk], at=later))


def test_people_are_told_of_comments_and_approvals_but_not_of_their_own():
    version = publishing.submit(version=make_draft(), by=make_author(), at=NOON)
    first = reviewing.comment(version=version, text="Why so late?", by=make_approver(), at=NOON)
    assert told(f"version/{version.pk}/comment/{first.pk}") == {"author"}
    second = reviewing.comment(version=version, text="The tape is slow", by=make_author(), at=NOON)
    assert told(f"version/{version.pk}/comment/{second.pk}") == {"approver"}
    publishing.approve(version=version, by=make_approver(), at=NOON, reason="Good", announce=True)
    assert told(f"version/{version.pk}/approved") == {"author", "owner"}
    assert "in force from 14 Jul 2026" in Notice.objects.filter(key__startswith=f"told/version/{version.pk}/approved").first().body


def test_people_are_told_of_deviations_texts_and_holds():
    service, olga = make_service(), make_user("olga")
    make_approver()
    said = {"at": NOON, "reason": "The new array comes"}
    until = NOON.date() + 30 * DAY
    row = deviating.ask(service=service, code="SCHEDULE_EXCEEDS_RPO", owner=olga, expires_on=until, by=make_author(), **said)
    assert told(f"deviation/{row.pk}/asked-for") == {"olga", "approver"}
    deviating.grant(deviation=row, by=make_approver(), **said)
    assert told(f"deviation/{row.pk}/granted") == {"olga", "author"}
    deviating.end(deviation=row, by=make_approver(), **said)
    assert told(f"deviation/{row.pk}/took-back") == {"olga", "author"}
    hold = legal_holds.place(service=service, owner=olga, by=make_approver(), **said)
    assert told(f"legal-hold/{hold.pk}") == {"olga", "owner", "author"}
    row = agreed()
    assert told(f"agreementversion/{row.pk}/approved") == {"author"}


def test_an_exception_is_about_two_duties_and_begins_now_where_nobody_says_otherwise():
    root = make_user("root", is_staff=True, is_superuser=True)
    client, form = signed_in(root), url(DutyException, "add")
    until = (now() + 30 * DAY).strftime("%Y-%m-%dT%H:%M")
    asked = {"person": make_user("nora").pk, "owner": make_user("olga").pk, "one": "steward", "other": "steward", "valid_until": until,
             "reason": "Night shift", "change_reason": "Night shift"}  # fmt: skip
    answer = client.post(form, {**filled(client.get(form)), **asked, "valid_from": ""})
    assert "An exception is about two different duties" in answer.content.decode() and not DutyException.objects.exists()
    client.post(form, {**filled(client.get(form)), **asked, "other": "monitoring-admin", "valid_from": ""})
    row = DutyException.objects.get()
    assert row.valid_from == row.approved_at
