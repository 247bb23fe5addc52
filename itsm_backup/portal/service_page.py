"""One service: promise, proof, problems, history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, QuerySet, Subquery, Value, prefetch_related_objects
from django.db.models.functions import Coalesce, Concat, NullIf, Trim
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue import legal_holds
from catalogue.comparing import offered
from catalogue.impact import EffectiveTier
from catalogue.models import Commitment, Deviation, LegalHold, Offering, Propagation, Retirement, Service, ServiceVersion, Team
from catalogue.packages import line_of
from incidents.models import PostIncidentReview
from itsm_backup.common.charts import Chart
from itsm_backup.common.time import duration_words, recent_words
from itsm_backup.portal import proof
from itsm_backup.portal.affected import told_affected, why_affected, with_cause
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.claiming import claims_of
from itsm_backup.portal.claiming_copies import LEAST_WINDOW
from itsm_backup.portal.framing import Claim, Exposure, Link
from itsm_backup.portal.holding import held
from itsm_backup.portal.method_pages import href_of
from itsm_backup.portal.month_trend import Trend, trend, trend_words
from itsm_backup.portal.of_others import told_of_others
from itsm_backup.portal.package_claims import PackageClaims, claims_of_packages
from itsm_backup.portal.past import HistoryRow, ProblemRow, history_of, problems_of
from itsm_backup.portal.restores import RestoreRow, restores_of
from itsm_backup.portal.service_reviews import Taught, reviews_of
from itsm_backup.portal.standing import UNPROMISED, between, exposure_of, standings, told_between
from itsm_backup.portal.words import STANDS, TIERS, counts_as, instant, person, short_instant, zone
from monitoring.detecting import may_not_hold
from monitoring.keeping import Kept, kept_of, promised_by
from monitoring.models import BackupRun, Evaluation, RestoreTest
from monitoring.trending import Month, trend_of
from monitoring.wording import status_sentence

RUNS_SHOWN, TREND_WIDTH = 15, 520
TREND_METHODS = (("How it is counted", "BM-SR-WIN"), ("How a trend is told", "BM-TREND"))


@dataclass(frozen=True, kw_only=True)
class Months:
    """Run success of thirteen months, what trend it proves, and how both are counted."""

    trend: Trend
    words: str
    methods: tuple[Link, ...]


@dataclass(frozen=True, kw_only=True)
class ServicePage:
    code: str
    name: str
    status: str
    why_words: str
    why: str
    meta: tuple[tuple[str, str], ...]  # label and the part in bold
    department: Link | None
    admin_href: str
    holds: tuple[str, ...]  # legal holds, in words
    gap: str  # says from which time of the past no judgement is kept; else empty
    exposure: Exposure
    figure: tuple[tuple[str, str], ...]  # (("6", "h"), ("12", "min")), empty when not known
    figure_note: SafeString | str
    saw: Chart
    saw_narrow: Chart
    claims: tuple[Claim, ...]
    runs: tuple[proof.RunRow, ...]
    runs_zone: str
    restores: tuple[RestoreRow, ...]
    restores_promised: bool
    older_runs: str
    days: SafeString
    days_note: str
    months: Months
    summary: str
    offerings: tuple[str, ...]  # packages with their levels, a line each
    packages: tuple[PackageClaims, ...]  # each of their levels beside what is measured
    jobs: tuple[proof.JobRow, ...]
    problems: tuple[ProblemRow, ...]
    history: tuple[HistoryRow, ...]
    reviews: tuple[Taught, ...]
    version: str  # "version 7 (2.3.0)"
    by_hand: str
    of_others: str  # of a store or control without jobs: how those stand that rest on it
    affected: SafeString | str  # what reaches it from a provider, in a sentence
    why_affected: str
    leaves: SafeString | str  # when it leaves the catalogue, where that is planned
    cannot_hold: str  # the first condition of the promise that does not hold, and how many more
    borne: tuple[str, ...]  # deviations that hold, one sentence each


def find(*, code: str, user: Any, moment: Moment) -> ServiceVersion | None:
    """The version in force of a service that the user may see, as a row of `standings`; None when there is none at that instant.

    It also says whether the user may change the entry, and which of the rarer things there are, so that the page asks for no others;
    its `known_today` is what `between` tells of it.
    """
    known_today = between(user, moment, code=code)
    rows = standings(user, moment, known_today)
    # The names come by sub-selects: each table joined doubles the time in which PostgreSQL makes its plan, and it makes one for every page.
    rows = with_cause(rows, user, moment).select_related(None).select_related("service__judged__evaluation", "commitment")
    this = {"service": OuterRef("service")}
    found: Any = (
        rows.annotate(
            steward_name=_name_of("steward"),
            owner_name=_name_of("owner"),
            team_name=Subquery(Team.objects.filter(pk=OuterRef("operations_team")).values("name")),
            may_change=Exists(Service.objects.visible_to(user, "change").filter(pk=OuterRef("service"))),
            has_holds=Exists(LegalHold.objects.filter(**this)),
            was_reached=Exists(Propagation.objects.filter(**this)),
            has_deviations=Exists(Deviation.objects.filter(**this)),
            may_not_hold=ExpressionWrapper(may_not_hold(moment.at, past=moment.past), BooleanField()),
            has_offerings=Exists(Offering.objects.filter(version=OuterRef("pk"))),
            has_reviews=Exists(PostIncidentReview.objects.filter(answers__service=OuterRef("service"), state="published")),
            leaves_at=Subquery(_planned(moment).values("ends_at")[:1]),
            effective_tier=EffectiveTier("service_id", at=moment.at, known_then=moment.past),
            has_restores=Exists(RestoreTest.objects.filter(job__service=OuterRef("service"))),
        )
        .filter(service__code=code)
        .first()
    )
    if found is not None:
        found.known_today = known_today
    return found


def _planned(moment: Moment) -> QuerySet[Retirement]:
    """The way out of the catalogue that was planned for the service then."""
    rows = Retirement.objects.filter(service=OuterRef("service"), state__in=("planned", "done", "called_off"), decided_at__lte=moment.at)
    return rows.exclude(over_at__lte=moment.at)


def _name_of(path: str) -> Subquery:
    """As `person` says it."""
    full = Trim(Concat("first_name", Value(" "), "last_name"))
    names = get_user_model().objects.filter(pk=OuterRef(path)).annotate(_name=Coalesce(NullIf(full, Value("")), "username"))
    return Subquery(names.values("_name"))


def service_page(*, version: Any, user: Any, moment: Moment) -> ServicePage:
    """The page of a row that `find` gave; the number of queries does not grow with runs, jobs or history."""
    service, evaluation = version.service, _evaluation(version, moment)
    known_at = moment.now if version.known_today.get(service.pk) else moment.at
    runs = proof.runs_of(service_id=service.pk, moment=moment, known_at=known_at, newest=_newest(version) + 1)
    jobs = proof.job_rows(service_id=service.pk, moment=moment, known_at=known_at)
    kept = kept_of(version=version, wanted=promised_by(_promised(version)), start=proof.begins_at(moment), at=moment.at, known_at=known_at)
    saw, saw_narrow = proof.saws(copies=kept.copies, promised_s=version.promised_s, runs=runs, moment=moment)
    shown = _shown(runs, several=len(jobs) > 1)
    days, days_note, months = proof.strip(version=version, moment=moment)
    exposure = exposure_of(version, moment)
    return ServicePage(
        code=service.code,
        name=version.name,
        summary=version.summary,
        **_offered(version, evaluation, moment, months[-1], kept),
        status=version.stands,
        why_words=f"Why {STANDS[version.stands]}?",
        why=moment.href("explain", "evaluation", evaluation.pk) if evaluation else "",
        meta=_meta(version),
        department=Link(version.department, moment.href("services", department=version.department)) if version.department else None,
        admin_href=_admin_href(version, user, moment),
        holds=tuple(_hold(one) for one in legal_holds.in_force(service, moment.at)) if version.has_holds else (),
        gap=told_between(version.known_today, total=1),
        exposure=exposure,
        figure=_figure(exposure),
        figure_note=_figure_note(version, evaluation, exposure, moment),
        saw=saw,
        saw_narrow=saw_narrow,
        claims=_claims(version, evaluation, moment, months[-1], kept, runs),
        runs=tuple(proof.run_row(run, moment, with_job=len(jobs) > 1) for run in shown),
        runs_zone=moment.at.astimezone(zone()).tzname() or "",
        restores=restores_of(service_id=service.pk, moment=moment) if version.has_restores else (),
        restores_promised=_promises_restores(version),
        older_runs=moment.href("runs", service.code) if len(runs) > RUNS_SHOWN else "",
        days=days,
        days_note=days_note,
        months=_months(version, months, moment),
        jobs=jobs,
        problems=problems_of(service_id=service.pk, user=user, moment=moment),
        history=history_of(service_id=service.pk, moment=moment),
        reviews=reviews_of(service_id=service.pk, user=user, moment=moment) if version.has_reviews else (),
        version=version.numbers,
        by_hand=_by_hand(evaluation),
        leaves=instant(version.leaves_at) if version.leaves_at else "",
        of_others=told_of_others(version, has_jobs=bool(jobs), user=user, moment=moment),
        affected=told_affected(version, moment),
        why_affected=why_affected(version, moment),
        **held(version, user, moment)._asdict(),
    )


def _newest(version: Any) -> int:
    """How many runs have to be there for the list, and for a backup window where one is promised."""
    commitment = _promised(version)
    return max(RUNS_SHOWN, LEAST_WINDOW) if commitment and commitment.window_opens else RUNS_SHOWN


def _claims(
    version: Any, evaluation: Evaluation | None, moment: Moment, month: Month, kept: Kept, runs: list[BackupRun]
) -> tuple[Claim, ...]:
    """Every promise of the version beside what is known of it."""
    return claims_of(
        commitment=_promised(version), evaluation=evaluation, moment=moment, month=month, kept=kept, runs=runs,
        bridged=version.known_today.get(version.service_id), code=version.service.code, zone_name=version.zone,
    )  # fmt: skip


def _offered(version: Any, evaluation: Evaluation | None, moment: Moment, month: Month, kept: Kept) -> dict[str, Any]:
    """Its offerings, a line each, and their levels beside the same figures."""
    rows = list(version.offerings.all()) if version.has_offerings else []
    packages = claims_of_packages(
        rows, evaluation=evaluation, moment=moment, month=month, code=version.service.code, kept=kept,
        bridged=version.known_today.get(version.service_id),
    )  # fmt: skip
    return {"offerings": tuple(line_of(offered(row)) for row in rows), "packages": packages}


def _shown(runs: list[BackupRun], *, several: bool) -> list[BackupRun]:
    """The runs of the list; of several jobs each with its own."""
    shown = runs[:RUNS_SHOWN]
    if several:
        prefetch_related_objects(shown, "job")
    return shown


def _promised(version: Any) -> Commitment | None:
    return getattr(version, "commitment", None)


def _months(version: Any, months: list[Month], moment: Moment) -> Months:
    commitment = _promised(version)
    promised = float(commitment.success_rate) if commitment and commitment.success_rate is not None else None
    return Months(
        trend=trend("Run success", months, target=promised, code=version.service.code, moment=moment, width=TREND_WIDTH),
        words=trend_words(trend_of(months)),
        methods=tuple(Link(told, href_of(method, "1", moment)) for told, method in TREND_METHODS),
    )


def _by_hand(evaluation: Evaluation | None) -> str:
    """Who reads the status has to know that a person set it."""
    by_hand = evaluation is not None and evaluation.result["status_reason"] == "set_by_hand"
    return status_sentence(evaluation.inputs, evaluation.result) if evaluation and by_hand else ""


def _promises_restores(version: Any) -> bool:
    commitment = _promised(version)
    return bool(commitment and (commitment.rto_s or commitment.restore_test_days))


def _hold(hold: LegalHold) -> str:
    ends = format_html("until {}", instant(hold.held_until)) if hold.held_until else "until it is released"
    return format_html("{}. {} answers for it; since {}, {}.", hold.reason.rstrip("."), person(hold.owner), instant(hold.held_from), ends)


def _evaluation(version: Any, moment: Moment) -> Evaluation | None:
    if moment.past:
        return Evaluation.objects.filter(pk=version.judgement).first() if version.judgement else None
    judged = getattr(version.service, "judged", None)
    return judged.evaluation if judged else None


def _meta(version: Any) -> tuple[tuple[str, str], ...]:
    found = [
        ("Tier", f"{version.tier}, {TIERS[version.tier].lower()}{counts_as(version.tier, version.effective_tier)}"),
        ("Steward", version.steward_name),
        ("Owner", version.owner_name),
        ("Backups run by", version.team_name),
    ]
    if version.labels:
        found.append(("Label" if len(version.labels) == 1 else "Labels", ", ".join(version.labels)))
    return tuple(found)


def _admin_href(version: Any, user: Any, moment: Moment) -> str:
    """Where the entry is edited, for those who may; nobody edits the past."""
    if moment.past or not user.is_staff or not version.may_change:
        return ""
    try:
        return reverse("admin:catalogue_service_change", args=[version.service_id])
    except NoReverseMatch:
        return ""


def _figure(exposure: Exposure) -> tuple[tuple[str, str], ...]:
    parts = exposure.age.split() if exposure.known else []
    return tuple(zip(parts[::2], parts[1::2], strict=True))


def _figure_note(version: Any, evaluation: Evaluation | None, exposure: Exposure, moment: Moment) -> SafeString | str:
    """When the copy was taken, and what that means for the promise; else why nothing is known."""
    bridged = version.known_today.get(version.service_id)
    if not exposure.known and bridged:
        return f"Not judged at that time; last judged {short_instant(bridged.judged_at)}."
    if exposure.age == UNPROMISED:
        return "The entry promises no recovery point, so the age of its copies is not judged."
    if not exposure.known:
        return status_sentence(evaluation.inputs, evaluation.result) if evaluation else "It is not judged yet."
    taken = recent_words(version.captured_at, now=moment.at, zone=zone()).split(", ")[0]
    today = taken.startswith("Today") and not moment.past
    taken = f"today at {taken.removeprefix('Today ')}" if today else instant(version.captured_at)
    if not version.promised_s:
        return format_html("Taken {}. The entry promises no recovery point.", taken)
    promise = duration_words(version.promised_s)
    between_s = (moment.at - version.captured_at).total_seconds() - version.promised_s
    due = recent_words(version.next_due_at, now=moment.at, zone=zone()).replace("Today", "today") if version.next_due_at else ""
    coming = f" Next run due {due}." if due else ""
    if between_s > 0:
        broken = format_html('<b class="bad-text">{}</b>', duration_words(between_s))
        return format_html("Taken {}. The promise is {}, so it has been broken for {}.{}", taken, promise, broken, coming)
    return format_html("Taken {}. The promise is {}, {} are left.{}", taken, promise, duration_words(between_s), coming)
