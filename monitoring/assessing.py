"""Trying a tool: it is asked, what comes back is held against what its connector declares, and the scorecard is kept with its day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from django.db import transaction

from catalogue import duties
from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.models import because
from monitoring import answers, mapping, polling, scoring
from monitoring.connectors import CONNECTORS, reader_of
from monitoring.connectors.base import Runner
from monitoring.connectors.capabilities import CAPABILITIES, Declared
from monitoring.connectors.conversing import problem
from monitoring.connectors.map_document import BadDocument, parsed, shipped
from monitoring.connectors.mapped import Mapped, declared_by
from monitoring.connectors.running import run_program
from monitoring.models import Assessment, CapabilityWeights, Tool
from monitoring.scoring import Found, Heard

LOOKED_AT = 20  # kept answers that are read again where nothing can be asked


def declared_of(tool: Tool) -> Mapping[str, Declared]:
    """What the tool's connector declares; of a mapped tool, what its map in force lets us read."""
    return _declared(tool.kind, str(tool.settings.get("map", "")))


def _declared(kind: str, name: str = "") -> Mapping[str, Declared]:
    document = mapping.document_in_force(name) if kind == Mapped.kind and name else ""
    try:
        return declared_by(parsed(document)) if document else CONNECTORS[kind].capabilities
    except BadDocument:
        return CONNECTORS[kind].capabilities


def candidates() -> dict[str, str]:
    """Every kind of tool that could be connected, by a key of its own: connectors, and the maps of the product."""
    kinds = {kind: connector.label for kind, connector in CONNECTORS.items() if kind != Mapped.kind}
    return {**kinds, **{f"{Mapped.kind}:{name}": parsed(text).product for name, text in shipped().items()}}


def lines_of_kind(key: str) -> list[Found]:
    """The scorecard of a kind that nobody has tried here. Raises KeyError for one that there is not."""
    kind, _, name = key.partition(":")
    return scoring.as_declared(_declared(kind, name))


def lines_of(assessment: Assessment) -> list[Found]:
    return [msgspec.convert(line, Found) for line in assessment.lines]


def weights() -> dict[str, int]:
    """What each capability weighs; a fresh installation starts with the shipped weights."""
    row = CapabilityWeights.objects.filter(pk=1).first()
    return {name: getattr(row, name) if row else one.weight for name, one in CAPABILITIES.items()}


def set_weights(*, given: Mapping[str, int], by: Any, at: dt.datetime, reason: str) -> CapabilityWeights:
    """Make these weights count from now on. Raises NotAllowed, NotReady."""
    if told := duties.objection(by, CapabilityWeights, at):
        raise NotAllowed(told)
    if not by.is_active or not by.has_perm("monitoring.change_capabilityweights"):
        raise NotAllowed("Weights are set by monitoring administrators. You may try others on this page; they count for you alone.")
    problems = [f"{CAPABILITIES[name].label}: give a whole number from 0 to 10." for name, value in given.items() if not 0 <= value <= 10]
    problems += [] if any(given.values()) else ["Something must weigh: give at least one number above 0."]
    problems += [] if reason.strip() else ["Say why: the reason is kept with the weights."]
    if problems:
        raise NotReady(problems)
    with transaction.atomic(), because(reason, by=by):
        row = CapabilityWeights.objects.select_for_update().filter(pk=1).first() or CapabilityWeights(pk=1)
        for name, value in given.items():
            setattr(row, name, value)
        row.save()
    return row


def check_trier(tool: Tool, by: Any) -> None:
    """Raises NotAllowed, naming who can, unless the person may have this tool asked."""
    if not by.is_active or not Tool.objects.visible_to(by, "poll").filter(pk=tool.pk).exists():
        able = duties.names(duties.who_may("poll", tool, except_ids=[by.pk]))
        raise NotAllowed(f"You may not test the connection of {tool}. {f'{able} can.' if able else 'Nobody can yet.'}")


def assess(*, tool: Tool, by: Any, at: dt.datetime, run: Runner = run_program) -> Assessment:
    """Try the tool and keep its scorecard. Nothing that it says becomes a run. Raises NotAllowed.

    A tool that can be asked is asked twice: from the beginning, and from where that ended. One that reports by itself, or whose
    answers are replayed, is judged by its latest answers.
    """
    check_trier(tool, by)
    return keep(tool=tool, by=by, at=at, run=run)


def keep(*, tool: Tool, by: Any, at: dt.datetime, run: Runner = run_program) -> Assessment:
    """The same for those who need no right: the product's own demo estate."""
    live = tool.connector.polled and not tool.replayed
    first = _ask(tool, {}, at, run) if live else _kept(tool, at)
    cursor = first.readings[0].cursor if live else {}
    again = _ask(tool, cursor, at, run) if live and first.complete and cursor else None
    lines = scoring.look(
        declared=declared_of(tool), first=first, again=again, live=live, has_secret=any(tool.secrets.values()),
        plain_http=str(tool.settings.get("address", "")).strip().startswith("http://"),
    )  # fmt: skip
    weighing = weights()
    return Assessment.objects.create(
        tool=tool, at=at, by=by, source="live" if live else "kept", kind=tool.kind,
        tool_version=next((one.tool_version[:80] for one in first.answers if one.tool_version), ""),
        complete=first.complete or (not tool.connector.polled and bool(first.answers)),
        problems=first.problems[:20], asked=_asked(tool, first, again) if live else [],
        lines=msgspec.to_builtins(lines), weights=weighing, score=scoring.score(lines, weighing),
    )  # fmt: skip


def _ask(tool: Tool, cursor: Mapping[str, Any], at: dt.datetime, run: Runner) -> Heard:
    answer = polling.ask(tool=tool, cursor=cursor, at=at, run=run)
    return Heard([answer], [tool.connector.read(answer)])


def _kept(tool: Tool, at: dt.datetime) -> Heard:
    found = answers.latest(tool=tool, at=at, most=LOOKED_AT)
    return Heard(found, [reader_of(answer.kind, tool.kind).read(answer) for answer in found])


def _asked(tool: Tool, *rounds: Heard | None) -> list[Any]:
    """The questions of all rounds in words; the first hundred, as a long list has many pages."""
    over_http = getattr(tool.connector, "over_http", False)
    steps = [step for heard in rounds if heard for step in heard.steps]
    return [msgspec.to_builtins(scoring.told(step, problem(step) if over_http else "")) for step in steps[:100]]
