"""A steward sets up a monthly report; it is checked, made, mailed, read and proved; a late run makes a revision."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.core import mail

from itsm_backup import journey
from itsm_backup.portal.fonts import ensure_fonts
from reporting import compiling, scheduling
from reporting.models import Report, ReportSchedule, ReportTemplate
from reporting.scoping import Scope
from tests.portal.makers import make_person
from tests.reporting.makers import JULY_1, JUNE, late_run_arrives, make_estate

pytestmark = [pytest.mark.django_db, pytest.mark.req("7.1", "7.5", "7.6")]
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAY = dt.timedelta(days=1)


@pytest.fixture
def estate():
    return make_estate()


@pytest.fixture
def typefaces(settings):
    return ensure_fonts(settings.FONTS_DIR)


@pytest.fixture
def steward(estate, client):
    person = make_person("steward", JULY_1)
    client.force_login(person, backend=BACKEND)
    return person


def add_schedule(client, owner, **changed):
    fields = {
        "name": "Finance and others", "enabled": "on", "audience": "both", "recipients": "board@example.org, cfo@example.org",
        "owner": owner.pk, "policy": "block", "day_of_month": "1", "local_time": "06:00", "zone": "Europe/London",
    }  # fmt: skip
    page = client.get("/admin/reporting/reportschedule/add/").content.decode()
    reason = re.search(r'name="([^"]*reason[^"]*)"', page)[1]
    return client.post("/admin/reporting/reportschedule/add/", {**fields, reason: "The board wants it monthly", **changed}, follow=True)


def test_the_month_is_reported(estate, typefaces, client, steward, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    add_schedule(client, steward)
    schedule = ReportSchedule.objects.get()
    assert schedule.history.get().history_change_reason == "The board wants it monthly"

    for pk in scheduling.claim_due(at=JULY_1):
        scheduling.work(schedule=ReportSchedule.objects.get(pk=pk), at=JULY_1)
    journey.advance(at=JULY_1)
    reports = [message for message in mail.outbox if message.subject == "Finance and others, June 2026"]
    assert {message.to[0] for message in reports} == {"board@example.org", "cfo@example.org"}
    assert all(len(message.attachments) == 3 for message in reports)

    first = Report.objects.get()
    assert (first.state, first.data["checks"]["result"]) == ("issued", "passed")
    text = client.get(f"/reports/{first.pk}/").content.decode()
    assert "Every due run is accounted for" in text and "board@example.org" in text
    assert "Made again and equal" in client.post(f"/reports/{first.pk}/again").content.decode()

    late_run_arrives(estate, at=JULY_1 + DAY)
    for pk in scheduling.claim_due(at=JULY_1 + 2 * DAY):
        scheduling.work(schedule=ReportSchedule.objects.get(pk=pk), at=JULY_1 + 2 * DAY)
    assert Report.objects.latest("pk").revision == 2
    library = client.get("/reports/").content.decode()
    assert library.count("<tr data-row>") == 2
    assert "Made again and equal" in client.post(f"/reports/{first.pk}/again").content.decode()  # the first stays what it was


def test_who_may_not_set_schedules_is_refused(estate, client):
    for role in ("auditor", "approver", "monitoring-admin"):
        client.force_login(make_person(role, JULY_1), backend=BACKEND)
        assert client.get("/admin/reporting/reportschedule/add/").status_code == 403
    assert not ReportSchedule.objects.exists()


def test_a_bad_address_is_refused_with_what_was_typed(estate, client, steward):
    text = add_schedule(client, steward, recipients="board@example.org, nobody").content.decode()
    assert "nobody" in text and not ReportSchedule.objects.exists()


@pytest.mark.req("7.3")
def test_each_audience_reads_the_sections_that_the_steward_chose(estate, typefaces, client, steward):
    first, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    templates = {row.audience: row for row in ReportTemplate.objects.all()}
    page = f"/admin/reporting/reporttemplate/{templates['auditor'].pk}/change/"
    numbered = {"sections-entries": "1", "sections-origin": "2"}

    tried = client.post("/reports/preview/auditor", numbered).content.decode()
    assert "Nothing was saved" in tried and tried.index("Entries and promises") < tried.index("How this report was made")
    client.post(page, {**numbered, "change_reason": "The auditors start with the entries"})
    assert (templates["auditor"].version, templates["auditor"].history.first().history_user) == (2, steward)

    client.post(f"/reports/{first.pk}/compile")
    second = Report.objects.get(revision=2)
    text = client.get(f"/reports/{second.pk}/?part=auditor").content.decode()
    assert "How this report was made" in text and "How the figures are made" not in text
    assert "How the figures are made" in client.get(f"/reports/{first.pk}/?part=auditor").content.decode()  # keeps its own version
    for audience, said in (("technical", "The month, day by day"), ("executive", "What it meant")):
        assert said in client.get(f"/reports/{second.pk}/?part={audience}").content.decode()
