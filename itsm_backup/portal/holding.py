"""Whether what is in force can hold at all: what the page of a service says of it, and of the deviations that bear it."""

from __future__ import annotations

from typing import Any, NamedTuple

from catalogue.checking import Finding, deviations_at, findings, question_of
from catalogue.deviating import CODES
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import day, many, person
from monitoring.capability import measured


class Holding(NamedTuple):
    """What does not hold, in a sentence or empty, and a sentence for each deviation."""

    cannot_hold: str = ""
    borne: tuple[str, ...] = ()


def held(version: Any, user: Any, moment: Moment) -> Holding:
    """Of a row that the service page found: it is checked only where the row says that there is a deviation or something may not hold."""
    service, at = version.service, moment.at
    granted = deviations_at(service, at) if version.has_deviations else []
    if not granted and not version.may_not_hold:
        return Holding()
    asked = question_of(version, reader=user, known_then=moment.past)
    found = findings(asked=asked, measured=measured(service, at), at=at)
    needed = {each.deviation.pk for each in found if each.deviation}
    return Holding(_stops([each for each in found if each.stops]), tuple(_deviation(each, needed=each.pk in needed) for each in granted))


def _stops(found: list[Finding]) -> str:
    if not found:
        return ""
    more = len(found) - 1
    return found[0].sentence + (f" {many(more, 'more condition')} {'does' if more == 1 else 'do'} not hold either." if more else "")


def _deviation(row: Any, *, needed: bool) -> str:
    """A deviation, and whether what is in force needs it: a later version may keep what an earlier one did not."""
    words, until = CODES[row.code], day(row.expires_on)
    if needed:
        return f"{words}. It is borne until {until}; {person(row.owner)} answers for it."
    return f"What is in force does not need it, but a deviation is granted until {until}: “{words}”; {person(row.owner)} answers for it."
