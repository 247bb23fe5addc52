"""The service page: promise, proof, problems, history."""

import datetime as dt
from decimal import Decimal

import pytest

from catalogue import agreeing, deviating, publishing, relating
from catalogue.models import Commitment
from itsm_backup import journey
from itsm_backup.common.models import Notice
from itsm_backup.portal import objectives_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.claiming import claims_of
from itsm_backup.portal.service_page import find, service_page
from itsm_backup.portal.words import person
from monitoring import detecting, packaging
from monitoring.models import Evaluation
from monitoring.trending import Month
from tests.catalogue.makers import make_approver
from tests.factories import bear, make_admin, make_job, make_schedule, make_service, make_user, push, run_record
from tests.portal.makers import HOUR, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.2")]


def page_of(estate, user, code="SVC-003", moment=None):
    moment = moment or estate.moment
    return service_page(version=find(code=code, user=user, moment=moment), user=user, moment=moment)


def test_it_tells_who_answers_for_it(estate, root):
    page = page_of(estate, root)
    assert (page.name, page.status, page.department.words) == ("Imaging archive", "degraded", "Radiology")
    assert ("Tier", "1, critical to life") in page.meta
    assert ("Label", "Patient data") in page.meta
    assert page.version == "version 1 (1.0.0)"


def test_a_deviation_is_called_borne_only_where_what_is_in_force_needs_it(estate, root):
    at = estate.at
    asked = {"owner": make_user("olga"), "expires_on": (at + 30 * 24 * HOUR).date(), "by": make_user("asker"), "at": at, "reason": "x"}
    for code in ("RETENTION_BELOW_MINIMUM", "SCHEDULE_EXCEEDS_RPO"):
        deviation = deviating.ask(service=estate.research, code=code, **asked)
        deviating.grant(deviation=deviation, by=make_approver(), at=at, reason="Yes")
    page = page_of(estate, root, "SVC-033")
    assert [one.startswith("What is in force does not need it, but a deviation is granted until") for one in page.borne] == [True, True]


def test_people_are_called_as_everywhere(estate, root):
    """The names come from the database here; one without a full name is called by the account's."""
    version = find(code="SVC-003", user=root, moment=estate.moment)
    for named, unnamed in ((version.steward, version.owner), (version.owner, version.steward)):
        type(named).objects.filter(pk=named.pk).update(first_name="Ada", last_name="Byron")
        type(unnamed).objects.filter(pk=unnamed.pk).update(first_name="", last_name="")
        again = find(code="SVC-003", user=root, moment=estate.moment)
        told = dict(page_of(estate, root).meta)
        assert (told["Steward"], told["Owner"]) == (person(again.steward), person(again.owner))
    assert told["Backups run by"] == str(version.operations_team)


def test_runs_tell_their_job_where_there_are_several(estate, root, django_assert_max_num_queries):
    assert {run.job for run in page_of(estate, root).runs} == {""}
    make_job(estate.tool, "pacs-files", service=estate.imaging)
    push(estate.tool, run_record("pacs-files", "success", estate.at - HOUR, minutes=1), at=estate.at)
    journey.advance(at=estate.at)
    with django_assert_max_num_queries(9):
        assert {run.job for run in page_of(estate, root).runs} == {"pacs-2h", "pacs-files"}


def test_the_figure_counts_and_the_note_does_the_sum(estate, root):
    page = page_of(estate, root)
    assert page.figure == (("5", "h"),)
    assert 'broken for <b class="bad-text">1 h</b>' in page.figure_note
    assert page.figure_note.startswith("Taken today at 07:00 UTC.")


def test_each_promise_has_its_measure_and_its_why(estate, root):
    rpo, success = page_of(estate, root).claims
    assert (rpo.promised, rpo.measured, rpo.verdict, rpo.verdict_words) == ("4 h or less", "5 h now", "broken", "Broken since 11:00")
    assert rpo.why.startswith("/explain/evaluation/")
    assert (success.name, success.promised) == ("Run success", "90.0% a month")
    assert "so far in July" in success.measured


