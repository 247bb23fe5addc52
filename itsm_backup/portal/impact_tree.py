"""Who feels an incident: cause, services in breach, what depends on them, departments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from incidents import prioritising
from itsm_backup.common.charts import Chart, TreeNode, impact_tree
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.standing import standings
from itsm_backup.portal.words import VERDICTS, many
from monitoring.models import Alert

MOST_BOXES = 6


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One column as a list: (name, note, verdict, address) of every member."""

    head: str
    members: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Impact:
    tree: Chart | None
    branches: tuple[Branch, ...]
    note: str


def impact_of(*, incident: Any, alerts: Sequence[Alert], user: Any, moment: Moment) -> Impact:
    """The tree as it stood when the incident opened, or with all services that joined since, with the verdicts of the moment;
    services one may not see are only counted."""
    frozen, when = incident.impact_at_opening, "as they were when it opened"
    struck_now = prioritising.services_of(alerts)
    if not set(struck_now) <= {one["service"] for one in frozen.get("services", [])}:
        frozen, when = prioritising.impact_of(struck_now, at=moment.at), "with the services that joined since it opened"
    struck, consumers = frozen.get("services", []), frozen.get("consumers", [])
    rows = {row.service_id: row for row in standings(user, moment).filter(service__in=[one["service"] for one in [*struck, *consumers]])}
    seen_struck = [one for one in struck if one["service"] in rows]
    seen_consumers = [one for one in consumers if one["service"] in rows]
    hidden = len(struck) + len(consumers) - len(seen_struck) - len(seen_consumers)
    columns = _columns(_cause(alerts), seen_struck, seen_consumers, rows, moment)
    named = ", ".join(one["name"] for one in seen_struck[:3]) or incident.told_title
    sentence = f"{named}: {many(len(seen_consumers), 'service')} depend{'s' if len(seen_consumers) == 1 else ''} on it."
    return Impact(
        tree=impact_tree(columns=[(head, nodes) for head, nodes, _ in columns], sentence=sentence) if seen_struck else None,
        branches=tuple(Branch(head=head, members=members) for head, _, members in columns),
        note=f"From the relations of the catalogue {when}" + (f"; {many(hidden, 'more service')} that you may not see" if hidden else ""),
    )


def _cause(alerts: Sequence[Alert]) -> TreeNode:
    """What is at the root, as far as a rule or the tool's silence names it."""
    told = next((alert for alert in alerts if alert.cause_title), alerts[0] if alerts else None)
    if told is None:
        return TreeNode("Cause not known")
    if told.cause_title:
        component = told.cause_key.partition(":")
        return TreeNode(told.cause_title[:1].upper() + told.cause_title[1:], component[2] if component[0] == "repository" else "", "broken")
    return TreeNode(told.job.name if told.job else str(told.tool or told.title), told.get_alert_class_display(), "broken")


def _columns(cause: TreeNode, struck: list[Any], consumers: list[Any], rows: dict[int, Any], moment: Moment) -> list[Any]:
    """(head, boxes, members) from left to right; boxes of a column are at most six, the last one tells how many more."""
    columns = [("Cause", [cause], ((cause.title, cause.note, cause.verdict, ""),))]
    columns.append(_column("Service in breach", struck, [(0,)] * len(struck), rows, moment))
    feeling, parents = struck, [(index,) for index in range(min(len(struck), MOST_BOXES))]
    if consumers:
        places = {one["service"]: index for index, one in enumerate(struck)}
        via = [(places.get(one["via"], 0),) for one in consumers]
        columns.append(_column("Depends on it", consumers, _within(via), rows, moment))
        feeling, parents = consumers, [(index,) for index in range(min(len(consumers), MOST_BOXES))]
    columns.append(_departments(feeling, struck, parents))
    return columns


def _within(parents: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    return [tuple(min(index, MOST_BOXES - 1) for index in one) for one in parents]


def _column(head: str, entries: list[Any], parents: list[tuple[int, ...]], rows: dict[int, Any], moment: Moment) -> Any:
    nodes, members = [], []
    for entry, above in zip(entries, parents, strict=True):
        row = rows[entry["service"]]
        note = f"Tier {row.tier}" + _copy_age(row, moment)
        nodes.append(TreeNode(row.short_name, note, "" if row.verdict == "kept" else row.verdict, above))
        members.append((row.name, f"{note}, {VERDICTS[row.verdict].lower()}", row.verdict, moment.href("service", row.service.code)))
    return head, _at_most(nodes), tuple(members)


def _copy_age(row: Any, moment: Moment) -> str:
    if row.captured_at is None or row.verdict == "no_data":
        return ""
    return f", copy {duration_words(max(0.0, (moment.at - row.captured_at).total_seconds()))} old"


def _departments(feeling: list[Any], struck: list[Any], parents: list[tuple[int, ...]]) -> Any:
    """Departments by whose services they feel it, the services in breach included."""
    joined: dict[str, list[int]] = {}
    for index, entry in enumerate(feeling):
        joined.setdefault(entry["department"] or "No department", []).extend(parents[index] if index < len(parents) else ())
    for entry in struck:
        joined.setdefault(entry["department"] or "No department", [])
    counts = {
        name: sum((one["department"] or "No department") == name for one in {id(one): one for one in [*feeling, *struck]}.values())
        for name in joined
    }
    nodes = [TreeNode(name, many(counts[name], "service"), "", tuple(sorted(set(above)))) for name, above in joined.items()]
    return "Who feels it", _at_most(nodes), tuple((name, many(counts[name], "service"), "", "") for name in joined)


def _at_most(nodes: list[TreeNode]) -> list[TreeNode]:
    if len(nodes) <= MOST_BOXES:
        return nodes
    return [
        *nodes[: MOST_BOXES - 1],
        TreeNode(f"and {len(nodes) - MOST_BOXES + 1} more", "see the list", "", nodes[MOST_BOXES - 1].parents),
    ]
