"""Where copies lie: each part of 3-2-1-1-0 from what is measured and what people declared, and not known where nobody did."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from catalogue.models import ServiceVersion, TierDefault
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.portal.objectives_page import find, objectives_page
from monitoring.keeping import Wanted, kept_of
from monitoring.models import Repository
from monitoring.placing import least_of
from tests.factories import make_job, make_user, push, run_record
from tests.portal.makers import HOUR, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.1")]


def declare(estate, name="NAS-02", *, at=None, tool=None, by=None, **said):
    row = Repository(tool=tool or estate.tool, name=name, **said)
    row._history_date = at or estate.at - 6 * HOUR
    with because("Seen on site", by=by or make_user()):
        row.full_clean()
        row.save()
    return row


def asked(estate, scheme="3-2-1-1-0", at=None, days=90):
    at = at or estate.at
    version = ServiceVersion.objects.in_force(at).get(service=estate.imaging)
    return kept_of(version=version, wanted=Wanted(scheme=scheme, test_days=days), start=at, at=at, known_at=at).placed


def answers(found):
    return {part.key: part.answer for part in found.parts}


def compare(estate, *, good, hours):
    """A check of the copies so many hours ago."""
    outcome = "success" if good else "failed"
    state = "passed" if good else "failed"
    record = run_record(
        "pacs-2h", outcome, estate.at - hours * HOUR, minutes=1, operation="verify", verification_state=state, external_id=f"check-{hours}"
    )
    push(estate.tool, record, at=estate.at)
    journey.advance(at=estate.at)


def test_a_scheme_is_read_as_its_numbers():
    assert least_of("3-2-1-1-0") == {"copies": 3, "media": 2, "offsite": 1, "offline_or_immutable": 1, "zero_errors": 0}
    assert list(least_of("3-2-1")) == ["copies", "media", "offsite"]
    assert least_of("2 copies") == {"copies": 2}
    assert least_of("Gold") == {} and least_of("") == {}


def test_nothing_is_met_and_nothing_broken_while_nobody_said_where_copies_lie(estate):
    found = asked(estate)
    assert set(answers(found).values()) == {None} and (found.passed, found.status) == (0, "no_data")
    copies = found.parts[0]
    assert copies.told == ("Production, NAS-02 of Backup control (newest copy 5 h old). Nobody said whether its storage copies it on")
    assert asked(estate, "2 copies").status == "kept", "production and the one that was seen"
    assert asked(estate, "Gold").why == "“Gold” is not written in numbers, such as 3-2-1-1-0"


def test_each_part_follows_from_what_was_declared_and_only_the_rest_is_not_known(estate):
    first = declare(estate, medium="disk", is_offsite=False, is_offline=False, site="Main hall")
    assert answers(asked(estate)) == {
        "copies": False, "media": False, "offsite": False, "offline_or_immutable": None, "zero_errors": None,
    }  # fmt: skip  # nobody said how long copies are locked, and nothing was compared
    declare(estate, "Vault", copy_of=first, medium="tape", is_offsite=True, is_offline=True)
    found = asked(estate)
    assert answers(found) == {"copies": True, "media": True, "offsite": True, "offline_or_immutable": True, "zero_errors": None}
    assert "Vault of Backup control (declared, seen by no tool)" in found.parts[0].told
    assert found.parts[1].told == "NAS-02 of Backup control: disk; Vault of Backup control: tape"
    compare(estate, good=True, hours=2)
    found = asked(estate)
    assert (found.passed, found.status) == (5, "kept") and found.parts[-1].run and "found no error" in found.parts[-1].told


def test_a_check_counts_while_it_is_fresh_and_errors_until_a_check_finds_none(estate):
    compare(estate, good=True, hours=30)
    assert answers(asked(estate, days=2))["zero_errors"] is True
    assert answers(asked(estate, days=1))["zero_errors"] is None, "too old proves nothing, and refutes nothing"
    compare(estate, good=False, hours=2)
    found = asked(estate, days=1)
    assert found.parts[-1].answer is False and found.status == "broken" and "found errors" in found.parts[-1].told


def test_a_lock_that_has_ended_is_no_lock(estate):
    row = declare(estate, medium="disk", is_offsite=False, is_offline=False, lock_days=1)
    assert answers(asked(estate))["offline_or_immutable"] is True, "the newest copy is 5 h old"
    with because("The lock was taken away"):
        row.lock_days, row._history_date = 0, estate.at - HOUR
        row.save()
    assert answers(asked(estate))["offline_or_immutable"] is False
    assert answers(asked(estate, at=estate.at - 2 * HOUR))["offline_or_immutable"] is True, "as it was known then"


def test_a_job_that_copies_is_seen_where_its_repository_holds_every_copy_of_another(estate):
    first = declare(estate, medium="disk", is_offsite=False)
    make_job(estate.tool, "pacs-away", at=estate.at - 40 * HOUR, service=estate.imaging, repository_name="Cloud")
    push(estate.tool, run_record("pacs-away", "success", estate.at - 3 * HOUR), at=estate.at)
    journey.advance(at=estate.at)
    assert answers(asked(estate))["copies"] is False, "other data in another place is no copy of it"
    declare(estate, "Cloud", copy_of=first, medium="object", is_offsite=True)
    found = asked(estate, "3-2-1")
    assert found.status == "kept" and "Cloud of Backup control (newest copy 3 h old)" in found.parts[0].told


def test_a_declaration_says_what_to_correct(estate):
    with pytest.raises(ValidationError, match="No job of Backup control writes to it"):
        declare(estate, "NAS-03")
    first = declare(estate)
    second = declare(estate, "Vault", copy_of=first)
    first.copy_of = second
    with pytest.raises(ValidationError, match="makes a circle"):
        first.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic(), because("by hand"):
        Repository.objects.create(tool=estate.tool, name="NAS-02")
    first.copy_of = first
    with pytest.raises(IntegrityError, match="repository_no_copy_of_itself"), transaction.atomic(), because("by hand"):
        first.save()


@pytest.fixture
def promised(estate):
    with because("test"):
        TierDefault.objects.create(tier=1, rpo_s=14_400, rto_s=14_400, success_rate="0.99", rpo_attainment_rate="0.995",
                                   restore_test_days=90, copy_scheme="3-2-1-1-0")  # fmt: skip


def test_the_page_shows_each_part_and_leads_who_may_to_the_place_where_it_is_said(promised, estate, root):
    page = objectives_page(version=find(code="SVC-003", user=root, moment=estate.moment), user=root, moment=estate.moment)
    assert page.scheme == "3-2-1-1-0" and [part.words for part in page.parts] == ["Not known"] * 5
    (place,) = page.places
    assert place.said == "" and place.declare.words == "Declare"
    assert place.declare.href == f"/admin/monitoring/repository/add/?tool={estate.tool.pk}&name=NAS-02"
    helga = make_user("helga", first_name="Helga", last_name="Brandt")
    row = declare(estate, medium="tape", site="Salt mine", is_offsite=True, is_offline=True, lock_days=30, by=helga)
    page = objectives_page(version=find(code="SVC-003", user=root, moment=estate.moment), user=root, moment=estate.moment)
    (place,) = page.places
    assert place.said == "tape, Salt mine, off-site, offline, locked for 30 days" and "Brandt" in place.by
    assert place.declare.href == f"/admin/monitoring/repository/{row.pk}/change/"
    assert [part.words for part in page.parts] == ["No", "No", "Yes", "Yes", "Not known"]
    reader = make_person("stakeholder", estate.at)
    page = objectives_page(version=find(code="SVC-003", user=reader, moment=estate.moment), user=reader, moment=estate.moment)
    assert page.places[0].declare is None


def test_the_api_tells_each_part(client, estate_now):
    with because("test"):
        TierDefault.objects.create(tier=1, rpo_s=14_400, rto_s=14_400, success_rate="0.99", rpo_attainment_rate="0.995",
                                   restore_test_days=90, copy_scheme="3-2-1")  # fmt: skip
    client.force_login(make_person("operator", estate_now.at), backend="django.contrib.auth.backends.ModelBackend")
    found = {one["key"]: one for one in client.get("/api/v1/services/SVC-003/objectives/").json()}
    assert [(part["key"], part["answer"]) for part in found["copy_scheme"]["parts"]] == [
        ("copies", None), ("media", None), ("offsite", None),
    ]  # fmt: skip
    assert found["rpo_s"]["parts"] == []


def test_a_steward_declares_in_the_administration_with_a_reason(client, estate_now):
    client.force_login(make_person("steward", estate_now.at), backend="django.contrib.auth.backends.ModelBackend")
    sent = {"tool": estate_now.tool.pk, "name": "NAS-02", "medium": "disk", "is_offsite": "false", "is_offline": "false", "lock_days": "14"}
    assert client.post("/admin/monitoring/repository/add/", sent).status_code == 200, "asks for the reason"
    assert not Repository.objects.exists()
    answer = client.post("/admin/monitoring/repository/add/", {**sent, "change_reason": "Seen on site"})
    assert answer.status_code == 302, answer.content.decode()[:500]
    row = Repository.objects.get()
    assert (row.lock_days, row.is_offsite, row.history.get().history_change_reason) == (14, False, "Seen on site")
    assert dt.timedelta(0) <= row.history.get().history_date - estate_now.at < dt.timedelta(hours=1)