def test_a_promise_that_nothing_measures_is_not_called_kept(noon, root):
    make_service("SVC-100", at=noon - dt.timedelta(days=1), rpo_s=3600)
    promised = Commitment(rpo_s=None, rto_s=8 * 3600, retention_days=35, restore_test_days=90)
    month = Month(noon.date().replace(day=1), good=0, on_time=0, total=0)
    claims = claims_of(commitment=promised, evaluation=None, moment=Moment(at=noon, now=noon), month=month, code="SVC-100")
    assert [(claim.name, claim.measured, claim.verdict) for claim in claims] == [
        ("Recovery time (RTO)", "Not measured", "no_data"),
        ("Retention", "Not known", "no_data"),
        ("Restore test", "Not measured", "no_data"),
    ]


@pytest.mark.parametrize(
    ("on_time", "total", "told"),
    [
        (30, 31, ("96.7% so far in July", "30 of 31 due backups by their deadline, until yesterday", "kept")),
        (29, 31, ("93.5% so far in July", "29 of 31 due backups by their deadline, until yesterday", "at_risk")),
        (0, 0, ("Not known", "Nothing is settled in this month yet", "no_data")),
    ],
)
def test_done_on_time_is_counted_from_the_days_of_the_month_that_are_over(noon, on_time, total, told):
    month = Month(noon.date().replace(day=1), good=31, on_time=on_time, total=total)
    promised = Commitment(on_time_rate=Decimal("0.95"))
    (claim,) = claims_of(commitment=promised, evaluation=None, moment=Moment(at=noon, now=noon), month=month, code="SVC-100")
    assert (claim.measured, claim.evidence, claim.verdict) == told and claim.method == "/methods/BM-CIW/1/"


def test_of_a_month_in_which_nothing_is_settled_nothing_is_called_kept(noon):
    """The claim stands where nothing speaks against it; a page is green only for what is known."""
    month = Month(noon.date().replace(day=1), good=0, on_time=0, total=0)
    claim = {"claim": "success", "verdict": "kept", "rate": None, "good": 0, "settled": 0}
    evaluation = Evaluation(service_id=1, pk=1, result={"claims": [claim]}, inputs={})
    told = {"moment": Moment(at=noon, now=noon), "month": month, "code": "SVC-100"}
    (found,) = claims_of(commitment=Commitment(success_rate=Decimal("0.98")), evaluation=evaluation, **told)
    assert (found.measured, found.evidence, found.verdict) == ("Unknown", "Nothing is settled in this month yet", "no_data")


@pytest.mark.req("3.2")
def test_thirteen_months_stand_on_the_page_and_each_leads_to_its_days(estate, root):
    page = page_of(estate, root)
    assert page.months.trend.wide.head == ("Month", "Good", "Runs", "Success") and len(page.months.trend.wide.rows) == 13
    month, good, total, share = page.months.trend.wide.rows[-1]
    assert 'href="/services/SVC-003/calendar/?month=2026-07"' in month and int(good) <= int(total) and share.endswith("%")
    assert page.months.words == "No trend is told from 0 whole months: it takes six."
    assert [link.href for link in page.months.methods] == ["/methods/BM-SR-WIN/1/", "/methods/BM-TREND/1/"]
    past = page_of(estate, root, moment=Moment(at=estate.at - 24 * HOUR, now=estate.at))
    assert "as_of=" in past.months.trend.wide.rows[-1][0] and int(past.months.trend.wide.rows[-1][2]) < int(total)


def test_runs_stand_newest_first_with_what_they_moved(estate, root):
    page = page_of(estate, root)
    assert (page.runs[0].result, page.runs[0].verdict, page.runs[0].took) == ("Failed", "broken", "2 min")
    assert "no space left on device" in page.runs[0].note
    assert (page.runs[2].result, page.runs[2].moved) == ("Good", "158 GB")
    assert page.older_runs == "/services/SVC-003/runs/"


