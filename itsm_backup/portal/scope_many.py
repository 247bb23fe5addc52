"""Deciding on many backup services at once: one decision, one reason, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from catalogue import scoping
from catalogue.models import ScopeDecision, Service
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.portal import scope_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.scope_lines import Waiting
from monitoring import scoping as discovered

MOST = 50  # a page of what waits
Outcome = ScopeDecision.Outcome


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to hold for all of them. The answers are what the data say of each; `entry` carries those that are referenced."""

    outcome: str
    entry: Service | None
    review_on: Any


def decide_many(*, subjects: Sequence[str], wanted: Wanted, user: Any, moment: Moment, reason: str) -> list[ScopeDecision]:
    """Decide on each of these (`line-3`, `entry-SVC-001`, `job-12`); raises NotReady with a sentence for each that cannot be."""
    made, problems = [], []
    with transaction.atomic():
        for subject in dict.fromkeys(subjects[:MOST]):
            found = scope_pages.find(subject=subject, user=user, moment=moment)
            if found is None or found[0].subject == "new":
                problems.append(f"{subject[:80]} does not wait for a decision any more, or is not yours to see.")
                continue
            try:
                with transaction.atomic():
                    made.append(_decide(found[0], wanted, user, moment, reason))
            except (NotAllowed, Refused) as error:
                told = error.problems if isinstance(error, NotReady) else [str(error)]
                problems.append(f"{found[0].name}: {' '.join(told)}")
        if problems:
            raise NotReady(problems)
    return made


def _decide(one: Waiting, wanted: Wanted, user: Any, moment: Moment, reason: str) -> ScopeDecision:
    entry = wanted.entry if wanted.outcome == Outcome.REFERENCED else None
    if wanted.outcome == Outcome.LISTED and one.subject.startswith("entry-") and one.version is not None:
        entry = one.version.service  # it is the entry itself that is listed
    asked: dict[str, Any] = {
        "outcome": wanted.outcome, "entry": entry, "hosting": one.hosting, "review_on": wanted.review_on,
        "provider": one.version.provider if one.version else "",
        "answers": {name: said.answer for name, said in one.said.items()},
        "by": user, "at": moment.at, "reason": reason,
    }  # fmt: skip
    if one.line is not None:
        return scoping.decide_scope(line=one.line, seen=None, **asked)
    if one.thing is not None:
        return discovered.decide_discovered(thing=one.thing, name=one.name[:160], **asked)
    return scoping.decide_new(name=one.name[:160], **asked)
