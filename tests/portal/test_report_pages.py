"""The library of reports: who sees which, what the pages hold, files, proof, and a constant number of questions."""

from __future__ import annotations

import datetime as dt

import pytest

from reporting import compiling, rendering
from reporting.models import Report
from reporting.scoping import Scope
from tests.factories import make_admin
from tests.portal.makers import make_person
from tests.reporting.makers import JULY_1, JUNE, late_run_arrives, make_estate

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def reports(settings):
    """The whole estate in June, and Radiology's own report."""
    made = [compiling.compile_month(month=JUNE, scope=scope, at=JULY_1)[0] for scope in (Scope(), Scope(department="Radiology"))]
    for report in made:
        rendering.render(report=report, at=JULY_1)
    return made


@pytest.fixture
def estate(settings):
    settings.FONTS_DIR = settings.BASE_DIR / "no-such-folder"  # PDF off: pages are the same, and faster to test
    return make_estate()


@pytest.fixture
def signed_in(client):
    def entering(user):
        client.force_login(user, backend=BACKEND)
        return client

    return entering


def test_each_sees_the_reports_of_which_they_may_see_every_service(estate, reports, signed_in):
    whole, radiology = reports
    for user, seen in (
        (make_person("stakeholder", JULY_1), {whole.pk, radiology.pk}),
        (make_person("auditor", JULY_1), {whole.pk, radiology.pk}),
        (make_person("stakeholder", JULY_1, services=[estate.imaging]), {radiology.pk}),
        (make_person("stakeholder", JULY_1, services=[estate.records]), set()),
    ):
        client = signed_in(user)
        assert set(Report.objects.visible_to(user).values_list("pk", flat=True)) == seen
        for report in reports:
            there = report.pk in seen
            for path in ("", "services.csv", "snapshot.json"):
                assert client.get(f"/reports/{report.pk}/{path}").status_code == (200 if there else 404)
            assert client.post(f"/reports/{report.pk}/again").status_code == (200 if there else 404)
            assert client.post(f"/reports/{report.pk}/compile").status_code == (403 if there else 404)


def test_the_page_shows_both_parts_files_and_why_there_is_no_pdf(estate, reports, signed_in):
    client = signed_in(make_admin("root"))
    text = client.get(f"/reports/{reports[0].pk}/").content.decode()
    assert "3 of 5 services kept every promise in June" in text and "PDF is off" in text
    assert "What it meant" in client.get(f"/reports/{reports[0].pk}/?part=executive").content.decode()
    answer = client.get(f"/reports/{reports[0].pk}/services.csv")
    assert answer.content == bytes(reports[0].files.get(name="services.csv").content)
    assert answer["Content-Disposition"] == f'attachment; filename="{reports[0].number}-services.csv"'
    assert client.get(f"/reports/{reports[0].pk}/technical.pdf").status_code == 404
    assert "PDF is off" in client.get("/reports/").content.decode()


def test_made_again_it_is_equal_and_says_so(estate, reports, signed_in):
    text = signed_in(make_admin("root")).post(f"/reports/{reports[0].pk}/again").content.decode()
    assert "Made again and equal" in text and "The chain of manifests is whole: 1 report of this series" in text
    assert text.count("Same bytes") == 4 and "Other bytes" not in text


def test_compiling_again_makes_a_revision_only_when_facts_arrived(estate, reports, signed_in):
    client = signed_in(make_admin("root"))
    answer = client.post(f"/reports/{reports[0].pk}/compile", follow=True)
    assert "Nothing has changed" in answer.content.decode()
    late_run_arrives(estate)
    answer = client.post(f"/reports/{reports[0].pk}/compile", follow=True)
    text = answer.content.decode()
    assert "Revision 2 was made" in text and "because its run arrived later" in text
    assert "Revision 1" in text and client.get(f"/reports/{reports[0].pk}/").status_code == 200


def test_the_past_shows_only_what_had_been_made(estate, reports, signed_in):
    client = signed_in(make_admin("root"))
    assert client.get(f"/reports/{reports[0].pk}/?as_of=2026-07-01T04:00Z").status_code == 404
    text = client.get(f"/reports/{reports[0].pk}/?as_of=2026-07-01T06:00Z").content.decode()
    assert "You are looking at" in text and "/again" not in text and "/compile" not in text
    assert "No report has been made yet." in client.get("/reports/?as_of=2026-06-30").content.decode()


def test_the_library_asks_the_same_number_of_questions_for_any_number_of_reports(estate, reports, signed_in, django_assert_max_num_queries):
    client = signed_in(make_person("stakeholder", JULY_1))
    with django_assert_max_num_queries(14) as few:
        assert client.get("/reports/").status_code == 200
    for tier in (1, 2, 3, 4):
        compiling.compile_month(month=JUNE, scope=Scope(tier=tier), at=JULY_1 + dt.timedelta(hours=tier))
    with django_assert_max_num_queries(len(few.captured_queries)):
        assert client.get("/reports/").content.decode().count("<tr data-row>") == 6