def test_a_first_failure_says_that_it_is_watched(estate, root):
    """The second one in a row opens an incident, which stands in its place."""
    make_job(estate.tool, "notes-1d", service=estate.research)
    push(estate.tool, run_record("notes-1d", "success", estate.at), at=estate.at)
    notes = []
    for hours in (2, 3):
        at = estate.at + hours * HOUR
        push(estate.tool, run_record("notes-1d", "failed", at - 0.5 * HOUR), at=at)
        journey.advance(at=at)
        page = page_of(estate, root, "SVC-033", Moment(at=at, now=at))
        notes.append([(row.kind, row.note) for row in page.problems if "notes-1d" in row.name.words])
    assert notes[0] == [("Alert", "1 time, watched: once more opens an incident")]
    assert [kind for kind, _ in notes[1]] == ["Incident"]


def test_problems_and_history_lead_to_their_explanation(estate, root):
    page = page_of(estate, root)
    assert (page.problems[0].kind, page.problems[0].state) == ("Incident", "New")
    assert page.history[0].what == "Operational → Degraded"
    assert page.history[0].why.startswith("/explain/evaluation/")
    assert page.history[-1].what.startswith("Version 1 approved by ") or page.history[-2].what.startswith("Version 1 approved by ")


def test_the_past_has_no_write_link_and_no_later_problem(estate, root):
    page = page_of(estate, root, moment=Moment(at=estate.at - 4 * HOUR, now=estate.at))
    assert (page.status, page.problems, page.admin_href) == ("operational", (), "")
    assert page.claims[0].measured == "1 h then"
    assert page.runs[0].result == "Good"


def test_a_service_without_jobs_says_so(estate, root):
    page = page_of(estate, root, "SVC-033")
    assert (page.figure, page.runs, page.jobs, page.problems) == ((), (), (), ())
    assert page.claims[0].measured == "Unknown"


def test_what_one_may_not_see_is_not_found(estate):
    somebody = make_person("stakeholder", estate.at, services=[estate.reporting])
    assert find(code="SVC-003", user=somebody, moment=estate.moment) is None
    assert find(code="SVC-011", user=somebody, moment=estate.moment)


def test_it_asks_as_often_with_many_runs_as_with_few(estate, root, django_assert_max_num_queries):
    with django_assert_max_num_queries(8) as few:
        page_of(estate, root)
    push(estate.tool, *(run_record("pacs-2h", "success", estate.at - n * HOUR / 10, minutes=1) for n in range(11, 60)), at=estate.at)
    with django_assert_max_num_queries(8) as many:
        page_of(estate, root)
    assert len(many) == len(few)


def test_it_says_that_what_is_in_force_cannot_hold_at_once_after_an_analysis_and_after_each_look(estate, root):
    """And the steward reads it in the mail about the approval; a page of before says nothing of it."""
    at, service = estate.at, estate.research
    assert page_of(estate, root, service.code).cannot_hold == ""
    analyst, approver = make_user("analyst"), make_approver()
    content = {"mtpd_s": 3_600, "tolerated_loss_s": 60, "review_due_on": at.date() + dt.timedelta(days=90)}
    row = agreeing.draft_analysis(service=service, content=content, by=analyst, at=at, reason="x")
    agreeing.approve(row=row, by=approver, at=at, reason="Agreed")
    told = page_of(estate, root, service.code).cannot_hold
    assert told.startswith("A recovery point of") and "loses more than the 1 min that the impact analysis tolerates." in told
    mails = {mail.recipient: mail.body for mail in Notice.objects.filter(key__startswith=f"told/impactanalysis/{row.pk}/approved/")}
    steward = service.version_at(at).steward
    assert "With it these promises of the entry cannot hold" in mails[steward.email] and "RPO_EXCEEDS_BIA_TOLERANCE" in mails[steward.email]
    detecting.detect_changes(at=at)
    assert page_of(estate, root, service.code).cannot_hold == told, "the look found it, too"
    before = Moment(at=at - HOUR, now=at)
    assert page_of(estate, root, service.code, before).cannot_hold == ""
    agreeing.approve(
        row=agreeing.draft_analysis(service=service, content={**content, "tolerated_loss_s": 999_999_999, "mtpd_s": 999_999_999},
                                    by=analyst, at=at + HOUR, reason="x"),
        by=approver, at=at + HOUR, reason="Agreed",
    )  # fmt: skip
    assert page_of(estate, root, service.code, Moment(at=at + HOUR, now=at + HOUR)).cannot_hold == ""


