"""The risk of a problem: what is accepted until when, what waits to be answered, and who may ask and answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.safestring import SafeString

from incidents import accepting, assigning
from incidents.models import Problem, RiskAcceptance
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.words import apart, person, recent


@dataclass(frozen=True, kw_only=True)
class Risk:
    """`waits` is what was asked for, with who may answer it; `owners` are offered to who may ask."""

    facts: tuple[tuple[str, str | SafeString], ...]
    waits: tuple[tuple[str, str | SafeString], ...] = ()
    may_ask: bool = False
    may_grant: bool = False
    may_refuse: bool = False
    refusal: str = ""
    owners: tuple[Choice, ...] = ()


def risk_of(*, problem: Problem, user: Any, moment: Moment, may: bool) -> Risk:
    """As known at the moment; `may` tells whether the person works on problems, and now."""
    rows = problem.acceptances.filter(asked_at__lte=moment.at).select_related("owner", "asked_by", "answered_by")
    held = rows.filter(granted=True, answered_at__lte=moment.at).filter(Q(ended_at=None) | Q(ended_at__gt=moment.at)).first()
    waiting = rows.filter(Q(answered_at=None) | Q(answered_at__gt=moment.at)).first()
    facts = _held(held, moment) if held else ()
    if waiting is None:
        asks = may and problem.state in accepting.FROM
        return Risk(facts=facts, may_ask=asks, owners=_owners(problem) if asks else ())
    own = user.pk in (waiting.asked_by_id, waiting.owner_id)
    both = " or ".join(dict.fromkeys((person(waiting.asked_by), person(waiting.owner))))
    return Risk(
        facts=facts,
        waits=(
            ("Asked by", person(waiting.asked_by)), ("Owner", person(waiting.owner)), ("Until", f"{waiting.until:%d %b %Y}"),
            ("Why", waiting.reason),
        ),
        may_grant=may and not own,
        may_refuse=may,
        refusal=f"Somebody else than {both} grants it." if may and own else "",
    )  # fmt: skip


def _held(row: RiskAcceptance, moment: Moment) -> tuple[tuple[str, str | SafeString], ...]:
    granted = recent(row.answered_at, moment) if row.answered_at else ""
    return (
        ("Risk accepted until", f"{row.until:%d %b %Y}"), ("Owner of the risk", person(row.owner)), ("Granted by", person(row.answered_by)),
        ("Granted", granted),
    )  # fmt: skip


def _owners(problem: Problem) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=str(one.pk), words=name, chosen=one.pk == problem.assignee_id) for one, name in apart(assigning.workers()[:200])
    )
