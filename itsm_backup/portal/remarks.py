"""What owners said is not right, and what came of it: to be answered by a steward, and read by everybody who sees the entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalogue import replying
from catalogue.models import Attestation, Service
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import day, person, zone


@dataclass(frozen=True, kw_only=True)
class Remark:
    """One that waits for an answer, with the versions that may have taken it up."""

    pk: int
    who: str
    text: str
    versions: tuple[tuple[int, str], ...]  # number and words


def open_remarks(service: Service, moment: Moment) -> tuple[Remark, ...]:
    rows = Attestation.objects.filter(replying.unanswered(moment.at), service=service).select_related("service", "round", "person")
    return tuple(
        Remark(
            pk=row.pk, who=f"{person(row.person)}, in “{row.round.title}”", text=row.remark,
            versions=tuple((each.number, each.numbers) for each in replying.versions_since(row)),
        )
        for row in rows.order_by("answered_at")
    )  # fmt: skip


def reply_words(row: Attestation, moment: Moment) -> str:
    """What came of it by then; empty where nothing did. The row is read with its reply."""
    found: Any = getattr(row, "reply", None)
    if found is None or found.replied_at > moment.at:
        return ""
    taken_up = f" {found.version.numbers.capitalize()} takes it up." if found.version else ""
    return f"{person(found.replied_by)} answered on {day(found.replied_at.astimezone(zone()).date())}: {found.text}{taken_up}"
