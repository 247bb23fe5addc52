"""What people changed while the history went on: versions, windows, an analysis, a deviation, a schedule, rules, the meaning of a
status; by the product's own acts."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.contrib.auth import get_user_model
from django.db import transaction

from catalogue import declaring, deviating
from catalogue.models import Service
from itsm_backup.demo.stories import local_day
from itsm_backup.demo.world import day_at
from itsm_backup.estate import amounts
from itsm_backup.estate.entries import commitment_of
from monitoring import redefining, ruling
from monitoring.capability import measured
from monitoring.models import JobSchedule, Tool

AMENDMENTS = Path(__file__).with_name("amendments.yaml")
NOON = dt.time(12)


@lru_cache(maxsize=1)
def amendments() -> list[dict[str, Any]]:
    return yaml.safe_load(AMENDMENTS.read_text())


def amend(*, anchor_at: dt.datetime, since: dt.datetime, at: dt.datetime) -> int:
    """Declare what was amended after `since`, each at its own instant; returns how many amendments there were."""
    people = {person.username: person for person in get_user_model().objects.all()}
    due = [one for one in amendments() if since < day_at(anchor_at, one["days_ago"], NOON) <= at]
    for one in due:
        instant = day_at(anchor_at, one["days_ago"], NOON)
        with transaction.atomic():
            for kind, act in _ACTS.items():
                if kind in one:
                    act(one, people, anchor_at, instant)
    return len(due)


def _amend_service(one: dict[str, Any], people: dict[str, Any], anchor_at: dt.datetime, at: dt.datetime) -> None:
    wish = dict(one["service"])
    code, commitment = wish.pop("code"), commitment_of(wish.pop("commitments", {}))
    if "owner" in wish:
        wish["owner"] = people[wish["owner"]]
    declaring.declare_service(
        code=code, content=wish, commitment=commitment, by=people["steward"], approver=people["approver"], at=at, reason=one["reason"]
    )


def _declare_windows(one: dict[str, Any], people: dict[str, Any], anchor_at: dt.datetime, at: dt.datetime) -> None:
    wish = one["windows"]
    starts_at, ends_at = (
        day_at(anchor_at, wish[side]["days_ago"], dt.time.fromisoformat(wish[side]["time"])) for side in ("starts", "ends")
    )
    for service in Service.objects.filter(code__in=wish["services"]):
        declaring.declare_window(
            service=service, starts_at=starts_at, ends_at=ends_at, purpose=wish["purpose"], by=people["steward"], at=at,
            reason=one["reason"],
        )  # fmt: skip


def _declare_analysis(one: dict[str, Any], people: dict[str, Any], anchor_at: dt.datetime, at: dt.datetime) -> None:
    wish = one["analysis"]
    content = {f"{name}_s": amounts.seconds(wish[name]) for name in ("mtpd", "tolerated_loss", "wrt")}
    declaring.declare_analysis(
        service=Service.objects.get(code=wish["service"]), approver=people["approver"], by=people["steward"], at=at, reason=one["reason"],
        content={**content, "mbco": wish["mbco"], "review_due_on": local_day(at) + dt.timedelta(days=wish["review_in_days"])},
    )  # fmt: skip


def _deviate(one: dict[str, Any], people: dict[str, Any], anchor_at: dt.datetime, at: dt.datetime) -> None:
    wish = one["deviation"]
    asked = deviating.ask(
        service=Service.objects.get(code=wish["service"]), code=wish["code"], owner=people[wish["owner"]], by=people["steward"],
        expires_on=local_day(at) + dt.timedelta(days=wish["days"]), at=at, reason=one["reason"], announce=False,
    )  # fmt: skip
    known = measured(asked.service, at)
    deviating.grant(deviation=asked, by=people["approver"], at=at, reason=one["reason"], measured=known, announce=False)


def _reschedule(one: dict[str, Any], people: dict[str, Any], anchor_at: dt.datetime, at: dt.datetime) -> None:
    wish = one["schedule"]
    row = JobSchedule.objects.get(job__tool__name=wish["tool"], job__external_id=wish["job"])
    declaring.declare(row, {"grace_s": amounts.seconds(wish["grace"])}, by=people["monitoring-admin"], reason=one["reason"])


def _write_rule(one: dict[str, Any], people: dict[str, Any], anchor_at: dt.datetime, at: dt.datetime) -> None:
    wish = dict(one["rule"])
    kind, name, waits = wish.pop("kind"), wish.pop("name"), wish.pop("waits", False)
    if "service" in wish:
        wish["service"] = Service.objects.get(code=wish["service"])
    author = people["monitoring-admin"]
    row = ruling.draft_rule(kind=kind, name=name, content=wish, by=author, at=at, reason=one["reason"])
    row = ruling.send(row=row, by=author, at=at)
    if not waits:
        ruling.approve(row=row, by=people["approver"], at=at, reason=one["reason"])


def _write_status_map(one: dict[str, Any], people: dict[str, Any], anchor_at: dt.datetime, at: dt.datetime) -> None:
    wish = one["status_map"]
    tool = Tool.objects.get(name=wish["tool"])
    row = redefining.draft_map(tool=tool, words=wish["words"], units={}, by=people["monitoring-admin"], at=at, reason=one["reason"])
    redefining.approve(row=row, by=people["approver"], at=at, reason=one["reason"])


_ACTS = {
    "service": _amend_service, "windows": _declare_windows, "analysis": _declare_analysis, "deviation": _deviate, "schedule": _reschedule,
    "rule": _write_rule, "status_map": _write_status_map,
}  # fmt: skip
