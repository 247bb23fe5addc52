"""What of the services is affected, what still keeps its promise, and what people do meanwhile: in words, from figures alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from itsm_backup.common.time import instant_words, parse_instant

MOST = 5
KEEPS = ("kept", "at_risk")
COPY_KEPT = "copy_kept"  # its newest copy is no older than promised, and something else of its promise is not known
ONLY_BACKUPS = "Whether the services themselves run is not measured here."
Row = dict[str, Any]


def affected(figures: dict[str, Any]) -> str:
    """Which services do not stand as promised, by why; damaged ones are told as that, whatever their copies' age."""
    rows = [*figures["services"], *figures["consumers"]]
    said = (
        ("a check found the copies of {whose} damaged", [one for one in rows if _is_damaged(one, figures)]),
        ("a restore test of {whose} failed", [one for one in rows if _failed_restore(one, figures)]),
        ("the backups of {whose} are not as promised", _of(rows, figures, "broken")),
        ("the backups of {whose} are disturbed, and no promise of them is broken yet", _disturbed(rows, figures)),
        ("of the backups of {whose} nothing is known", _of(rows, figures, "no_data")),
        ("the backups of {whose} are on hold for maintenance", _of(rows, figures, "held")),
    )
    words = "; ".join(one.format(whose=_named(found)) for one, found in said if found)
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def still_kept(figures: dict[str, Any]) -> str:
    """What keeps its promise by the newest judgement: of what is concerned by name, of the departments by number.

    What the headline says is disturbed is not told as working beside it.
    """
    rows = [one for one in (*figures["services"], *figures["consumers"]) if not _is_disturbed(one, figures)]
    kept, copied = _of(rows, figures, *KEEPS), _of(rows, figures, COPY_KEPT)
    told = [f"The backups of {_named(kept)} are as promised."] if kept else []
    told += [f"The newest copies of {_named(copied)} are no older than promised."] if copied else []
    told += [_of_departments(figures["around"])] if figures["around"] else []
    return " ".join([*told, ONLY_BACKUPS])


def advice(figures: dict[str, Any], *, lead: str) -> str:
    """What whoever uses the services hit does and leaves; once it is over, what of that still holds and what does not."""
    is_open, whom = figures["incident"]["is_open"], lead or "whoever sends this"
    needs = [one for one in figures["services"] if _needs_care(one, figures)]
    told = list(_keep_originals(needs, figures, whom))
    if not is_open:
        safe = [one for one in figures["services"] if one not in needs and one["captured_at"]]
        told += [f"{one['name']}: what was entered before {_instant(one['captured_at'])} is in a copy." for one in safe[:MOST]]
        return "\n".join(told if needs else ["Nothing any more.", *told])
    if not told:
        return "Nothing: every service that was hit keeps its backup promise now."
    told.append("Delete or overwrite nothing there that somebody may need again.")
    if any(_is_damaged(one, figures) for one in needs):
        told.append(f"Let nothing be restored there without {whom}.")
    told.append(f"If data is missing or looks wrong there, do not mend it yourself: tell {whom}.")
    return "\n".join([*told, "For other services there is nothing to do."])


def _keep_originals(needs: list[Row], figures: dict[str, Any], whom: str) -> Iterator[str]:
    verb = "keep" if figures["incident"]["is_open"] else "go on keeping"
    for one in needs[:MOST]:
        if _is_doubtful(one, figures) or not one["captured_at"]:
            yield f"{one['name']}: {verb} originals of all that is entered. No copy is known that could be restored."
        else:
            yield f"{one['name']}: {verb} originals of all that was entered since {_instant(one['captured_at'])}. No copy has it."
    if more := len(needs[MOST:]):
        yield f"The same holds for {more:,} more service{'' if more == 1 else 's'}: {whom} says for which."


def _of_departments(around: list[Row]) -> str:
    stands = (*KEEPS, COPY_KEPT, "broken", "no_data", "held")
    counts = {verdict: sum(one["counts"].get(verdict, 0) for one in around) for verdict in stands}
    keeps, total = counts["kept"] + counts["at_risk"], sum(counts.values())
    rest = [f"{count:,} {'does' if count == 1 else 'do'} not" for count in [counts["broken"]] if count]
    rest += [f"{count:,} {'is' if count == 1 else 'are'} on hold" for count in [counts["held"]] if count]
    rest += [f"of {count:,} the copies alone are known, no older than promised" for count in [counts[COPY_KEPT]] if count]
    rest += [f"of {count:,} nothing is known" for count in [counts["no_data"]] if count]
    whose = _listed([one["department"] for one in around])
    kept = f"{keeps:,} {'keeps its' if keeps == 1 else 'keep their'} backup promise"
    return f"Of {total:,} service{'' if total == 1 else 's'} of {whose}, {', '.join([kept, *rest])}."


def _is_damaged(one: Row, figures: dict[str, Any]) -> bool:
    return one["service"] in figures["damaged"]


def _failed_restore(one: Row, figures: dict[str, Any]) -> bool:
    return not _is_damaged(one, figures) and any(test["service"] == one["service"] for test in figures["failed_restores"])


def _is_doubtful(one: Row, figures: dict[str, Any]) -> bool:
    """Whether a check or a restore test stands against its copies: then their age says nothing of what could be restored."""
    return _is_damaged(one, figures) or _failed_restore(one, figures)


def _is_disturbed(one: Row, figures: dict[str, Any]) -> bool:
    return one["service"] in figures.get("disturbed", ())  # a draft of an earlier version of the product has none


def _disturbed(rows: Sequence[Row], figures: dict[str, Any]) -> list[Row]:
    """Those whose backups fail although no promise is broken yet."""
    return [one for one in _of(rows, figures, *KEEPS, COPY_KEPT) if _is_disturbed(one, figures)]


def _needs_care(one: Row, figures: dict[str, Any]) -> bool:
    """Whether its users keep originals: what they enter may be in no copy, or in one that comes late."""
    return _is_doubtful(one, figures) or _is_disturbed(one, figures) or one["verdict"] not in (*KEEPS, COPY_KEPT)


def _of(rows: Sequence[Row], figures: dict[str, Any], *verdicts: str) -> list[Row]:
    """Those that stand so, without those whose copies are doubtful."""
    return [one for one in rows if one["verdict"] in verdicts and not _is_doubtful(one, figures)]


def _named(rows: Sequence[Row]) -> str:
    return _listed([one["name"] for one in rows])


def _listed(names: Sequence[str]) -> str:
    """`A, B and C`; of many the first five and how many more there are."""
    shown = [*names[:MOST], *([f"{len(names) - MOST:,} more"] if len(names) > MOST else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def _instant(text: str) -> str:
    return instant_words(parse_instant(text), zone=ZoneInfo(settings.TIME_ZONE))