def test_offerings_are_judged_by_the_same_figures_against_their_own_levels(estate, root):
    service = estate.imaging
    assert page_of(estate, root, service.code).packages == ()
    offerings = [{"name": "Gold", "rpo_s": 60, "success_rate": Decimal("0.5")}, {"name": "Silver", "rpo_s": 999_999}, {"name": "Bare"}]
    said = {"by": make_admin("writer"), "at": estate.at, "reason": "x"}
    draft = publishing.draft_version(service=service, content={}, commitment={}, offerings=offerings, **said)
    bear(service, "OFFERING_STRONGER_THAN_ENTRY", at=estate.at)
    publishing.submit(version=draft, by=said["by"], at=estate.at, announce=False)
    publishing.approve(version=draft, by=make_admin("boss"), at=estate.at)
    journey.advance(at=estate.at)
    page = page_of(estate, root, service.code)
    own = next(one for one in page.claims if one.name == "Recovery point (RPO)")
    found = {one.name: {claim.name: claim for claim in one.claims} for one in page.packages}
    assert set(found) == {"Gold", "Silver"}
    gold, silver = found["Gold"]["Recovery point (RPO)"], found["Silver"]["Recovery point (RPO)"]
    assert gold.measured == silver.measured == own.measured and (gold.verdict, silver.verdict) == ("broken", "kept")
    assert gold.promised == "1 min or less" and gold.why == "", "what is explained is the judgement of the entry"
    version = objectives_page.find(code=service.code, user=root, moment=estate.moment)
    shown = objectives_page.objectives_page(version=version, user=root, moment=estate.moment)
    assert [one.name for one in shown.packages] == ["Gold", "Silver"] and shown.packages[0].claims[0].verdict == "broken"
    evaluation = Evaluation.objects.filter(service=service).latest("at", "pk")
    told = packaging.beside(version.offerings.order_by("name"), evaluation=evaluation, at=estate.at)
    assert told["rpo_s"] == [
        {"name": "Gold", "target": 60.0, "status": "broken"}, {"name": "Silver", "target": 999_999.0, "status": "kept"}
    ]  # fmt: skip
    assert [(one["name"], one["target"]) for one in told["success_rate"]] == [("Gold", 0.5)] and told["rto_s"] == []


def test_a_store_without_a_job_tells_how_those_stand_that_rest_on_it(estate, root, client):
    pool = make_service("POOL", at=estate.at - 24 * HOUR, kind="backup_service")
    assert "No entry is said to rest on it" in page_of(estate, root, "POOL").of_others
    relating.relate(consumer=estate.imaging, provider=pool, kind="stores_to", strength="hard", by=root, at=estate.at, reason="x")
    told = page_of(estate, root, "POOL").of_others
    assert told.startswith("Nothing of its own is measured") and "1 service rests on it for its backup: 0 of 1 keep their promise" in told
    assert "the newest copy of one that can be restored is of 14 Jul" in told
    assert page_of(estate, root, estate.imaging.code).of_others == "", "it has jobs of its own"
    client.force_login(make_person("stakeholder", estate.at, services=[pool]), backend="django.contrib.auth.backends.ModelBackend")
    seen = client.get("/services/POOL/").content.decode()
    assert "0 services rest on it for their backup, and 1 that you may not see." in seen


def test_an_entry_that_promises_no_recovery_point_is_not_unknown(estate, root, client):
    start = estate.at - 3 * 24 * HOUR
    job = make_job(estate.tool, "pool", service=make_service("SVC-101", at=start, rpo_s=None, success_rate=Decimal("0.9")), at=start)
    make_schedule(job, local_times="07:00", grace_s=3600)
    for days in (2, 1, 0):
        begin = estate.at.replace(hour=7, minute=0) - days * 24 * HOUR
        push(estate.tool, run_record("pool", "success", begin, minutes=1), at=begin + HOUR)
    journey.advance(at=estate.at)
    version = find(code="SVC-101", user=root, moment=estate.moment)
    page = service_page(version=version, user=root, moment=estate.moment)
    assert page.exposure.age == "Not promised" and page.figure == ()
    assert page.figure_note == "The entry promises no recovery point, so the age of its copies is not judged."
