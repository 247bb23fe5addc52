"""The admin in a real browser: strict CSP, accessible, no sideways scrolling on a phone, usable without JavaScript."""

import os
import shutil

import pytest
from django.conf import settings
from django.test import Client

from catalogue import publishing
from catalogue.models import Deviation, ExternalCatalogue, Service, ServiceVersion, Window
from itsm_backup.common.models import because
from itsm_backup.portal.fonts import ensure_fonts
from monitoring.models import AttributionRule, BackupJob, CauseRule, JobSchedule, QuarantinedRecord, Tool
from tests.admin_forms import change_url, make_staff, url
from tests.factories import LONG_AGO, make_admin, make_job, make_rule, make_schedule, make_service, make_tool

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
NO_PRELOAD = {"preload": False}  # axe would ask for imported style sheets below the page's own address
SIZES = {"desk": (1440, 900, "light"), "phone": (390, 844, "dark")}


@pytest.fixture
def browser(monkeypatch):
    from playwright.sync_api import sync_playwright

    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's own loop runs in this thread
    ensure_fonts(settings.FONTS_DIR)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, live_server):
    """Signs somebody in; gives a function that opens a path in a new tab, with all that the tab complains about."""

    def signed_in(user, *, size="desk", scripts=True):
        client = Client()
        client.force_login(user)
        width, height, scheme = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])

        def opened(path):
            page, complaints = context.new_page(), []
            page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("response", lambda answer: complaints.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
            page.goto(live_server.url + path, wait_until="load")
            return page, complaints

        return opened

    return signed_in


@pytest.fixture
def estate():
    """A service with an approved version and a further one in review, a tool with a job, rules, and what went wrong."""
    root = make_admin("root")
    service, tool = (
        make_service("pacs", name="Imaging archive"),
        make_tool("restic", settings={"repository": "/r"}, secrets={"password": "x"}),
    )
    draft = publishing.draft_version(
        service=service, content={"summary": "New"}, commitment={"rpo_s": 3600}, by=root, at=LONG_AGO, reason="New"
    )
    publishing.submit(version=draft, by=root, at=LONG_AGO)
    make_rule(service, tool, "nightly")
    job = make_job(tool, "nightly")
    make_schedule(job)
    QuarantinedRecord.objects.create(tool=tool, answer_index=0, reason="Broken", created_at=LONG_AGO)
    with because("test"):
        CauseRule.objects.create(name="locked", title="the repository is locked", pattern="lock")
    return root


def pages():
    """Every kind of page once; pages of the same template differ in words only."""
    service, draft, tool, rule = (
        Service.objects.get(),
        ServiceVersion.objects.latest("number"),
        Tool.objects.get(),
        AttributionRule.objects.get(),
    )
    yield "/admin/"
    yield from (change_url(row) for row in (service, draft, tool, rule, BackupJob.objects.get(), JobSchedule.objects.get()))
    yield change_url(ServiceVersion.objects.get(number=1))
    yield from (url(model, "changelist") for model in (Service, ServiceVersion, AttributionRule, BackupJob))
    yield url(ServiceVersion, "changelist") + "?of_service=imaging"  # found by a part of its name
    yield url(Deviation, "add") + f"?service={service.pk}"  # with how the entry stands
    yield url(Service, "changelist") + "?lifecycle__exact=catalogue"  # with a filter that can be kept
    yield from (url(model, "add") for model in (ServiceVersion, Tool, Window, ExternalCatalogue))
    yield url(Tool, "add") + "?kind=restic"
    yield from (url(Tool, page, tool.pk) for page in ("history", "permissions", "delete"))
    yield url(Tool, "simple_history", tool.pk, tool.history.first().pk)
    yield url(ServiceVersion, "act", draft.pk, "approve")
    yield url(JobSchedule, "delete", JobSchedule.objects.get().pk)


@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_accessible_fits_the_screen_and_obeys_the_policy(visit, estate, size):
    from axe_playwright_python.sync_playwright import Axe

    axe, found = Axe(), {}
    opened = visit(estate, size=size)
    for path in pages():
        page, complaints = opened(path)
        seen = list(complaints)  # axe itself adds styles that the policy then refuses
        seen += page.locator(".messagelist li").all_inner_texts()  # nothing was done, so nothing is to be told
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        seen += [
            f"{violation['id']}: {violation['nodes'][0]['target']}"
            for violation in axe.run(page, options=NO_PRELOAD).response["violations"]
        ]
        if seen:
            found[path] = seen
        page.close()
    assert not found


def test_a_missing_reason_is_shown_in_a_focused_summary(visit, estate):
    page, _ = visit(estate)(change_url(Tool.objects.get()))
    page.fill("#id_label", "Kept while the reason is asked for")
    page.click("text=Save >> nth=0")
    page.wait_for_selector(".error-summary")
    assert page.evaluate("document.activeElement.className") == "error-summary"
    assert page.input_value("#id_label") == "Kept while the reason is asked for"
    page.click(".error-summary a")
    assert page.evaluate("document.activeElement.id") == "id_change_reason"
    page.fill("#id_change_reason", "Clearer name")
    page.click("input[name=_save]")
    page.wait_for_selector(".messagelist .success")
    assert Tool.objects.get().label == "Kept while the reason is asked for"


def test_a_version_is_approved_without_javascript(visit, estate):
    approver = make_staff("catalogue.view_service", "catalogue.approve_service")
    draft = ServiceVersion.objects.latest("number")
    page, _ = visit(approver, scripts=False)("/admin/")
    page.click("text=Approve or return")
    page.click("text=Approve version 2")
    assert ("26 h" in page.inner_text("#content") and "60 min" in page.inner_text("#content")) or "1 h" in page.inner_text("#content")
    page.fill("[name=change_reason]", "Agreed with Radiology")
    page.click("form[method=post] >> text=Approve version 2")
    draft.refresh_from_db()
    assert (draft.state, draft.approver) == ("approved", approver)
