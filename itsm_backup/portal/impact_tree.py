"""Who feels an incident: cause, services in breach, what depends on them, departments."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models.expressions import RawSQL

from catalogue.impact import Walked, closure, consumers_of, hit, inherited_tiers
from catalogue.models import ServiceVersion
from incidents import prioritising
from itsm_backup.common.charts import Chart, TreeNode, impact_tree
from itsm_backup.common.time import duration_words, iso, parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.standing import entries, standings
from itsm_backup.portal.words import VERDICTS, clock_within, many
from monitoring import naming
from monitoring.asking import array
from monitoring.models import Alert
from monitoring.serving import SERVES

MOST_BOXES, MOST_LOSSES, MOST_LISTED = 6, 3, 200


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
    losses: tuple[str, ...]  # what would be lost if it failed now, one sentence a service in breach
    other: Link | None  # the same as it was when it opened, or as it is now


@dataclass(frozen=True, kw_only=True)
class Stand:
    """How a service stands at an instant: by the judgement of the moment, or by the copy that was kept at the opening."""

    row: Any
    verdict: str
    captured_at: dt.datetime | None
    rpo_s: int | None
    at: dt.datetime


def impact_of(*, incident: Any, alerts: Sequence[Alert], user: Any, moment: Moment, opening: bool = False) -> Impact:
    """The tree as the catalogue and the judgements stand at the moment, or with `opening` the copy that was kept when it opened;
    services one may not see are only counted. `incident` is one that `incident_page.find` gave."""
    frozen = incident.impact_at_opening if opening and incident.services_then else None
    shown = frozen or _now(prioritising.services_of(alerts), moment)
    involved = [one["service"] for one in (*shown["services"], *shown["consumers"])]
    few = len(involved) <= MOST_LISTED  # then whatever is listed is all there is
    seen = _rows(involved, user, moment) if few else _seen(involved, user, moment)
    struck, consumers = ([one for one in shown[side] if one["service"] in seen] for side in ("services", "consumers"))
    for one in (*struck, *consumers):
        one.setdefault("department", seen[one["service"]].department)
    if not frozen:
        _count_tiers(struck, seen, shown["relations"], _beyond(shown["relations"], involved, user, moment))
    listed = [*struck, *consumers[:MOST_LISTED]]
    rows = seen if few else _rows([one["service"] for one in listed], user, moment)
    stands = {one["service"]: _stand(one, rows, shown, moment) for one in listed}
    hidden = _hidden([pk for pk in involved if pk not in seen], moment)
    doubted = {alert.service_id: why for alert in alerts if (why := _doubt(alert))}
    columns = _columns(_cause(alerts, incident.cause_key, inside=naming.is_told_all(user)), struck, consumers, stands, moment)
    named = ", ".join(stands[one["service"]].row.name for one in struck[:3]) or incident.told_title
    sentence = f"{named}: {_told(consumers)}."
    note = (
        _of_the_copy(incident, shown, moment)
        if frozen
        else _note({*(incident.services_then or ()), *(incident.consumers_then or ())}, set(involved), moment)
    )
    return Impact(
        tree=impact_tree(columns=[(head, nodes) for head, nodes, _ in columns], sentence=sentence) if struck else None,
        branches=tuple(Branch(head=head, members=members) for head, _, members in columns),
        note=note + (f"; {many(hidden, 'more service')} that you may not see" if hidden else ""),
        losses=_losses([stands[one["service"]] for one in struck], doubted, moment),
        other=_other(incident, frozen is not None, moment) if incident.services_then else None,
    )


def _now(struck: Sequence[int], moment: Moment) -> dict[str, Any]:
    """Who is involved at the moment; how each stands is asked of `standings`, which knows what the user may see.

    Of several services the relations are kept: which tier each counts as is read from the same answer. A page of the past counts
    only relations that were known then.
    """
    reached = [] if moment.past or len(struck) > 1 else consumers_of(struck, at=moment.at)
    relations = None
    if moment.past or len(struck) > 1 or any(one.only_backup for one in reached):  # beyond a backup nothing is hit, but it weighs
        relations = closure(struck, up=True, at=moment.at, known_then=moment.past)
        reached = hit(struck, relations)
    consumers = [{"service": one.service_id, "via": one.via_id, "depth": one.depth, "only_backup": one.only_backup} for one in reached]
    return {"at": iso(moment.at), "services": [{"service": pk} for pk in struck], "consumers": consumers, "relations": relations}


def _seen(services: list[int], user: Any, moment: Moment) -> dict[int, Any]:
    """Tier and department of those that the user may see: of all of them, which may be ten thousand."""
    these = RawSQL("SELECT unnest(%s::bigint[])", [array(services)])
    rows = entries(user, moment).filter(service__in=these).values_list("service_id", "tier", "department", named=True)
    return {row.service_id: row for row in rows}


def _beyond(relations: Sequence[Walked] | None, involved: list[int], user: Any, moment: Moment) -> dict[int, Any]:
    """What hangs on services that only lose their backup: it is not hit, but its tier weighs."""
    further = {one.consumer_id for one in relations or ()} - set(involved)
    return _seen(sorted(further), user, moment) if further else {}


def _told(consumers: list[dict[str, Any]]) -> str:
    """How many services depend on it, and how many lose only their backup."""
    backups = sum(bool(one.get("only_backup")) for one in consumers)
    depend = len(consumers) - backups
    told = [many(depend, "service depends on it", "services depend on it")] if depend or not backups else []
    told += [many(backups, "service loses its backup with it", "services lose their backup with it")] if backups else []
    return ", ".join(told)


def _count_tiers(struck: list[dict[str, Any]], seen: dict[int, Any], relations: Sequence[Walked] | None, beyond: dict[int, Any]) -> None:
    """As which tier each service in breach counts, by what hangs on it and may be seen; of the copy it is known."""
    tiers = {pk: row.tier for pk, row in (beyond | seen).items()}
    if relations is None:
        strictest = {one["service"]: min(tiers.values()) for one in struck}  # there is one, and whatever stops, stops with it
    else:
        strictest = inherited_tiers(tiers, [(one.consumer_id, one.provider_id, "hard") for one in relations])
    for one in struck:
        one["effective_tier"] = strictest.get(one["service"])


def _rows(services: list[int], user: Any, moment: Moment) -> dict[int, Any]:
    return {row.service_id: row for row in standings(user, moment).filter(service__in=services)}


def _hidden(unseen: list[int], moment: Moment) -> int:
    """How many of these stand in the catalogue, although the user may not see them."""
    return ServiceVersion.objects.in_force(moment.at).filter(service__in=unseen).count() if unseen else 0


def _stand(entry: dict[str, Any], rows: dict[int, Any], shown: dict[str, Any], moment: Moment) -> Stand:
    row = rows[entry["service"]]
    if "verdict" not in entry:
        return Stand(row=row, verdict=row.verdict, captured_at=row.captured_at, rpo_s=row.promised_s, at=moment.at)
    captured_at = parse_instant(entry["captured_at"]) if entry["captured_at"] else None
    return Stand(row=row, verdict=entry["verdict"], captured_at=captured_at, rpo_s=entry["rpo_s"], at=parse_instant(shown["at"]))


def _note(then: set[int], present: set[int], moment: Moment) -> str:
    """Which relations it is from, and how many services more or fewer there are than when it opened, where that is known."""
    more, fewer = len(present - then), len(then - present)
    changes = [words for count, words in ((more, f"{more:,} more"), (fewer, f"{fewer:,} fewer")) if count]
    when = "as they stood then" if moment.past else "as they stand now"
    return f"From the relations of the catalogue {when}" + (f", {' and '.join(changes)} than when it opened" if then and changes else "")


LATE = dt.timedelta(minutes=10)


def _of_the_copy(incident: Any, frozen: dict[str, Any], moment: Moment) -> str:
    """Of when the copy is that was kept; what became known late has one of that time."""
    at = parse_instant(frozen["at"])
    if at - incident.opened_at < LATE:
        return "From the relations of the catalogue as they were when it opened"
    return f"As it was {clock_within(at, moment)}, when it became known here; it began {clock_within(incident.opened_at, moment)}"


def _other(incident: Any, is_frozen: bool, moment: Moment) -> Link:
    if is_frozen:
        asked = {} if moment.past else {"impact": "now"}
        return Link("As it is now" if not moment.past else "As it was then", moment.href("incident", incident.number, **asked))
    return Link("As it was when it opened", moment.href("incident", incident.number, impact="opening"))


def shows_opening(incident: Any, asked: str, moment: Moment) -> bool:
    """Whether the copy of the opening is shown: where it is asked for, and of what is over unless the present is."""
    return asked == "opening" or (asked != "now" and not moment.past and not incident.is_open)


def _doubt(alert: Any) -> str:
    """Why it is not known what could be restored, where a check or a restore test stands against the copies."""
    if alert.state == "resolved":
        return ""
    if alert.found_by == "verify":
        return "a check found its copies damaged"
    return "its restore test failed" if alert.restored == "failed" else ""


def _losses(struck: list[Stand], doubted: dict[int | None, str], moment: Moment) -> tuple[str, ...]:
    """What would be lost if it failed now, the worst three."""

    def share(stand: Stand) -> float:
        if stand.captured_at is None or stand.row.service_id in doubted:
            return float("inf")
        return (stand.at - stand.captured_at).total_seconds() / (stand.rpo_s or 1e12)

    worst = sorted(struck, key=share, reverse=True)
    told = [_loss(stand, doubted, moment) for stand in worst[:MOST_LOSSES]]
    if len(worst) > MOST_LOSSES:
        told.append(f"{many(len(worst) - MOST_LOSSES, 'more service stands', 'more services stand')} in the list.")
    return tuple(told)


def _loss(stand: Stand, doubted: dict[int | None, str], moment: Moment) -> str:
    name, when = stand.row.name, "now" if stand.at == moment.now else "then"
    if why := doubted.get(stand.row.service_id):
        return f"If {name} failed {when}, it is not known what could be restored: {why}."
    if stand.captured_at is None:
        known = "nothing is known of its copies" if stand.verdict in ("no_data", SERVES) else "it has no copy: nothing could be restored"
        return f"If {name} failed {when}, {known}."
    age = duration_words(max(0.0, (stand.at - stand.captured_at).total_seconds()))
    promised = f"; promised is at most {duration_words(stand.rpo_s)}" if stand.rpo_s else ""
    return f"If {name} failed {when}, its data of the last {age}, since {clock_within(stand.captured_at, moment)}, would be lost{promised}."


def _cause(alerts: Sequence[Alert], own: str, *, inside: bool) -> TreeNode:
    """What is at the root, as far as a rule or the tool's silence names it; which storage and tool only for whom it is `inside`.

    Of several, such as after a merge, its `own` stands first, and all storages are named.
    """
    known = sorted((alert for alert in alerts if alert.cause_title), key=lambda alert: alert.cause_key != own)
    told = next(iter(known), alerts[0] if alerts else None)
    if told is None:
        return TreeNode("Cause not known")
    if told.cause_title:
        others = len({alert.cause_title for alert in known}) - 1
        more = [f"and {many(others, 'other cause')}"] if others else []
        note = ", ".join([*_storages(known), *more] if inside else more)
        return TreeNode(told.cause_title[:1].upper() + told.cause_title[1:], note, "broken")
    return TreeNode(
        (told.job.name if told.job else str(told.tool or told.title)) if inside else "Cause not known",
        "Damaged copies, a check found" if told.found_by == "verify" else told.get_alert_class_display(),
        "broken",
    )


def _storages(alerts: Sequence[Alert]) -> list[str]:
    keys = dict.fromkeys(alert.cause_key.partition(":") for alert in alerts)
    return [name for kind, _, name in keys if kind == "repository"]


def _columns(cause: TreeNode, struck: list[Any], consumers: list[Any], stands: dict[int, Stand], moment: Moment) -> list[Any]:
    """(head, boxes, members) from left to right; boxes of a column are at most six, the last one tells how many more."""
    columns = [("Cause", [cause], ((cause.title, cause.note, cause.verdict, ""),))]
    columns.append(_column("Services hit", struck, [(0,)] * len(struck), stands, moment))
    places = {one["service"]: min(index, MOST_BOXES - 1) for index, one in enumerate(struck)}
    feeling = [(_department(one), (places[one["service"]],)) for one in struck]
    if consumers:
        reached = {_department(one) for one in consumers}
        alone = [(name, above) for name, above in feeling if name not in reached]  # only services in breach are of these
        most = MOST_BOXES - bool(alone)
        for one in consumers:  # nearest first: through which service in breach each is reached
            places.setdefault(one["service"], places.get(one["via"], 0))
        via = [(places[one["service"]],) for one in consumers]
        head, nodes, members = _column(_head(consumers), consumers, via, stands, moment, most)
        feeling = [(_department(one), (min(index, most - 1),)) for index, one in enumerate(consumers)]
        if alone:  # their line passes below what depends on it
            feeling += [(name, (len(nodes),)) for name, _ in alone]
            nodes = [*nodes, TreeNode("", parents=tuple(sorted({one for _, above in alone for one in above})))]
        columns.append((head, nodes, members))
    columns.append(_departments(feeling, [*struck, *consumers]))
    return columns


def _head(consumers: list[Any]) -> str:
    return "Keeps its backup there" if all(one.get("only_backup") for one in consumers) else "Depends on it"


def _department(entry: dict[str, Any]) -> str:
    return entry["department"] or "No department"


def _column(
    head: str, entries: list[Any], parents: list[tuple[int, ...]], stands: dict[int, Stand], moment: Moment, most: int = MOST_BOXES
) -> Any:
    nodes, members = [], []
    for entry, above in zip(entries[:MOST_LISTED], parents, strict=False):  # nearest first
        stand = stands[entry["service"]]
        own, stricter = entry.get("tier", stand.row.tier), entry.get("effective_tier")
        note = f"Tier {own}" + (f", counts as {stricter}" if stricter and stricter < own else "") + _copy_age(stand)
        note += ", only its backup stops" if entry.get("only_backup") else ""
        nodes.append(TreeNode(stand.row.short_name, note, "" if stand.verdict == "kept" else stand.verdict, above))
        told = f"{note}{_promise(stand)}, {VERDICTS[stand.verdict].lower()}"
        members.append((stand.row.name, told, stand.verdict, moment.href("service", stand.row.service.code)))
    if more := len(entries) - len(members):
        members.append((f"and {more:,} more", "", "", ""))
    return head, _at_most(nodes, len(entries), most), tuple(members)


def _copy_age(stand: Stand) -> str:
    if stand.captured_at is None:
        return ""
    return f", copy {duration_words(max(0.0, (stand.at - stand.captured_at).total_seconds()))} old"


def _promise(stand: Stand) -> str:
    return f", promise {duration_words(stand.rpo_s)}" if stand.rpo_s else ""


def _departments(feeling: list[tuple[str, tuple[int, ...]]], involved: list[Any]) -> Any:
    """Departments by whose services they feel it, those in breach included; `feeling` says from which boxes a line leads to each."""
    joined: dict[str, set[int]] = {}
    for name, above in feeling:
        joined.setdefault(name, set()).update(above)
    counts = Counter(_department(one) for one in involved)
    nodes = [TreeNode(name, many(counts[name], "service"), "", tuple(sorted(above))) for name, above in joined.items()]
    return "Who feels it", _at_most(nodes, len(nodes)), tuple((name, many(counts[name], "service"), "", "") for name in joined)


def _at_most(nodes: list[TreeNode], among: int, most: int = MOST_BOXES) -> list[TreeNode]:
    """The first boxes of a column `among` so many; the last one tells how many more, with the lines of all that it stands for."""
    if among <= most:
        return nodes
    above = {parent for node in nodes[most - 1 :] for parent in node.parents}
    return [*nodes[: most - 1], TreeNode(f"and {among - most + 1:,} more", "see the list", "", tuple(sorted(above)))]
