"""The estate: who keeps the promise, who does not, and what is being done."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Count, F, Max, Min, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue.models import ServiceVersion
from itsm_backup.common.charts import Chart, DayCount, success_line, tally
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Exposure, Link
from itsm_backup.portal.standing import between, exposure_of, standings, told_between
from itsm_backup.portal.trouble import alerts_of, handled_in, reasons_of, what_is_known
from itsm_backup.portal.words import TIERS, VERDICTS, many, zone
from monitoring.models import ServiceDay
from monitoring.naming import plains_for, throughout
from monitoring.serving import SERVES

MOST_ATTENTION, MOST_TILES, DAYS = 8, 40, 31
QUIET = ("kept", SERVES)
QUIET_FIRST = ("kept", "held", "no_data", "at_risk", "broken")
GROUPS = {"tier": "tier", "department": "department"}


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One service that needs somebody: worst first."""

    verdict: str
    service: Link
    place: str  # "Tier 1, Radiology"
    exposure: Exposure
    known: str
    handled: Link | None
    handled_note: str


@dataclass(frozen=True, kw_only=True)
class Tile:
    name: str
    href: str
    exposure: Exposure


@dataclass(frozen=True, kw_only=True)
class Group:
    """A tier or a department with its tiles; `more` leads to those that are not shown."""

    name: str
    notes: tuple[str, ...]
    tiles: tuple[Tile, ...]
    more: Link | None = None


@dataclass(frozen=True, kw_only=True)
class EstatePage:
    sentence: str
    lead: SafeString | str
    affected: Link | None  # those that a provider affects, whatever they are by themselves
    gap: str  # says from which time of the past no judgement is kept; else empty
    tally_wide: SafeString
    tally_narrow: SafeString
    counts: tuple[tuple[str, str, str], ...]  # verdict, words, link to them
    attention: tuple[Attention, ...]
    attention_more: Link | None
    success: Chart | None
    success_note: str
    groups: tuple[Group, ...]
    grouped_by: str
    regroup: Link


def estate_page(*, user: Any, moment: Moment, by: str) -> EstatePage:
    """The page for what the user may see, grouped by "tier" or "department"; it asks as often for 40 services as for 10,000."""
    group = GROUPS.get(by, "tier")
    known_today = between(user, moment)
    rows = standings(user, moment, known_today)
    counts = list(
        rows.order_by(group)
        .values(group, "verdict", rate=F("commitment__success_rate"))
        .annotate(
            n=Count("pk"),
            affected=Count("reaches"),
            least_s=Min("promised_s"),
            most_s=Max("promised_s"),
        )
    )
    affected = sum(count["affected"] for count in counts)
    verdicts: Counter[str] = Counter()
    for count in counts:
        verdicts[count["verdict"]] += count["n"]
    shown = _shown(rows, group)
    needy = sorted((row for row in shown if row.verdict not in QUIET), key=_badness)[:MOST_ATTENTION]
    reasons = reasons_of(needy, moment, known_today)
    total, kept = verdicts.total(), verdicts["kept"] + verdicts["at_risk"]
    target, like = _common_rate(counts, total)
    success = _success(user, moment, target=target) if total else None
    judged = total - verdicts[SERVES]
    sentence, calm = (_sentence(kept, judged), "Every newest copy is younger than promised.") if judged else _nothing(total, moment)
    painted = [(verdict, verdicts[verdict]) for verdict in QUIET_FIRST if verdicts[verdict]]
    listed = [*painted, *((SERVES, count) for count in [verdicts[SERVES]] if count)]
    return EstatePage(
        sentence=sentence,
        lead=_lead(needy[0], reasons[needy[0].service_id], moment) if needy else calm,
        affected=_affected(affected, moment),
        gap=told_between(known_today, total=total),
        tally_wide=tally(counts=painted, sentence=sentence),
        tally_narrow=tally(counts=painted, sentence=sentence, rows=2),
        counts=tuple((verdict, _count(n, verdict), moment.href("services", verdict=verdict)) for verdict, n in listed),
        attention=_attention(needy, reasons, user, moment),
        attention_more=_more(verdicts, len(needy), moment),
        success=success,
        success_note=success.sentence + like + moment.as_known_today if success else "",
        groups=_groups(shown, counts, group, moment),
        grouped_by=group,
        regroup=Link("Group by department", moment.href("estate", by="department"))
        if group == "tier"
        else Link("Group by tier", moment.href("estate")),
    )


