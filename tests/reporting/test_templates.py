"""Templates by audience: a steward chooses sections; a report keeps the version it was made with; previews save nothing."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model

from reporting import compiling, rendering, scheduling, templating
from reporting.models import Report, ReportTemplate
from reporting.rows import rows_of
from reporting.scoping import Scope
from reporting.sections import SECTIONS
from tests.admin_forms import change_url, filled, signed_in
from tests.factories import make_admin
from tests.portal.makers import make_person
from tests.reporting.makers import JULY_1, JUNE, late_run_arrives, make_report_schedule

pytestmark = pytest.mark.django_db


@pytest.fixture
def steward():
    person = make_person("steward", JULY_1)
    get_user_model().objects.filter(pk=person.pk).update(is_staff=True)
    return get_user_model().objects.get(pk=person.pk)


def template(audience):
    templating.templates()
    return ReportTemplate.objects.get(audience=audience)


def choose(client, row, *names, **more):
    """Number these sections 1, 2, 3 … in the form, and leave the others empty."""
    page = client.get(change_url(row))
    places = {f"sections-{name}": "" for name in SECTIONS[row.audience]}
    places |= {f"sections-{name}": str(number) for number, name in enumerate(names, start=1)}
    data = {name: value for name, value in filled(page).items() if not name.startswith("sections")}
    return client.post(change_url(row), {**data, **places, "change_reason": "Auditors asked for it", **more})


def heads(report, audience):
    text = rendering.document(audience, report, rows_of(report))
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_each_audience_has_its_shipped_sections(estate):
    report, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    assert heads(report, "auditor") == [
        "How this report was made", "Checks on the inputs", "Entries and promises in force",
        "Every breach of a recovery point, longest first", "Incidents", "Left out of the sum", "Restore tests", "How the figures are made",
    ]  # fmt: skip
    assert report.data["templates"]["auditor"] == {"version": 1, "sections": list(SECTIONS["auditor"])}
    assert heads(report, "executive")[0] == "Your decision: Data warehouse, keep the promise or promise less?"


def test_a_steward_chooses_and_orders_and_the_next_report_has_it(estate, steward):
    row = template("technical")
    answer = choose(signed_in(steward), row, "methods", "variance")
    assert answer.status_code == 302, answer.context["errors"]
    row.refresh_from_db()
    assert (row.sections, row.version) == (["methods", "variance"], 2)
    assert row.history.first().history_change_reason == "Auditors asked for it"
    report, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    assert heads(report, "technical") == ["How the figures are made", "Variance from the catalogue, what is not kept first"]


def test_a_report_keeps_its_template_until_a_person_asks_for_the_new_one(estate, steward):
    first, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    choose(signed_in(steward), template("technical"), "methods")
    assert compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1) == (first, False)
    assert len(heads(first, "technical")) == 10
    late_run_arrives(estate)
    second, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    assert second.data["templates"]["technical"]["version"] == 1
    third, new = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1, with_new_templates=True)
    assert new and third.data["templates"]["technical"]["version"] == 2
    assert third.changes == ["It is laid out by newer templates."]
    assert len(heads(second, "technical")) == 11  # what changed, too: it is proved with the template it was made with


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"sections-methods": "1", "sections-variance": "1"}, "Two sections have the same number"),
        ({"sections-methods": "first"}, "“first” is no place"),
        ({"sections-methods": ""}, "Choose at least one section"),
    ],
)
def test_a_choice_that_makes_no_order_is_refused_with_what_was_typed(estate, steward, places, said):
    row = template("technical")
    answer = choose(signed_in(steward), row, **places)
    assert said in answer.content.decode()
    assert f'value="{places["sections-methods"]}"' in answer.content.decode()
    row.refresh_from_db()
    assert row.version == 1


def test_a_preview_shows_real_data_and_saves_nothing(estate, steward):
    compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    template("technical")
    client = signed_in(steward)
    page = client.get(change_url(template("technical"))).content.decode()
    assert 'formaction="/reports/preview/technical"' in page
    text = client.post("/reports/preview/technical", {"sections-categories": "2", "sections-methods": "1"}).content.decode()
    assert "Nothing was saved" in text and "3 of 5 services kept every promise" in text
    assert text.index("How the figures are made") < text.index("By category") and "The month, day by day" not in text
    assert (
        "Two sections have the same number"
        in client.post("/reports/preview/technical", {"sections-categories": "1", "sections-methods": "1"}).content.decode()
    )
    assert template("technical").version == 1 and Report.objects.count() == 1


def test_a_preview_uses_only_reports_that_one_may_see(estate):
    compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    client = signed_in(make_person("stakeholder", JULY_1, services=[estate.imaging]))
    assert client.post("/reports/preview/technical", {"sections-methods": "1"}).status_code == 403
    assert signed_in(make_admin()).post("/reports/preview/nobody", {"sections-methods": "1"}).status_code == 404


def test_auditors_change_no_template(estate):
    row = template("auditor")
    person = make_person("auditor", JULY_1)
    get_user_model().objects.filter(pk=person.pk).update(is_staff=True)
    client = signed_in(get_user_model().objects.get(pk=person.pk))
    assert client.get(change_url(row)).status_code == 200
    assert client.post(change_url(row), {"sections-methods": "1", "change_reason": "x"}).status_code == 403


def test_a_schedule_sends_the_parts_of_its_audience(estate, settings):
    settings.FONTS_DIR = settings.BASE_DIR / "no-such-folder"
    schedule = make_report_schedule(audience="all")
    report, _ = scheduling.work(schedule=schedule, at=JULY_1)
    names = [one.name for one in report.deliveries.get().notice.enclosures.all()]
    assert [name.removeprefix(f"{report.number}-") for name in names] == [
        "technical.html",
        "executive.html",
        "auditor.html",
        "services.csv",
    ]
