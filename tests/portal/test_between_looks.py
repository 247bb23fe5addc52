"""Instants of the past that no judgement reached: every door tells the same, from what is known today."""

import pytest
from django.test import Client

from itsm_backup.common.time import iso
from itsm_backup.portal import proof
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.estate import estate_page
from itsm_backup.portal.service_list import as_csv, services_page
from itsm_backup.portal.service_page import find, service_page
from itsm_backup.portal.trouble import title_of
from monitoring import tokens
from monitoring.models import Alert
from tests.factories import push, run_record
from tests.portal.makers import HOUR

pytestmark = pytest.mark.django_db


@pytest.fixture
def gap(estate):
    """The judgement made 4.5 h ago held until 1.4 h ago, the next was made 57 min ago."""
    return Moment(at=estate.at - 1.2 * HOUR, now=estate.at)


def imaging(rows):
    return next(row for row in rows if row.service.words == "Imaging archive")


def test_every_page_tells_the_age_and_the_verdict_that_follows_from_it(estate, root, gap):
    home = estate_page(user=root, moment=gap, by="")
    (tile,) = home.groups[0].tiles
    row = imaging(services_page(user=root, moment=gap, asked={}, page=1).rows)
    page = service_page(version=find(code="SVC-003", user=root, moment=gap), user=root, moment=gap)
    told = [(one.verdict, one.age, one.tile) for one in (tile.exposure, row.exposure, page.exposure)]
    assert told == [("at_risk", "3 h 48 min", "3 h 48 / 4 h")] * 3
    claim = page.claims[0]
    assert (claim.measured, claim.verdict) == ("3 h 48 min then", "at_risk")
    assert claim.evidence == "Computed from what is known today; last judged 14 Jul 07:30"
    assert "12 min are left" in page.figure_note and "oday" not in page.figure_note
    assert f"{int(3.8 * 3600)}" in as_csv(user=root, moment=gap, asked={"text": "SVC-003"})
    assert [one.service.words for one in services_page(user=root, moment=gap, asked={"verdict": "at_risk"}, page=1).rows] == [
        "Imaging archive"
    ]


def test_they_say_that_no_new_judgement_was_made(estate, root, gap):
    told = "was made between 14 Jul 07:30 and 14 Jul 11:03: ages are computed from what is known today."
    assert estate_page(user=root, moment=gap, by="").gap == f"No new judgement of 1 service {told}"
    page = service_page(version=find(code="SVC-003", user=root, moment=gap), user=root, moment=gap)
    assert page.gap == f"No new judgement {told}"
    reached = Moment(at=estate.at - 2 * HOUR, now=estate.at)
    assert estate_page(user=root, moment=reached, by="").gap == ""


def test_a_copy_learned_of_later_counts_as_known_today(estate, root, gap):
    push(estate.tool, run_record("pacs-2h", "success", estate.at - 2 * HOUR), at=estate.at + HOUR)
    later = Moment(at=gap.at, now=estate.at + 2 * HOUR)
    page = service_page(version=find(code="SVC-003", user=root, moment=later), user=root, moment=later)
    assert (page.exposure.verdict, page.exposure.age) == ("kept", "48 min")
    assert [(job.latest, job.next_due) for job in page.jobs] == [("Good", "")]


def test_beyond_the_promise_it_is_broken(estate, root):
    """Nothing was looked at after the estate was made; the judgement of then held for another while only."""
    late = Moment(at=estate.at + 30 * HOUR, now=estate.at + 40 * HOUR)
    page = service_page(version=find(code="SVC-011", user=root, moment=late), user=root, moment=late)
    assert (page.exposure.verdict, page.exposure.age, page.claims[0].verdict) == ("broken", "32 h", "broken")
    assert page.gap == "No new judgement was made since 14 Jul 11:03: ages are computed from what is known today."


def test_the_api_tells_the_same(estate_now, root):
    at = estate_now.at - 1.2 * HOUR
    token = tokens.issue(user=root, scope="read", tool=None, at=estate_now.at, days=1)
    api = Client(headers={"Authorization": f"Bearer {token}"})
    one = api.get(f"/api/v1/services/SVC-003/?as_of={iso(at)}").json()
    assert (one["verdict"], one["exposure_s"], one["known_today"]) == ("at_risk", int(3.8 * 3600), True)
    rpo = next(claim for claim in one["claims"] if claim["claim"] == "rpo")
    assert (rpo["verdict"], rpo["measured_s"]) == ("at_risk", int(3.8 * 3600))
    listed = api.get(f"/api/v1/services/?verdict=at_risk&as_of={iso(at)}").json()["results"]
    assert [(each["code"], each["exposure_s"]) for each in listed] == [("SVC-003", int(3.8 * 3600))]
    assert api.get("/api/v1/services/SVC-003/").json()["known_today"] is False


def test_jobs_of_the_past_know_no_later_run_and_no_next(estate):
    def jobs(hours):
        (job,) = proof.job_rows(service_id=estate.imaging.pk, moment=Moment(at=estate.at - hours * HOUR, now=estate.at))
        return job.latest, job.next_due

    assert [jobs(hours) for hours in (4.8, 4.5, 2)] == [("No run yet", ""), ("Good", ""), ("Failed", "")]


def test_a_title_of_the_past_names_no_later_occurrence(noon):
    alert = Alert(title="library-daily did not run, due 26 Nov 21:00 UTC", last_seen_at=noon)
    assert title_of(alert, Moment(at=noon - HOUR, now=noon + HOUR)) == "library-daily did not run"
    assert title_of(alert, Moment(at=noon, now=noon + HOUR)) == alert.title


def test_pages_of_the_past_never_say_today(estate, root, gap):
    page = service_page(version=find(code="SVC-003", user=root, moment=gap), user=root, moment=gap)
    assert "Today" not in str((page.runs, page.saw.rows, page.problems, page.jobs))
    assert "Today" in str(
        proof.run_row(proof.runs_of(service_id=estate.imaging.pk, moment=estate.moment)[0], estate.moment, with_job=False)
    )
