"""Two entries that claim one job: rules of different services that both match it. The first decides; the other claims in vain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

from monitoring.conditions import RuleSet
from monitoring.correlation import fact_of, rules_at
from monitoring.models import AttributionRule, BackupJob


class Overlap(NamedTuple):
    """A job, the service that has it, and the rules of other services that match it as well."""

    job: BackupJob
    rules: tuple[AttributionRule, ...]  # of two services at least, in the order in which they are asked


def overlaps(*, jobs: Iterable[BackupJob], at: dt.datetime) -> list[Overlap]:
    """Jobs that rules of two or more services claim; two queries beside that of the jobs."""
    rules = RuleSet(rules_at(at))
    found = []
    for job in jobs:
        claims = rules.every(fact_of(job))
        if len({rule.service_id for rule in claims}) > 1:
            found.append(Overlap(job, tuple(claims)))
    return found