def _sentence(kept: int, total: int) -> str:
    if kept == total:
        return f"All {total:,} services keep their backup promise." if total != 1 else "The one service keeps its backup promise."
    return f"{kept:,} of {many(total, 'service')} {'keeps its' if kept == 1 else 'keep their'} backup promise."


def _count(count: int, verdict: str) -> str:
    """Those that serve others stand beside the sum: they promise no backup that could be kept or broken."""
    if verdict == SERVES:
        return many(count, "serves others", "serve others")
    return f"{count:,} {VERDICTS[verdict].lower()}"


def _affected(count: int, moment: Moment) -> Link | None:
    words = f"{many(count, 'service')} {'is' if count == 1 else 'are'} affected by a provider that is degraded or out"
    return Link(words, moment.href("services", affected="yes")) if count else None


def _nothing(total: int, moment: Moment) -> tuple[str, str]:
    """The sentence and the lead of a page without services, or with none that has backups of its own."""
    if total:
        return f"{many(total, 'service serves', 'services serve')} the backups of others.", "Nothing of their own is measured."
    if moment.past:
        return "No service of yours was in the catalogue then.", "Choose a later instant in the bar above, or go back to now."
    return "No service is open to you.", "An administrator can give you a role over the services you work with."


def _badness(row: Any) -> tuple[Any, ...]:
    return row.rank, row.tier, row.captured_at or dt.datetime.min.replace(tzinfo=dt.UTC), row.service.code


def _shown(rows: QuerySet[ServiceVersion], group: str) -> list[Any]:
    """The worst of each group, enough for its tiles and for the list of those that need attention."""
    worst = Window(RowNumber(), partition_by=[F(group)], order_by=[F("rank"), F("tier"), F("captured_at").asc(nulls_first=True)])
    return list(rows.annotate(place=worst).filter(place__lte=MOST_TILES).order_by(group, "service__code"))


def _lead(worst: Any, reason: str, moment: Moment) -> SafeString:
    """Names the worst service and says what is wrong with it."""
    link = format_html('<a href="{}">{}</a>', moment.href("service", worst.service.code), worst.name)
    if worst.verdict == "no_data":
        return format_html("Least is known of {}: {}", link, reason)
    if worst.verdict == "held":
        return format_html("{} is held for maintenance; nothing is broken.", link)
    if worst.captured_at is None or not worst.promised_s:
        return format_html("Worst is {}: {}", link, reason or "no copy of it could be restored.")
    age_s = (moment.at - worst.captured_at).total_seconds()
    promise = duration_words(worst.promised_s)
    if age_s > worst.promised_s:
        over = duration_words(age_s - worst.promised_s)
        return format_html("Worst is {}: its newest restorable copy is {} over the {} promise.", link, over, promise)
    age = duration_words(age_s)
    if worst.verdict == "at_risk" and reason.startswith("Next run"):
        return format_html("Nearest to its limit is {}: its newest restorable copy is {} old, promise {}.", link, age, promise)
    return format_html("Worst is {}: {}", link, reason)


def _attention(needy: Sequence[Any], reasons: dict[int, str], user: Any, moment: Moment) -> tuple[Attention, ...]:
    alerts = alerts_of((row.service_id for row in needy), user=user, moment=moment)
    plains = plains_for(user, [(row.service_id, None) for row in needy])
    found = []
    for row in needy:
        handled, note = handled_in(alerts.get(row.service_id, []), moment)
        known = what_is_known(alerts.get(row.service_id, []), reasons[row.service_id], moment)
        found.append(
            Attention(
                verdict=row.verdict,
                service=Link(row.name, moment.href("service", row.service.code)),
                place=f"Tier {row.tier}" + (f", {row.department}" if row.department else ""),
                exposure=exposure_of(row, moment),
                known=throughout(known, plains((row.service_id, None))),
                handled=handled,
                handled_note=note,
            )
        )
    return tuple(found)


