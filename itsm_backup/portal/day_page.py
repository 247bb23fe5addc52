"""One day of a service: what was due and what came of it, the promise over the day, and what happened around it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.safestring import SafeString

from catalogue.models import Window
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.day_ledger import Answer, Ledger, LocalDay, ledger_of
from itsm_backup.portal.day_lines import GOOD, RESULTS, DueLine, RunLine, cause_of, due_line, run_line
from itsm_backup.portal.day_promise import DayPromise, moved_words, promise_of
from itsm_backup.portal.days import VERDICT_OF, WORDS, DayCell, cell_of
from itsm_backup.portal.past import HistoryRow, ProblemRow, history_of, problems_of
from itsm_backup.portal.words import OUTCOME_VERDICTS, VERDICTS, day, instant, many, person
from monitoring import sizing
from monitoring.models import Evaluation, JobDay, ServiceDay

MOST_WINDOWS = 20
MOST_UNUSUAL = 5


@dataclass(frozen=True, kw_only=True)
class WindowLine:
    purpose: str
    when: str
    note: str


@dataclass(frozen=True, kw_only=True)
class DayPage:
    code: str
    name: str
    on: dt.date
    on_words: str  # "Mon 13 Jul 2026"
    short: str  # "Mon 13 Jul"
    href: str
    sentence: str
    verdict: str
    verdict_words: str
    facts: tuple[tuple[str, str], ...]
    due: tuple[DueLine, ...]
    learned: SafeString | str  # from when on the runs were known, if all of them were learned of later
    cut: str
    others: tuple[RunLine, ...]
    promise: DayPromise
    judged: str
    why: str
    problems: tuple[ProblemRow, ...]
    windows: tuple[WindowLine, ...]
    history: tuple[HistoryRow, ...]
    zone_words: str
    month_href: str
    earlier: str
    later: str


def newest_day(version: Any, moment: Moment) -> dt.date:
    """The local day of the service that holds the moment."""
    return moment.at.astimezone(ZoneInfo(version.zone)).date()


def day_page(*, version: Any, user: Any, moment: Moment, on: dt.date) -> DayPage:
    """The page of a day that is not in the future; it asks as often for a year of history as for a week."""
    service = version.service
    of = LocalDay(service.pk, on, ZoneInfo(version.zone), moment)
    cell = cell_of(on, ServiceDay.objects.filter(service=service, day=on).first())
    ledger, promise, judged = ledger_of(of), promise_of(of), _judged(of)
    windows = _windows(of)
    within = (of.starts_at, of.until)
    short = f"{on:%a} {on.day} {on:%b}"
    return DayPage(
        code=service.code,
        name=version.name,
        on=on,
        on_words=f"{on:%a} {day(on)}",
        short=short,
        href=moment.href("day", service.code, on),
        sentence=_sentence(ledger, of),
        verdict=VERDICT_OF.get(cell.kind, ""),
        verdict_words=WORDS[cell.kind],
        facts=_facts(cell, ledger, promise, of),
        due=tuple(due_line(one, ledger=ledger, of=of, windows=windows) for one in ledger.due),
        learned=instant(ledger.all_learned_at) if ledger.all_learned_at else "",
        cut=f"More was due than is shown. What was not good stands in these {len(ledger.due)} first." if ledger.cut else "",
        others=tuple(run_line(answer, ledger=ledger, of=of, named=True) for answer in ledger.others),
        promise=promise,
        judged=VERDICTS[judged.verdict] if judged else "",
        why=moment.href("explain", "evaluation", judged.pk) if judged else "",
        problems=problems_of(service_id=service.pk, user=user, moment=moment, within=within),
        windows=tuple(_window_line(window, of) for window in windows.values()),
        history=history_of(service_id=service.pk, moment=moment, within=within),
        zone_words=of.zone_words,
        month_href=moment.href("service_calendar", service.code, month=f"{on:%Y-%m}"),
        earlier=moment.href("day", service.code, on - dt.timedelta(days=1)),
        later=moment.href("day", service.code, on + dt.timedelta(days=1)) if on < newest_day(version, moment) else "",
    )


def _judged(of: LocalDay) -> Evaluation | None:
    """The judgement in force when the day ended, or at the moment."""
    return Evaluation.objects.filter(service=of.service_id, at__lte=of.until).only("pk", "verdict", "at").order_by("-at", "-pk").first()


def _sentence(ledger: Ledger, of: LocalDay) -> str:
    """What came of all that was due, worst first."""
    counts: dict[str, int] = {}
    for one in ledger.due:
        kind = next((kind for kind in RESULTS if kind in one.kinds(of.moment)), "pending")
        counts[kind] = counts.get(kind, 0) + 1
    told = {
        "failed": "failed",
        "missed": "never ran",
        "unknown": "could not be looked at",
        "late": "came late",
        "warned": "had warnings",
        "held": "held",
        "pending": "still to come",
    }
    when = f"on {of.on:%a} {day(of.on)}"
    if not counts:
        return f"{many(len(ledger.others), 'run')} {when}, nothing was due." if ledger.others else f"Nothing was due {when}."
    total = len(ledger.due)
    bad = [f"{counts[kind]:,} {words}" for kind, words in told.items() if counts.get(kind)]
    good = counts.get("good", 0)
    if good == total:
        return f"{'All' if total > 1 else 'The one'} {f'{total:,} due backups were' if total > 1 else 'due backup was'} good {when}."
    return f"Of {many(total, 'due backup')} {when}, {', '.join([*bad, *([f'{good:,} good'] if good else [])])}."


def _facts(cell: DayCell, ledger: Ledger, promise: DayPromise, of: LocalDay) -> tuple[tuple[str, str], ...]:
    found = [
        ("Runs", cell.words or "none was due"),
        ("Worst", _worst(ledger, of)),
        ("Data moved", moved_words(of)),
        ("Unusual", _unusual(of)),
        ("Promise", promise.words),
    ]
    return tuple((label, words) for label, words in found if words)


def _unusual(of: LocalDay) -> str:
    """Jobs whose volume or duration that day was unlike the same weekday before it (BM-ANO-WD)."""
    odd = JobDay.objects.filter(Q(volume_unusual=True) | Q(duration_unusual=True), job__service=of.service_id, day=of.on)
    told = []
    for row in odd.select_related("job").order_by("job__name")[:MOST_UNUSUAL]:
        kinds = [kind for kind, is_odd in zip(sizing.CLASSES, (row.volume_unusual, row.duration_unusual), strict=True) if is_odd]
        told.append(f"{row.job.name} {' and '.join(sizing.words(row, kind) for kind in kinds)}")
    return "; ".join(told)


def _worst(ledger: Ledger, of: LocalDay) -> str:
    """When the worst of the day was, the latest of its kind, and its cause."""
    ranks = list(RESULTS)[:5]
    found = [(ranks.index(kind), one) for one in ledger.due for kind in one.kinds(of.moment) if kind in ranks]
    if not found:
        bad = [answer for answer in ledger.others if answer.outcome not in GOOD][-1:]
        return "".join(f"{of.clock_words(one.run.occurred_at)}, {cause_of(bad, ledger) or _outcome(one)}" for one in bad)
    rank = min(rank for rank, _ in found)
    one = [due for at, due in found if at == rank][-1]
    return f"{of.clock_words(one.row.due_at)}, {cause_of(one.answers, ledger) or RESULTS[ranks[rank]][1].lower()}"


def _outcome(answer: Answer) -> str:
    return OUTCOME_VERDICTS[answer.outcome or "unknown"][1].lower()


def _windows(of: LocalDay) -> dict[int, Window]:
    held = Window.objects.filter(service=of.service_id, starts_at__lt=of.ends_at, ends_at__gt=of.starts_at, decided_at__lte=of.moment.at)
    return {window.pk: window for window in held.select_related("decided_by").order_by("starts_at", "pk")[:MOST_WINDOWS]}


def _window_line(window: Window, of: LocalDay) -> WindowLine:
    late = window.decided_at >= window.starts_at
    return WindowLine(
        purpose=window.purpose,
        when=f"{of.clock_words(window.starts_at)} to {of.clock_words(window.ends_at)}",
        note=f"Decided by {person(window.decided_by)}, {of.clock_words(window.decided_at)}"
        + (", after it began: it excuses only what became due later" if late else ""),
    )
