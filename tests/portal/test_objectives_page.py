"""The objectives of a service: derived, measured, honest about small numbers, and bounded in what they ask."""

import datetime as dt
from decimal import Decimal

import pytest

from catalogue.models import Commitment, TierDefault
from itsm_backup.common.models import because
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.objectives_page import find, objectives_page
from monitoring.attaining import standing_of
from monitoring.models import Evaluation, ServiceDay
from monitoring.objectives import objectives_of
from tests.factories import make_service
from tests.portal.makers import HOUR, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.1")]


def page_of(estate, user, code="SVC-003", moment=None):
    moment = moment or estate.moment
    return objectives_page(version=find(code=code, user=user, moment=moment), user=user, moment=moment)


def rows_of(page):
    return {row.name: row for row in page.rows}


def test_targets_come_from_the_promise_and_else_from_the_tier_and_warn_before_they_break():
    promise = Commitment(rpo_s=4 * 3600, success_rate=Decimal("0.98"), encryption="none")
    default = TierDefault(tier=1, rpo_s=9, rto_s=14_400, success_rate=Decimal("0.5"), rpo_attainment_rate=Decimal("0.995"),
                          restore_test_days=90, copy_scheme="3-2-1-1-0")  # fmt: skip
    found = {one.key: one for one in objectives_of(commitment=promise, default=default, at_risk_fraction=0.9)}
    assert list(found) == [
        "rpo_s",
        "rpo_attainment_rate",
        "success_rate",
        "rto_s",
        "restore_test_days",
        "copy_scheme",
        "volume",
        "duration",
    ]
    assert (found["rpo_s"].target, found["rpo_s"].warning, found["rpo_s"].promised) == (14_400, pytest.approx(12_960), True)
    assert (found["success_rate"].target, found["success_rate"].warning) == (0.98, pytest.approx(0.982))
    assert (found["rto_s"].target, found["rto_s"].promised) == (14_400, False)
    assert found["copy_scheme"].target is None and found["copy_scheme"].scheme == "3-2-1-1-0"
    assert objectives_of(commitment=None, default=None, at_risk_fraction=0.9) == ()


def test_each_objective_tells_target_count_and_what_so_few_prove(estate, root):
    rows = rows_of(page_of(estate, root))
    success = rows["Run success"]
    assert (success.target, success.source) == ("90%", "Promised")
    assert " of " in success.counted and success.confidence == "Inconclusive" and "runs can tell" in success.proves
    rpo = rows["Recovery point (RPO)"]
    assert (rpo.target, rpo.warning, rpo.actual, rpo.verdict) == ("4 h or less", "3 h 36 min", "5 h", "broken")
    assert rpo.method.href == "/methods/BM-RPO-EXP/1/" and rpo.runs.href == "/services/SVC-003/runs/"


def test_what_nobody_measures_is_not_known_and_never_met(estate, root):
    with because("test"):
        TierDefault.objects.create(tier=1, rpo_s=14_400, rto_s=14_400, success_rate="0.99", rpo_attainment_rate="0.995",
                                   restore_test_days=90, copy_scheme="3-2-1-1-0")  # fmt: skip
    page = page_of(estate, root)
    rows = rows_of(page)
    assert rows["Copies and places"].verdict == "no_data" and rows["Copies and places"].actual == "0 of 5 parts"
    assert rows["Recovery time (RTO)"].words == "Unproven" and rows["Recovery time (RTO)"].source == "Default of its tier, not promised"
    assert "not known" in page.sentence


