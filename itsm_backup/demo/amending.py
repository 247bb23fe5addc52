"""What people changed while the history went on: new versions of entries and maintenance windows, by the product's own acts."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.contrib.auth import get_user_model
from django.db import transaction

from catalogue import declaring
from catalogue.models import Service
from itsm_backup.demo.world import day_at
from itsm_backup.estate.entries import commitment_of

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
            if "service" in one:
                _amend_service(one, people, instant)
            else:
                _declare_windows(one["windows"], one["reason"], people["steward"], anchor_at, instant)
    return len(due)


def _amend_service(one: dict[str, Any], people: dict[str, Any], at: dt.datetime) -> None:
    wish = dict(one["service"])
    code, commitment = wish.pop("code"), commitment_of(wish.pop("commitments", {}))
    if "owner" in wish:
        wish["owner"] = people[wish["owner"]]
    declaring.declare_service(
        code=code, content=wish, commitment=commitment, by=people["steward"], approver=people["approver"], at=at, reason=one["reason"]
    )


def _declare_windows(wish: dict[str, Any], reason: str, by: Any, anchor_at: dt.datetime, at: dt.datetime) -> None:
    starts_at, ends_at = (
        day_at(anchor_at, wish[side]["days_ago"], dt.time.fromisoformat(wish[side]["time"])) for side in ("starts", "ends")
    )
    for service in Service.objects.filter(code__in=wish["services"]):
        declaring.declare_window(
            service=service, starts_at=starts_at, ends_at=ends_at, purpose=wish["purpose"], by=by, at=at, reason=reason
        )
