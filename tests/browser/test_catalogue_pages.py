"""Pages of ownership, attestation, differences and retirement in a real browser: accessible, within the screen, under the strict policy."""

import datetime as dt

import pytest

from catalogue import attesting, handing_over, publishing
from tests.factories import make_admin
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "Pictures of every examination, kept as long as the law asks. " * 60


@pytest.mark.parametrize(("size", "scheme"), [("desk", "dark"), ("phone", "light")])
def test_pages_around_an_entry_are_accessible_and_fit_the_screen(tab, estate_now, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    at, service, steward = estate_now.at, estate_now.imaging, make_person("steward", estate_now.at)
    root = make_admin("root")
    said = {"by": steward, "at": at, "reason": "Yearly"}
    handing_over.ask(service=service, duty="owner", receiver=make_person("stakeholder", at), **said)
    row = attesting.open_round(services=[service], title="Yearly check", due_on=at.date() + dt.timedelta(days=9), by=steward, at=at)
    for words in (LONG, LONG.replace("law", "regulator")):
        draft = publishing.draft_version(service=service, content={"summary": words}, commitment={}, **said)
        publishing.submit(version=draft, by=steward, at=at, announce=False)
        if words == LONG:
            publishing.approve(version=draft, by=root, at=at, reason="Read")
    pages = ["/ownership/", "/ownership/?cause=no-review-day-is-set", "/services/SVC-003/ownership/", f"/attestations/{row.pk}/",
             "/services/SVC-003/versions/3/", "/services/SVC-003/versions/1..2/", "/services/SVC-003/versions/2..3/",
             "/services/SVC-003/retirement/", "/services/SVC-003/history/", "/services/retired/"]  # fmt: skip
    found = {}
    for path in pages:
        page = tab(root, size=size, scheme=scheme)
        answer = page.goto(path)
        seen = [*page.complaints]  # axe itself adds styles that the policy then refuses
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
        if seen or answer.status != 200:
            found[path] = seen or answer.status
        page.context.close()
    assert not found