def _more(verdicts: Counter[str], shown: int, moment: Moment) -> Link | None:
    hidden = verdicts.total() - sum(verdicts[verdict] for verdict in QUIET) - shown
    return Link(f"{hidden:,} more need attention", moment.href("services")) if hidden > 0 else None


def _success(user: Any, moment: Moment, *, target: float | None) -> Chart | None:
    """Due backups that succeeded, by local day, from the day cells of what the user may see; each day leads to its calendar."""
    last = moment.at.astimezone(zone()).date()
    first = last - dt.timedelta(days=DAYS - 1)
    cells = ServiceDay.objects.visible_to(user).filter(day__gte=first, day__lte=last).order_by("day").values("day")
    found = {row["day"]: row for row in cells.annotate(ok=Sum("good"), bad=Sum(F("failed") + F("missed")))}
    if not any(row["ok"] + row["bad"] for row in found.values()):
        return None
    days = [first + dt.timedelta(days=n) for n in range(DAYS)]
    counts = [
        DayCount(day, found[day]["ok"], found[day]["ok"] + found[day]["bad"]) if day in found else DayCount(day, 0, 0) for day in days
    ]
    chart = success_line(days=counts, target=target)
    links = [
        format_html('<a href="{}">{}</a>', moment.href("calendar", ending=day.isoformat()), row[0])
        for day, row in zip(days, chart.rows, strict=True)
    ]
    return replace(chart, rows=tuple((link, *row[1:]) for link, row in zip(links, chart.rows, strict=True)))


def _common_rate(counts: Sequence[dict[str, Any]], total: int) -> tuple[float | None, str]:
    """The success rate that most services promise, and whose promise it is where not all do; None when there is no such majority."""
    rates: Counter[Any] = Counter()
    for count in counts:
        rates[count["rate"]] += count["n"]
    rate, n = rates.most_common(1)[0] if rates else (None, 0)
    if rate is None or 2 * n <= total:
        return None, ""
    return float(rate), "" if n == total else f" The line is what {n:,} of {many(total, 'service')} promise."


def _groups(shown: Sequence[Any], counts: Sequence[dict[str, Any]], group: str, moment: Moment) -> tuple[Group, ...]:
    tiles: dict[Any, list[Any]] = defaultdict(list)
    for row in shown:
        tiles[getattr(row, group)].append(row)
    totals: Counter[Any] = Counter()
    promises: dict[Any, list[int]] = defaultdict(list)
    for count in counts:
        totals[count[group]] += count["n"]
        promises[count[group]] += [seconds for seconds in (count["least_s"], count["most_s"]) if seconds]
    return tuple(_group(key, rows, totals[key], promises[key], group, moment) for key, rows in tiles.items())


def _group(key: Any, rows: list[Any], total: int, promised_s: list[int], group: str, moment: Moment) -> Group:
    if total > len(rows):
        rows = sorted(rows, key=_badness)
    notes = [TIERS[key]] if group == "tier" else [many(total, "service")]
    if promised_s:
        least, most = duration_words(min(promised_s)), duration_words(max(promised_s))
        unit = f" {most.split()[-1]}"
        shorter = least.removesuffix(unit) if least.count(" ") == most.count(" ") == 1 else least
        notes.append(f"promise {shorter} to {most}" if least != most else f"promise {least}")
    return Group(
        name=f"Tier {key}" if group == "tier" else key or "No department",
        notes=tuple(notes),
        tiles=tuple(
            Tile(name=row.short_name, href=moment.href("service", row.service.code), exposure=exposure_of(row, moment)) for row in rows
        ),
        more=Link(f"{total - len(rows):,} more", moment.href("services", **{group: key})) if total > len(rows) else None,
    )
