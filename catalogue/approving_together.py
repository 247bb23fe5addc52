"""Versions that hold only with one another: entries that need each other in a circle have no order in which each holds by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from catalogue import checking, publishing
from catalogue.checking import Measured
from catalogue.levels import Question, question_of
from catalogue.models import ServiceVersion
from catalogue.refusing import Refused


@dataclass(frozen=True, kw_only=True)
class Read:
    """A version that waits for approval: the hash of the content that was read, and what the monitoring measured for its entry."""

    version: ServiceVersion
    seen: str
    measured: Measured


def approve_together(*, read: Sequence[Read], by: Any, at: dt.datetime, reason: str) -> dict[int, str]:
    """Put those in force that hold with one another, in one transaction; by id of the version why each of the others is not.

    Weighed as in the preview of a batch. One that is refused for another reason counts for nobody: the rest is weighed again without it.
    """
    refused: dict[int, str] = {}
    while left := [one for one in read if one.version.pk not in refused]:
        asked = [question_of(one.version, reader=by) for one in left]
        measured = {one.version.service_id: one.measured for one in left}
        found = checking.findings_of_many(asked=asked, measured=measured, at=at, together=True)
        broken = {one.version.pk: " ".join(checking.refusals(each)) for one, each in zip(left, found, strict=True)}
        holding = [(one, question) for one, question in zip(left, asked, strict=True) if not broken[one.version.pk]]
        failed = _approved(holding, by=by, at=at, reason=reason)
        if not failed:
            return refused | {pk: told for pk, told in broken.items() if told}
        refused |= failed
    return refused


def _approved(holding: Sequence[tuple[Read, Question]], *, by: Any, at: dt.datetime, reason: str) -> dict[int, str]:
    """All of them or none: then the one that is refused, and why."""
    beside = [question for _, question in holding]
    refused: dict[int, str] = {}
    try:
        with transaction.atomic():
            for one, _ in holding:
                refused = {one.version.pk: ""}
                publishing.approve(version=one.version, by=by, at=at, reason=reason, seen=one.seen, measured=one.measured, beside=beside)
    except Refused as error:
        return {pk: str(error) for pk in refused}
    return {}