def test_the_budget_counts_seconds_of_the_worst_item_since_the_version(estate, root):
    """Imaging promises 4 h; the newest copy was 5 h old at noon: for one hour it was beyond, of the 47 since the first copy."""
    version = find(code="SVC-003", user=root, moment=estate.moment)
    version.commitment.rpo_attainment_rate = Decimal("0.99")  # what it would be if it promised so
    judged = Evaluation.objects.filter(service=estate.imaging).latest("at", "pk")
    found = standing_of(version=version, evaluation=judged, at=estate.at, known_at=estate.at)
    attained = next(one for one in found.attainments if one.objective.key == "rpo_attainment_rate")
    assert attained.whole - attained.part == 3600 and attained.whole == 48 * 3600
    assert attained.actual == pytest.approx(47 / 48, abs=1e-6)
    assert found.recovery.budget["used_seconds"] == 3600
    assert [(rule["name"], rule["fires"]) for rule in found.recovery.burn] == [("page", False), ("ticket", False)]
    assert found.recovery.burn[0]["long"] == pytest.approx(3600 / 86_400 / 0.01, abs=1e-5)


def test_rules_for_few_events_want_two_bad_ones(estate, root):
    """Two bad of the last ten at 90 % burn twice the budget, which is far from 6."""
    rows = page_of(estate, root).burn
    counted = [row for row in rows if row.windows.startswith("Due backups")]
    assert [row.threshold for row in counted] == ["6.0", "2.0"]
    assert counted[0].verdict == "kept"


def test_the_trend_reads_thirteen_months_of_cells_and_says_when_it_knows_nothing(estate, root, django_assert_num_queries):
    page = page_of(estate, root)
    assert page.trend_words == "No trend is told from 0 whole months: it takes six." and len(page.trends[0].wide.rows) == 13
    today = estate.at.date()
    days = [today - dt.timedelta(days=n) for n in range(1, 380)]
    taken = set(ServiceDay.objects.filter(service=estate.imaging).values_list("day", flat=True))
    ServiceDay.objects.bulk_create(
        ServiceDay(service=estate.imaging, day=day, good=100 - (today - day).days // 31, failed=(today - day).days // 31)
        for day in days
        if day not in taken
    )
    again = page_of(estate, root)
    assert again.trend_words.startswith("It is getting better: +")
    assert sum(row[2] != "0" for row in again.trends[0].wide.rows) >= 12


def test_it_asks_the_same_number_of_questions_however_much_there_is(estate, root, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        page_of(estate, root)


def test_the_past_is_counted_as_of_then(estate, root):
    past = Moment(at=estate.at - 4 * HOUR, now=estate.at)
    rows = rows_of(page_of(estate, root, moment=past))
    assert rows["Recovery point (RPO)"].verdict == "kept" and rows["Recovery point (RPO)"].actual == "1 h"
    assert rows["Recovery point (RPO)"].method.href.endswith("?as_of=2026-07-14T08%3A00Z") or "as_of=" in rows["Run success"].runs.href


def test_the_api_tells_the_same(client, estate_now):
    client.force_login(make_person("operator", estate_now.at), backend="django.contrib.auth.backends.ModelBackend")
    found = client.get("/api/v1/services/SVC-003/objectives/").json()
    rpo = next(one for one in found if one["key"] == "rpo_s")
    assert (rpo["target"], rpo["status"], rpo["method"]) == (14_400.0, "broken", "BM-RPO-EXP")
    assert client.get("/api/v1/services/SVC-404/objectives/").status_code == 404


def test_what_few_runs_leave_open_is_pooled_with_the_peers_once_there_are_five(estate, root):
    def detail():
        return rows_of(page_of(estate, root))["Run success"].detail

    for number in range(5):
        assert "Pooled" not in detail() or number == 4, "fewer than five would be named"
        peer = make_service(f"SVC-7{number}", tier=1, at=estate.at - 20 * 24 * HOUR)
        ServiceDay.objects.create(service=peer, day=estate.at.date() - dt.timedelta(days=3), good=200)
        make_service(f"SVC-8{number}", tier=2, at=estate.at - 20 * 24 * HOUR)
    assert "services of tier 1" in detail() and "which confirms it" in detail()
    assert rows_of(page_of(estate, root))["Run success"].confidence == "Inconclusive", "its own runs prove what they prove"
