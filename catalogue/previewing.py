"""What of many entries could not hold: said for each of them before anything starts, by the same inequalities as one by one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.db.models import prefetch_related_objects

from catalogue import checking, columns
from catalogue.checking import Measured, Question
from catalogue.comparing import COMMITMENT_FIELDS, OFFERING_FIELDS
from catalogue.importing import Wish
from catalogue.levels import question_of
from catalogue.models import AgreementVersion, Service

Measure = Callable[[Collection[int], dt.datetime], Mapping[int, Measured]]
Stop = tuple[str, str]  # code of the inequality and the sentence
_AGREED = ("sla", "ola", "contract")


def unmeasured(services: Collection[int], at: dt.datetime) -> Mapping[int, Measured]:
    """Where nothing is measured."""
    return {}


def stops_of(wishes: Sequence[Wish], *, by: Any, at: dt.datetime, measure: Measure = unmeasured) -> list[list[Stop]]:
    """Of each wish what would stop its version from being approved, as the catalogue stands and with the other wishes; as many queries
    for one as for thousands.

    Wishes that cannot be done anyway, and those that change nothing, are not looked at.
    """
    places = [place for place, wish in enumerate(wishes) if not wish.problems and (wish.version is not None or wish.values)]
    looked_at = [wishes[place] for place in places]
    versions = [wish.version for wish in looked_at if wish.version is not None]
    prefetch_related_objects(versions, "service", "commitment", "offerings", *(f"{kind}__agreement" for kind in _AGREED))
    agreements = _agreements(looked_at)
    asked = [question_of(wish.version, reader=by) if wish.version is not None else _question(wish, agreements, by) for wish in looked_at]
    services = {wish.service.pk for wish in looked_at if wish.service is not None}
    found = checking.findings_of_many(asked=asked, measured=measure(services, at) if services else {}, at=at, together=True)
    stops: list[list[Stop]] = [[] for _ in wishes]
    for place, findings in zip(places, found, strict=True):
        stops[place] = [(each.code, each.sentence) for each in findings if each.stops]
    return stops


def _content(wish: Wish) -> dict[str, Any]:
    return {**wish.before, **wish.values}


def _agreements(wishes: Sequence[Wish]) -> dict[int, AgreementVersion]:
    said = [_content(wish) for wish in wishes if wish.version is None]
    named = {content[kind] for content in said for kind in _AGREED if content.get(kind)}
    return {row.pk: row for row in AgreementVersion.objects.filter(pk__in=named).select_related("agreement")} if named else {}


def _question(wish: Wish, agreements: Mapping[int, AgreementVersion], by: Any) -> Question:
    content = _content(wish)
    promise = columns.as_fields({name: content.get(name) for name in COMMITMENT_FIELDS})
    packages = columns.as_fields({"offerings": content.get("offerings") or []})["offerings"]
    return Question(
        wish.service or Service(code=wish.code), promise,
        tuple(agreements[content[kind]] for kind in _AGREED if content.get(kind) in agreements),
        tuple({**dict.fromkeys(OFFERING_FIELDS), **each} for each in packages),
        by, labels=tuple(content.get("labels") or ()),
    )  # fmt: skip
