"""Everything that is silenced, paused, left out or overridden: who answers for it, why, until when. Read from the facts that do it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from catalogue.models import Deviation, DutyException, LegalHold, ScopeDecision, StatusOverride, Window
from incidents import solving, withholding
from incidents.models import Channel, Incident, IncidentEntry, Problem, ProblemEntry, RiskAcceptance
from itsm_backup.common.models import Tracked
from itsm_backup.common.time import UTC, parse_instant
from monitoring.models import BackupJob, Tool

MOST = 500
KINDS = {
    "maintenance": "Maintenance window",
    "status": "Status set by hand",
    "tool": "Tool switched off",
    "channel": "Channel switched off",
    "incident": "Incident on hold",
    "problem": "Kind of failure muted",
    "risk": "Risk accepted",
    "deviation": "Deviation",
    "scope": "Left out of the catalogue",
    "duties": "Duties not kept apart",
    "hold": "Legal hold",
}
EFFECTS = {
    "maintenance": "Runs that fall due are excused; only damage and, in tier 1, a broken recovery point become alerts",
    "status": "The computed status does not show",
    "tool": "The tool is not asked: its jobs are unconfirmed, and nothing becomes an alert",
    "channel": "The operations team is told in its place",
    "incident": "Nobody is told again until it goes on",
    "problem": "However often it comes again, no problem of it is proposed",
    "risk": "Nobody fixes what is behind it; the workaround stays",
    "deviation": "The promise stands although it cannot hold",
    "scope": "Nothing is promised, and nothing is judged",
    "duties": "One person holds two duties that exclude each other",
    "hold": "Nothing of it is retired or deleted",
}


@dataclass(frozen=True, kw_only=True)
class Mute:
    """One of them. `services` are those that it touches; without `until` it has no end of its own."""

    kind: str
    row: Any
    what: str
    services: tuple[int, ...]
    owner: Any
    reason: str
    since: dt.datetime
    until: dt.datetime | None


def mutes(*, user: Any, at: dt.datetime) -> list[Mute]:
    """What holds at `at` and the person may see, what has no end first, then by end. A fixed number of questions."""
    found = [
        *_windows(user, at), *_statuses(user, at), *_switched_off(Tool, "tool", user, at), *_switched_off(Channel, "channel", user, at),
        *_waiting(user, at), *_rejected(user, at), *_accepted(user, at), *_deviations(user, at), *_left_out(user, at),
        *_exceptions(user, at), *_holds(user, at),
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.until is not None, one.until or one.since, one.what))


def _windows(user: Any, at: dt.datetime) -> Iterator[Mute]:
    rows = Window.objects.visible_to(user).holding(at).filter(decided_at__lte=at).select_related("service", "decided_by")  # type: ignore[attr-defined]
    for row in rows[:MOST]:
        yield Mute(
            kind="maintenance", row=row, what=row.service.code, services=(row.service_id,), owner=row.decided_by, reason=row.purpose,
            since=row.starts_at, until=row.ends_at,
        )  # fmt: skip


def _statuses(user: Any, at: dt.datetime) -> Iterator[Mute]:
    rows = StatusOverride.objects.visible_to(user).standing(at).select_related("service", "owner")  # type: ignore[attr-defined]
    for row in rows[:MOST]:
        yield Mute(
            kind="status", row=row, what=f"{row.service.code}: {row.get_status_display()}", services=(row.service_id,), owner=row.owner,
            reason=row.reason, since=row.made_at, until=row.expires_at,
        )  # fmt: skip


def _switched_off(model: type[Tracked], kind: str, user: Any, at: dt.datetime) -> Iterator[Mute]:
    """By their histories: since the change that switched them off, by who did it, for the reason given."""
    seen: QuerySet[Any] = model.objects.visible_to(user)  # type: ignore[attr-defined]
    history: Any = model.history.filter(id__in=seen.values("pk"), history_date__lte=at)  # type: ignore[attr-defined]
    off = list(history.latest_of_each().filter(enabled=False).exclude(history_type="-").values_list("id", flat=True)[:MOST])
    services = _services_behind(off) if kind == "tool" and off else {}
    since: dict[int, Any] = {}
    for row in history.filter(id__in=off).select_related("history_user").order_by("history_date", "history_id"):
        if row.enabled:
            since.pop(row.id, None)
        else:
            since.setdefault(row.id, row)
    for pk, row in since.items():
        yield Mute(
            kind=kind, row=row, what=row.name, services=tuple(services.get(pk, ())), owner=row.history_user,
            reason=row.history_change_reason, since=row.history_date, until=None,
        )  # fmt: skip


def _services_behind(tools: Iterable[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    pairs = BackupJob.objects.filter(tool__in=tools, service__isnull=False).values_list("tool", "service").distinct().order_by("service")
    for tool, service in pairs:
        found.setdefault(tool, []).append(service)
    return found


def _waiting(user: Any, at: dt.datetime) -> Iterator[Mute]:
    """Incidents that were on hold, since the line of their story that says so."""
    paused = Incident.objects.told_to(user).filter(Q(state="on_hold") | ~Q(holds=[]), opened_at__lte=at)
    lines = IncidentEntry.objects.filter(incident__in=paused.values("pk"), kind="state", text__startswith="On hold", at__lte=at)
    latest = {line.incident_id: line for line in lines.select_related("by").order_by("incident", "-at", "-pk").distinct("incident")}
    rows = [row for row in paused.filter(pk__in=latest) if _holds_still(row, latest[row.pk].at, at)][:MOST]
    withholding.retitle(user, rows)
    row: Any
    for row in rows:
        line = latest[row.pk]
        services = (row.service_id,) if row.service_id and row.service_is_seen else ()
        yield Mute(
            kind="incident", row=row, what=f"{row.number}: {row.told_title}", services=services, owner=line.by,
            reason=line.text.partition(": ")[2], since=line.at, until=None,
        )  # fmt: skip


def _holds_still(row: Incident, since: dt.datetime, at: dt.datetime) -> bool:
    """Whether the hold that began then had not ended by `at`: one that has ended is a span of the incident."""
    return not any(end and parse_instant(start) == since and parse_instant(end) <= at for start, end in row.holds)


def _rejected(user: Any, at: dt.datetime) -> Iterator[Mute]:
    """Kinds of failure whose problem was rejected, by who did it, for the reason in its story; for who reads problems."""
    if not user.has_perm("incidents.view_problem"):
        return
    muted = Problem.objects.visible_to(user).filter(state="rejected", muted_until__gt=at, muted_until__lte=at + solving.MUTED)
    rows = {row.pk: row for row in muted[:MOST]}
    lines = ProblemEntry.objects.filter(problem__in=rows, text__startswith=f"{Problem.State.REJECTED.label}: ")
    for line in lines.select_related("by").order_by("problem", "-at", "-pk").distinct("problem"):
        row = rows[line.problem_id]
        yield Mute(
            kind="problem", row=row, what=f"{row.number}: {row.title}", services=(), owner=line.by,
            reason=line.text.partition(": ")[2], since=line.at, until=row.muted_until,
        )  # fmt: skip


def _accepted(user: Any, at: dt.datetime) -> Iterator[Mute]:
    """Risks that somebody bears until a day; for who reads problems. Those of before there were days have no end, and say so."""
    if not user.has_perm("incidents.view_problem"):
        return
    rows = RiskAcceptance.objects.visible_to(user).in_force(at).select_related("problem", "owner")
    for one in rows[:MOST]:
        yield Mute(
            kind="risk", row=one.problem, what=f"{one.problem.number}: {one.problem.title}", services=(), owner=one.owner,
            reason=one.reason, since=one.answered_at or at, until=_after(one.until),
        )  # fmt: skip
    endless = Problem.objects.visible_to(user).filter(outcome=Problem.Outcome.RISK_ACCEPTED, closed_at__lte=at, acceptances=None)
    for problem in endless.select_related("assignee")[:MOST]:
        yield Mute(
            kind="risk", row=problem, what=f"{problem.number}: {problem.title}", services=(), owner=problem.assignee,
            reason="Accepted before an end was asked for", since=problem.closed_at or at, until=None,
        )  # fmt: skip


def _deviations(user: Any, at: dt.datetime) -> Iterator[Mute]:
    rows = Deviation.objects.visible_to(user).filter(granted_at__lte=at, expires_on__gte=at.date()).select_related("service", "owner")
    for row in rows[:MOST]:
        if row.ended_at is None or row.ended_at > at:
            yield Mute(
                kind="deviation", row=row, what=f"{row.service.code}: {row.code}", services=(row.service_id,), owner=row.owner,
                reason=row.reason, since=row.granted_at or at, until=_after(row.expires_on),
            )  # fmt: skip


def _left_out(user: Any, at: dt.datetime) -> Iterator[Mute]:
    current = ScopeDecision.objects.visible_to(user).current(at).filter(outcome="excluded")  # type: ignore[attr-defined]
    for row in current.select_related("line", "decided_by")[:MOST]:
        yield Mute(
            kind="scope", row=row, what=row.line.name, services=(), owner=row.decided_by, reason=row.reason, since=row.decided_at,
            until=_after(row.review_on),
        )  # fmt: skip


def _exceptions(user: Any, at: dt.datetime) -> Iterator[Mute]:
    rows = DutyException.objects.visible_to(user).holding(at).filter(approved_at__lte=at)  # type: ignore[attr-defined]
    for row in rows.select_related("person", "owner")[:MOST]:
        who = row.person.get_full_name() or row.person.get_username()
        yield Mute(
            kind="duties", row=row, what=f"{who}: {row.get_one_display()} and {row.get_other_display()}", services=(), owner=row.owner,
            reason=row.reason, since=row.valid_from, until=row.valid_until,
        )  # fmt: skip


def _holds(user: Any, at: dt.datetime) -> Iterator[Mute]:
    rows = LegalHold.objects.visible_to(user).holding(at).select_related("service", "owner")  # type: ignore[attr-defined]
    for row in rows[:MOST]:
        yield Mute(
            kind="hold", row=row, what=row.service.code, services=(row.service_id,), owner=row.owner, reason=row.reason,
            since=row.held_from, until=row.held_until,
        )  # fmt: skip


def _after(last_day: dt.date) -> dt.datetime:
    """The instant after a last day, which counts by the clock of UTC."""
    return dt.datetime.combine(last_day, dt.time(), UTC) + dt.timedelta(days=1)
