"""The objectives of one service: target, warning level, what is measured, what it proves, what is left of the budget, and the trend."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils.safestring import SafeString

from catalogue.models import Offering
from itsm_backup.common.time import duration_words, parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.copy_places import PartRow, PlaceRow, part_row, place_row
from itsm_backup.portal.framing import Link
from itsm_backup.portal.method_pages import href_of
from itsm_backup.portal.month_trend import Trend, trend, trend_words
from itsm_backup.portal.package_claims import PackageClaims, claims_of_packages
from itsm_backup.portal.standing import entries
from itsm_backup.portal.words import PROVEN, VERDICTS, instant, many, percent
from monitoring.attaining import Attainment, Standing, standing_of
from monitoring.models import Evaluation
from monitoring.objectives import AT_LEAST, Objective

CONFIDENCE = {
    "met_confirmed": "Met, confirmed",
    "breach_confirmed": "Below target, confirmed",
    "inconclusive": "Inconclusive",
    "insufficient_data": "Nothing counted yet",
    "measured": "Counted whole",
    "bounds": "By tests",
}
RULES = {
    "page": ("Wake somebody", "broken"),
    "ticket": ("Look into it", "at_risk"),
}


@dataclass(frozen=True, kw_only=True)
class ObjectiveRow:
    name: str
    method: Link
    target: str
    warning: str
    source: str
    window: str
    actual: str
    counted: str
    detail: str
    verdict: str
    words: str
    confidence: str
    proves: str
    left: str
    runs: Link | None


@dataclass(frozen=True, kw_only=True)
class BurnRow:
    rule: str
    windows: str
    long: str
    short: str
    threshold: str
    verdict: str
    words: str


@dataclass(frozen=True, kw_only=True)
class ObjectivesPage:
    code: str
    name: str
    sentence: str
    month: str
    rows: tuple[ObjectiveRow, ...]
    packages: tuple[PackageClaims, ...]  # levels of offerings beside the same figures
    budget: tuple[tuple[str, str], ...]
    exhaustion: SafeString | str
    burn: tuple[BurnRow, ...]
    burn_method: str
    budget_method: str
    trends: tuple[Trend, ...]
    trend_words: str
    trend_method: str
    as_known_today: str
    parts: tuple[PartRow, ...]
    places: tuple[PlaceRow, ...]
    scheme: str
    scheme_method: str


def find(*, code: str, user: Any, moment: Moment) -> Any:
    """The version in force of a service that the user may see, with its service and commitment; None when there is none then.

    `service_page.find` asks for much more, and for most of the time that this page takes.
    """
    judged = () if moment.past else ("service__judged__evaluation",)  # in the past it is looked for
    rows = entries(user, moment).annotate(has_offerings=Exists(Offering.objects.filter(version=OuterRef("pk"))))
    return rows.filter(service__code=code).select_related("service", "commitment", *judged).first()


def objectives_page(*, version: Any, user: Any, moment: Moment) -> ObjectivesPage:
    """The page of a version that `find` gave: as many questions for a year of history as for a week."""
    evaluation = _evaluation(version, moment)
    standing = standing_of(version=version, evaluation=evaluation, at=moment.at, known_at=moment.at)
    rows = tuple(_row(one, version.service.code, moment) for one in standing.attainments)
    placed = next((one.placed for one in standing.attainments if one.placed), None)
    targets = {one.objective.key: one.objective.target for one in standing.attainments}
    return ObjectivesPage(
        code=version.service.code,
        name=version.name,
        sentence=_sentence(standing.attainments),
        month=f"{standing.period[0] + dt.timedelta(days=1):%B %Y}",
        rows=rows,
        packages=claims_of_packages(
            version.offerings.all() if version.has_offerings else (),
            evaluation=evaluation,
            moment=moment,
            month=standing.months[-1],
            code=version.service.code,
        ),
        budget=_budget(standing),
        exhaustion=_exhaustion(standing, moment),
        burn=tuple(_burn_rows(standing)),
        burn_method=href_of("BM-BURN", "1", moment),
        budget_method=href_of("BM-EB", "1", moment),
        trends=tuple(_trends(standing, targets, version.service.code, moment)),
        trend_words=trend_words(standing.trend),
        trend_method=href_of("BM-TREND", "1", moment),
        as_known_today=moment.as_known_today.strip(),
        parts=tuple(part_row(part, moment) for part in placed.parts) if placed else (),
        places=tuple(place_row(place, user, moment) for place in placed.places) if placed else (),
        scheme=next((one.objective.scheme for one in standing.attainments if one.placed), ""),
        scheme_method=href_of("BM-32110", "1", moment),
    )


def _evaluation(version: Any, moment: Moment) -> Evaluation | None:
    """The judgement in force at the moment; the present one came with the version."""
    if moment.past:
        return Evaluation.objects.filter(service=version.service_id, at__lte=moment.at).order_by("-at", "-pk").first()
    judged = getattr(version.service, "judged", None)
    return judged.evaluation if judged else None


def _sentence(found: list[Attainment]) -> str:
    if not found:
        return "This service has no objectives: its entry promises nothing, and its tier starts with nothing."
    told = [f"{sum(one.status == 'kept' for one in found)} of {many(len(found), 'objective')} met"]
    for status, word in (("at_risk", "at risk"), ("broken", "broken")):
        names = [one.objective.name for one in found if one.status == status]
        told += [f"{', '.join(name.lower() if name.isalpha() else name[:1].lower() + name[1:] for name in names)} {word}"] if names else []
    dark = sum(one.status in ("no_data", "held") for one in found)
    return f"{', '.join(told)}{f', {dark} not known' if dark else ''}."


def _row(one: Attainment, code: str, moment: Moment) -> ObjectiveRow:
    objective = one.objective
    proven = PROVEN if objective.key in ("rto_s", "restore_test_days") else VERDICTS
    return ObjectiveRow(
        name=objective.name,
        method=Link(f"{objective.method}, version 1", href_of(objective.method, "1", moment)),
        target=_target(objective),
        warning=_value(objective, objective.warning, exact=True) if objective.warning is not None else "",
        source=_source(objective),
        window=objective.window,
        actual=_measured(one),
        counted=_counted(one),
        detail=one.detail,
        verdict=one.status,
        words=proven.get(one.status, VERDICTS[one.status]),
        confidence=CONFIDENCE.get(one.confidence, ""),
        proves=_proves(one),
        left=_left(one.left),
        runs=_runs(objective, code, moment),
    )


def _source(one: Objective) -> str:
    if one.unit == "usual":
        return "What is usual follows from eight weeks"
    return "Promised" if one.promised else "Default of its tier, not promised"


def _target(one: Objective) -> str:
    if one.unit in ("scheme", "usual"):
        return one.scheme
    told = _value(one, one.target, exact=True)
    return told if one.unit == "share" else f"{told} or {'more' if one.key in AT_LEAST else 'less'}"


def _measured(one: Attainment) -> str:
    if one.placed and one.placed.parts:
        return f"{one.part} of {many(one.whole or 0, 'part')}"
    if one.objective.key in AT_LEAST and one.whole and one.status != "no_data":
        return f"{one.part:,} of {many(one.whole, 'newest copy', 'newest copies')}"
    return _value(one.objective, one.actual)


def _value(one: Objective, value: float | None, *, exact: bool = False) -> str:
    if value is None:
        return "Not known"
    if one.unit == "seconds":
        return duration_words(value)
    if one.unit == "days":
        return many(round(value), "day") if exact else duration_words(value * 86_400)
    return percent(value, places=3 if exact else 1)


def _counted(one: Attainment) -> str:
    if one.whole is None or one.part is None or one.placed or one.objective.key in AT_LEAST:
        return ""
    if one.objective.method == "BM-RPO-TW":
        return f"{duration_words(one.part)} of {duration_words(one.whole)}"
    return f"{one.part:,} of {one.whole:,}"


def _proves(one: Attainment) -> str:
    """What so few can prove: `met, inconclusive with 30 runs` is said, and never called a breach."""
    if one.low is None or one.high is None:
        return ""
    bounds = f"between {percent(one.low)} and {percent(one.high)}"
    return f"{bounds}, as far as {many(one.whole or 0, 'test' if one.objective.key == 'rto_s' else 'run')} can tell"


def _left(left: float | None) -> str:
    if left is None:
        return ""
    return f"{int(left * 100 + 1e-6)}% left" if left >= 0 else f"Overspent {-left + 1:,.1f} times"


def _runs(one: Objective, code: str, moment: Moment) -> Link | None:
    if one.key in ("rto_s", "restore_test_days"):
        return Link("Restore tests", moment.href("service", code) + "#restores")
    if one.key in ("success_rate", "on_time_rate", "volume", "duration"):
        return Link("Days and runs", moment.href("service_calendar", code))
    return Link("Its parts", "#places") if one.unit == "scheme" else Link("Runs", moment.href("runs", code))


def _budget(standing: Standing) -> tuple[tuple[str, str], ...]:
    found = standing.recovery.budget if standing.recovery else None
    if found is None:
        return ()
    return (
        ("May be beyond the recovery point", duration_words(found["budget_seconds"])),
        ("Was so far", duration_words(found["used_seconds"])),
        ("Used", "Nothing may be" if found["consumed"] is None else percent(found["consumed"])),
    )


def _exhaustion(standing: Standing, moment: Moment) -> SafeString | str:
    """When the budget is used up if it goes on as so far; past it, nothing is foretold."""
    found = standing.recovery.budget if standing.recovery else None
    if not found or not found["projected_exhaustion_at"]:
        return ""
    at = parse_instant(found["projected_exhaustion_at"])
    return instant(at) if moment.at < at < standing.period[1] else ""


def _burn_rows(standing: Standing) -> list[BurnRow]:
    rows = []
    for rule in standing.recovery.burn if standing.recovery else []:
        windows = f"Seconds beyond the recovery point: last {rule['long_seconds'] // 3_600} h and {rule['short_seconds'] // 3_600} h"
        rows.append(_burn_row(rule, windows))
    for rule in standing.burn:
        few = f" (only {rule['counted']} are settled)" if rule["counted"] < rule["last_n"] else ""
        rows.append(_burn_row(rule, f"Due backups: last {rule['last_n']} and {rule['short_n']}, two bad ones at least{few}"))
    return rows


def _burn_row(rule: dict[str, Any], windows: str) -> BurnRow:
    name, verdict = RULES[rule["name"]]
    fires = rule["fires"]
    return BurnRow(
        rule=name,
        windows=windows,
        long=f"{rule['long']:,.1f}",
        short=f"{rule['short']:,.1f}",
        threshold=f"{rule['threshold']:,.1f}",
        verdict=verdict if fires else "kept",
        words="Burns too fast" if fires else "Within",
    )


def _trends(standing: Standing, targets: dict[str, float | None], code: str, moment: Moment) -> Iterator[Trend]:
    yield trend("Run success", standing.months, target=targets.get("success_rate"), code=code, moment=moment)
    if "on_time_rate" in targets:
        yield trend("Done on time", standing.months, target=targets["on_time_rate"], code=code, moment=moment, on_time=True)
