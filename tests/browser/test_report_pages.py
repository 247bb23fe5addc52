"""The report library in a real browser: accessible, fits the screen, obeys the strict policy, works without JavaScript."""

import pytest

from reporting import compiling, rendering, templating
from reporting.models import Report
from reporting.scoping import Scope
from tests.admin_forms import change_url
from tests.factories import make_admin
from tests.reporting.makers import JULY_1, JUNE, make_estate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def report(chromium, settings):
    settings.ORGANISATION = "Northmoor Hospitals"
    make_estate()
    made, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    rendering.render(report=made, at=JULY_1)
    return made


def stopped_like(report):
    """A report of another series, as it is when a check stopped it."""
    found = Report.objects.get(pk=report.pk)
    found.pk, found.series, found.state = None, "another", "blocked"
    found.save(force_insert=True)
    return found


def test_the_library_is_accessible_fits_every_screen_and_obeys_the_policy(tab, report):
    from axe_playwright_python.sync_playwright import Axe

    root, found = make_admin("root"), {}
    template, stopped = templating.templates()[0], stopped_like(report)
    for size, scheme in (("desk", "light"), ("desk", "dark"), ("phone", "light"), ("narrow", "dark")):
        parts = [f"/reports/{report.pk}/?part={part}" for part in ("executive", "auditor")]
        for path in ("/reports/", f"/reports/{report.pk}/", f"/reports/{stopped.pk}/", *parts, change_url(template)):
            page = tab(root, size=size, scheme=scheme)
            page.goto(path)
            seen = list(page.complaints)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                seen.append("scrolls sideways")
            seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
            if seen:
                found[size, scheme, path] = seen
            page.context.close()
    assert not found


def test_a_report_is_made_again_without_javascript(tab, report):
    page = tab(make_admin("root"), scripts=False)
    page.goto("/reports/")
    page.get_by_role("link", name="Backup service report, June 2026").click()
    page.get_by_role("button", name="Make it again and compare").click()
    assert page.get_by_role("heading", name="Made again and equal").is_visible()
    assert page.get_by_text("Same bytes").count() == report.files.count()
    assert page.complaints == []


def test_a_template_is_tried_without_javascript_before_it_is_saved(tab, report):
    page = tab(make_admin("root"), scripts=False)
    page.goto(change_url(templating.templates()[0]))
    page.get_by_label("Variance from the catalogue").fill("1")
    page.get_by_label("Run success by day").fill("2")
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Preview with the newest report").click()
    text = opened.value.inner_text("main")
    assert "Nothing was saved" in text and text.index("Variance from the catalogue") < text.index("Run success by day")
    assert templating.templates()[0].version == 1
