"""The daily digest: what a person may see, exceptions first, once a day at their hour; and what may wait for it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from catalogue.models import Window
from catalogue.refusing import NotReady
from incidents import preferring
from incidents.models import Digest, DigestPreference, EscalationPolicy, Incident
from incidents.reaching import Recipient
from itsm_backup import digesting, journey
from itsm_backup.common.models import Notice, because
from itsm_backup.common.time import now
from tests.factories import make_admin, make_job, make_service, make_user, push, run_record
from tests.incidents.makers import HOUR, MINUTE, fail
from tests.incidents.makers import make_estate as make_failing
from tests.journeys.test_alerts_escalate import make_policy
from tests.portal.makers import make_estate, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


@pytest.fixture
def estate():
    return make_estate(now().replace(microsecond=0))


def wish(person, at, digest="daily", told_at=dt.time(7), zone="UTC", waits=()):
    return preferring.prefer(by=person, digest=digest, told_at=told_at, zone=zone, waits=waits, at=at)


def titles(parts):
    return [part.title for part in parts]


def test_exceptions_come_first_and_say_what_is_wrong(estate):
    with because("test"):
        Window.objects.create(
            service=estate.imaging, starts_at=estate.at - HOUR, ends_at=estate.at + HOUR, purpose="New disks",
            decided_at=estate.at - 2 * HOUR, decided_by=make_user(),
        )  # fmt: skip
    told = digesting.compose(person=make_admin(), at=estate.at)
    assert titles(told.exceptions) == [
        "Services that do not keep their promise", "Open incidents", "Muted while copies are older than promised",
    ]  # fmt: skip
    assert told.exceptions[0].lines[0] == "Imaging archive: broken, newest copy 5 h 00 / 4 h"
    assert "nobody has taken it" in told.exceptions[1].lines[0]
    assert titles(told.rest) == ["Ends within a day"]
    assert told.exceptions[2].lines[0].startswith("Imaging archive (SVC-003): maintenance window until ")
    assert told.subject == f"{told.count} exceptions: 1 of 3 services keep their promise."
    text = digesting.body_of(told)
    assert text.index("EXCEPTIONS") < text.index("ALSO") and "/digest/" in text and "&" not in text


def test_a_service_that_has_no_copy_says_so(estate):
    make_job(
        estate.tool, "bare", at=estate.at - 9 * HOUR, service=make_service("SVC-099", name="Bare", at=estate.at - 9 * HOUR, rpo_s=3 * 3600)
    )
    journey.advance(at=estate.at)
    told = digesting.compose(person=make_admin(), at=estate.at)
    assert "Bare: broken, no copy / 3 h" in told.exceptions[0].lines


def test_what_failed_once_and_opened_no_incident_is_told_beside(estate):
    push(estate.tool, run_record("ris-4h", "failed", estate.at - HOUR), at=estate.at)
    journey.advance(at=estate.at)
    told = digesting.compose(person=make_admin(), at=estate.at)
    watched = next(part for part in told.rest if part.title == "Watched, no incident so far")
    assert watched.lines == ("ris-4h failed",) and "Lasting conditions" not in titles(told.rest)


def test_everybody_is_told_of_what_they_may_see_alone(estate):
    limited = make_person("stakeholder", estate.at, services=[estate.reporting])
    told = digesting.compose(person=limited, at=estate.at)
    assert (told.count, told.subject) == (0, "No exceptions: 1 of 1 service keeps its promise.")
    assert "Imaging" not in digesting.body_of(told)
    assert digesting.compose(person=make_user(), at=estate.at).sentence == "No service is in sight for you."


def test_it_comes_once_a_day_at_the_hour_of_its_reader(estate):
    morning = (estate.at + dt.timedelta(days=1)).replace(hour=5, minute=30)
    person = make_person("operator", estate.at)
    wish(person, estate.at, zone="Europe/Berlin")  # 07:00 there is 05:00 or 06:00 UTC
    assert digesting.digest_due(at=morning.replace(hour=4)) == 0
    assert digesting.digest_due(at=morning.replace(hour=6, minute=30)) == 1
    assert digesting.digest_due(at=morning.replace(hour=7)) == 0
    (notice,) = Notice.objects.filter(key__startswith="digest/")
    assert (notice.recipient == person.email and notice.subject.startswith("2 exceptions")) or "exception" in notice.subject
    assert digesting.digest_due(at=morning + dt.timedelta(days=1, hours=1)) == 1
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Digest.objects.all().delete()


def test_who_wants_exceptions_only_hears_nothing_on_a_quiet_day(estate):
    person = make_person("stakeholder", estate.at, services=[estate.reporting])
    wish(person, estate.at, digest="exceptions", told_at=dt.time(0))
    assert digesting.digest_due(at=estate.at) == 0
    assert Digest.objects.get().notice is None and digesting.digest_due(at=estate.at + MINUTE) == 0


def test_nobody_gets_one_unasked_and_leavers_get_none(estate):
    person = make_person("operator", estate.at)
    assert digesting.digest_due(at=estate.at) == 0
    wish(person, estate.at, told_at=dt.time(0))
    person.is_active = False
    person.save()
    assert digesting.digest_due(at=estate.at) == 0


def test_wrong_wishes_are_refused_with_a_sentence(estate):
    person = make_user()
    for wrong, told in (
        ({"waits": ["P1"]}, "P1"), ({"zone": "Nowhere/Else"}, "zone"), ({"digest": "never", "waits": ["P4"]}, "needs a digest"),
        ({"digest": "hourly"}, "hourly"),
    ):  # fmt: skip
        with pytest.raises(NotReady, match=told):
            wish(person, estate.at, **wrong)
    person.email = ""
    with pytest.raises(NotReady, match="no mail address"):
        wish(person, estate.at)
    assert not DigestPreference.objects.exists()
    with pytest.raises(IntegrityError, match="digest_urgent_never_waits"), transaction.atomic(), because("test"):
        DigestPreference.objects.create(person=person, digest="daily", waits=["P1"])


def test_what_may_wait_is_told_to_others_alone_and_nothing_waits_where_nobody_else_is_told(noon):
    lead = make_admin("lead")
    wish(lead, noon, waits=["P3", "P4", "P5"])
    make_policy("Two", {}, {"tell": "person", "person": lead}, {"after_min": 30, "tell": "person", "person": lead})
    fail(make_failing(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    assert Incident.objects.get().priority == "P4"
    assert list(Notice.objects.filter(key__contains="opened").values_list("recipient", flat=True)) == ["storage@example.org"]
    journey.advance(at=noon + 31 * MINUTE)
    assert Notice.objects.filter(recipient="lead@example.org").count() == 1, "there is nobody else on the second level"


def test_what_a_policy_tells_at_any_hour_never_waits():
    reached = [Recipient(who="A", address="a@example.org", thread="person/1"), Recipient(who="B", address="b@example.org")]
    asked = {"priority": "P3", "waits": {"person/1": ["P3"]}}
    assert preferring.told_now(reached, bypass=["P1"], **asked) == reached[1:]
    assert preferring.told_now(reached, bypass=["P3"], **asked) == reached
    assert preferring.told_now(reached[:1], bypass=[], **asked) == reached[:1]
    assert EscalationPolicy._meta.get_field("bypass").default() == ["P1", "P2"]
