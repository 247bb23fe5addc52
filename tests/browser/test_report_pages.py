"""The report library in a real browser: accessible, fits the screen, obeys the strict policy, works without JavaScript."""

import pytest

from reporting import compiling, rendering
from reporting.scoping import Scope
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


def test_the_library_is_accessible_fits_every_screen_and_obeys_the_policy(tab, report):
    from axe_playwright_python.sync_playwright import Axe

    root, found = make_admin("root"), {}
    for size, scheme in (("desk", "light"), ("desk", "dark"), ("phone", "light"), ("narrow", "dark")):
        for path in ("/reports/", f"/reports/{report.pk}/", f"/reports/{report.pk}/?part=executive"):
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
