"""What is known of an entry of which nothing of its own is measured: how those stand that rest on it for their backup."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from catalogue import weave
from catalogue.models import ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.standing import WORST_FIRST, Between, standings
from itsm_backup.portal.words import VERDICTS, many, short_instant
from monitoring.serving import SERVES

NOTHING = "Nothing of its own is measured, because no job belongs to it."
TOLD = [verdict for verdict in WORST_FIRST if verdict not in (SERVES, "kept")]  # of those that rest on it


@dataclass
class Resting:
    """Those that rest on one entry for their backup: how those stand that the reader may see, how many there are, the newest copy."""

    verdicts: Counter[str] = field(default_factory=Counter)
    total: int = 0
    newest: dt.datetime | None = None

    @property
    def seen(self) -> int:
        return self.verdicts.total()


def told_of_others(version: ServiceVersion, *, has_jobs: bool, user: Any, moment: Moment) -> str:
    """A sentence for a store, control or other part of the backup without a job; empty for every other entry. Two questions.

    It is no verdict: that those which rest on it have fresh copies does not prove that it works, and where their copies lie is told by
    their own pages.
    """
    if has_jobs or version.kind == ServiceVersion.Kind.BUSINESS:
        return ""
    found = _resting([version.service_id], user=user, moment=moment).get(version.service_id)
    if found is None:
        return f"{NOTHING} No entry is said to rest on it for its backup."
    who = many(found.seen, "service rests", "services rest")
    hidden = f", and {found.total - found.seen:,} that you may not see" if found.total > found.seen else ""
    told = f"{NOTHING} {who} on it for {'its' if found.seen == 1 else 'their'} backup{hidden}"
    if not found.seen:
        return f"{told}."
    kept, judged = found.verdicts["kept"] + found.verdicts["at_risk"], found.seen - found.verdicts[SERVES]
    newest = f"the newest copy of one that can be restored is of {short_instant(found.newest)}" if found.newest else "no copy is known"
    return f"{told}: {kept:,} of {judged:,} keep their promise, {newest}."


def told_in_lists(services: Collection[int], *, user: Any, moment: Moment, known_today: Between) -> dict[int, str]:
    """The same of many entries that serve others, in few words; two questions, however many they are."""
    return {pk: _in_few_words(one) for pk, one in _resting(services, user=user, moment=moment, known_today=known_today).items()}


def _in_few_words(found: Resting) -> str:
    if not found.seen:
        return f"The backup of {many(found.total, 'service')} that you may not see rests on it"
    stand = [f"{count:,} {VERDICTS[verdict].lower()}" for verdict in TOLD for count in [found.verdicts[verdict]] if count]
    told = f": {', '.join(stand)}" if stand else ", kept" if found.verdicts["kept"] else ""
    hidden = f" and {found.total - found.seen:,} that you may not see" if found.total > found.seen else ""
    return f"The backup of {many(found.seen, 'service')}{hidden} rests on it{told}"


def _resting(services: Collection[int], *, user: Any, moment: Moment, known_today: Between | None = None) -> dict[int, Resting]:
    """By entry those that rest on it; two questions."""
    wanted = set(services)
    near = weave.relations_at(moment.at, known_then=moment.past, touching=wanted, kinds=list(weave.ONLY_BACKUP))
    resting: defaultdict[int, set[int]] = defaultdict(set)
    for one in near:
        if one.provider_id in wanted:
            resting[one.provider_id].add(one.consumer_id)
    if not resting:
        return {}
    rows = standings(user, moment, known_today).filter(service__in=set().union(*resting.values()))
    stands = {pk: (verdict, captured) for pk, verdict, captured in rows.values_list("service", "verdict", "captured_at")}
    found = {pk: Resting(total=len(those)) for pk, those in resting.items()}
    for pk, those in resting.items():
        for verdict, captured in (stands[one] for one in those if one in stands):
            found[pk].verdicts[verdict] += 1
            found[pk].newest = max(filter(None, (found[pk].newest, captured)), default=None)
    return found
