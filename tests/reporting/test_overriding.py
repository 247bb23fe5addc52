"""A stopped report issued by a named person: sealed, marked on every page, for these data only. And the chain of manifests."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction

from reporting import compiling, filing, overriding, rendering, scheduling
from reporting.models import Report
from reporting.rows import rows_of
from reporting.scoping import Month, Scope
from tests.admin_forms import signed_in
from tests.factories import make_user
from tests.portal.makers import make_person
from tests.reporting.makers import JULY_1, JUNE, ZONE, late_run_arrives, make_report_schedule

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def without_pdf(settings):
    settings.FONTS_DIR = settings.BASE_DIR / "no-such-folder"


def unlook(name: str = "records-nightly", state: str = "unconfirmed") -> None:
    """As if nobody could have looked at this job's runs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitoring_expectedrun SET state = %s WHERE job_id IN (SELECT id FROM monitoring_backupjob WHERE name = %s)",
            [state, name],
        )


@pytest.fixture
def stopped(estate):
    unlook()
    report, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    assert report.state == "blocked"
    return report


def issue(report, reason="The array was moved; the runs were checked by hand.", at=JULY_1 + DAY):
    return overriding.issue(
        report=report, by=get_user_model().objects.filter(username="hbrandt").first() or make_user("hbrandt"), reason=reason, at=at
    )


def test_it_names_who_and_why_on_every_part_and_in_the_seal(stopped):
    made = issue(stopped)
    assert (made.revision, made.state, made.seal == stopped.seal) == (2, "overridden", False)
    assert list(made.services.values_list("digest", flat=True)) == list(stopped.services.values_list("digest", flat=True))
    for audience in rendering.TITLES:
        text = rendering.document(audience, made, rows_of(made))
        assert "Not validated. hbrandt issued it on Thu 2 Jul 2026" in text and "The array was moved" in text
        assert "@left-middle{content:" in text  # the watermark of every page
        assert "@left-middle" not in rendering.document(audience, stopped, rows_of(stopped))
    assert rendering.render(report=made, at=JULY_1) and rendering.prove(made).equal


def test_it_stands_while_the_data_stay_and_falls_with_them(estate, stopped):
    made = issue(stopped)
    assert compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1 + 2 * DAY) == (made, False)
    late_run_arrives(estate)
    unlook()
    other, new = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1 + 3 * DAY)
    assert new and (other.revision, other.state, other.data["override"]) == (3, "blocked", None)
    assert "hbrandt had issued the report as it was; for the data of now nobody has." in other.changes


@pytest.mark.parametrize("reason", ["", "   "])
def test_it_takes_a_reason(stopped, reason):
    with pytest.raises(overriding.NotStopped, match="Say why"):
        issue(stopped, reason=reason)
    assert Report.objects.count() == 1


def test_only_the_newest_and_only_a_stopped_one_can_be_issued(stopped):
    made = issue(stopped)
    for report in (stopped, made):
        with pytest.raises(overriding.NotStopped, match="only a stopped newest one"):
            issue(report)


def test_an_approver_issues_it_on_its_page_and_the_recipients_get_it(estate):
    unlook()
    schedule = make_report_schedule()
    report, _ = scheduling.work(schedule=schedule, at=JULY_1)
    for role in ("steward", "operator", "auditor", "stakeholder"):
        client = signed_in(make_person(role, JULY_1))
        assert "Issue it all the same" not in client.get(f"/reports/{report.pk}/").content.decode()
        assert client.post(f"/reports/{report.pk}/override", {"reason": "Mine"}).status_code == 403
    client = signed_in(make_person("approver", JULY_1))
    assert "Issue it all the same" in client.get(f"/reports/{report.pk}/").content.decode()
    assert "Say why" in client.post(f"/reports/{report.pk}/override", {"reason": ""}, follow=True).content.decode()
    text = client.post(f"/reports/{report.pk}/override", {"reason": "Checked by hand"}, follow=True).content.decode()
    made = Report.objects.get(revision=2)
    assert "Revision 2 was issued under your name" in text and "Not validated: issued by override" in text
    assert [delivery.recipient for delivery in made.deliveries.all()] == ["board@example.org"]
    assert "Not validated" in made.deliveries.get().notice.body
    assert "Issue it all the same" not in client.get(f"/reports/{report.pk}/").content.decode()  # it is not the newest any more


def test_who_may_not_see_the_report_cannot_issue_it(estate, stopped):
    client = signed_in(make_person("approver", JULY_1, services=[estate.imaging]))
    assert client.post(f"/reports/{stopped.pk}/override", {"reason": "Mine"}).status_code == 404


def test_every_report_of_a_series_is_chained_to_the_one_before(estate):
    may = Month(dt.date(2026, 5, 1), ZONE)
    first, _ = compiling.compile_month(month=may, scope=Scope(), at=JULY_1, policy="mark")
    second, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    other, _ = compiling.compile_month(month=JUNE, scope=Scope(tier=1), at=JULY_1)
    assert second.manifest["previous"] == bytes(first.manifest_digest).hex() and other.manifest["previous"] is None
    assert second.manifest["entry_versions"] == list(second.services.order_by("position").values_list("version_id", flat=True))
    assert filing.chain_of(second) == filing.Chain(2, "") and filing.chain_of(other) == filing.Chain(1, "")


@pytest.mark.parametrize("what", ["manifest = jsonb_set(manifest, '{state}', '\"issued\"')", "seal = decode(repeat('00', 32), 'hex')"])
def test_a_report_changed_behind_the_products_back_breaks_the_chain(estate, what):
    first, _ = compiling.compile_month(month=Month(dt.date(2026, 5, 1), ZONE), scope=Scope(), at=JULY_1, policy="block")
    second, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE reporting_report DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE reporting_report SET {what} WHERE id = %s", [first.pk])
    assert filing.chain_of(second).broken_at == first.number
    assert filing.chain_of(second).length == 1


def test_no_two_reports_follow_the_same_one(estate):
    first, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    late_run_arrives(estate)
    compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    for follows in (first, None):
        copy = Report.objects.get(revision=2)
        copy.pk, copy.revision, copy.follows = None, 3, follows
        with pytest.raises(IntegrityError), transaction.atomic():
            copy.save()
