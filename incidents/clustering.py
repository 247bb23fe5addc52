"""How well signatures tell failures apart: over every pair of recorded failures, whether one signature means one reason."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from incidents import signing
from monitoring.normalising_files import normalised

BAD = ("failed", "partial", "cancelled", "warning")
WITHOUT_REASON = {"verify_failed": "damaged", "interrupted": "interrupted"}  # outcomes that are a reason by themselves


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One recorded failure: its tool, its case, the reason for which it was made to fail, and what the tool said."""

    tool: str
    case: str
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Of all pairs with one signature, how many have one reason (precision); of all with one reason, how many one signature (recall)."""

    pairs: int
    precision: float
    recall: float
    groups: dict[str, dict[str, int]]  # reason → signature → how many


def failures(folder: Path, tools: Iterable[str]) -> list[Failure]:
    """Every failure with a reason among the case folders of these tools, read by their connectors."""
    found = []
    for tool in tools:
        for case in sorted(one for one in (folder / tool).glob("*") if (one / "case.json").exists()):
            truth = json.loads((case / "case.json").read_text()).get("truth") or {}
            reason = truth.get("reason") or WITHOUT_REASON.get(str(truth.get("outcome")), "")
            told = [line for line in normalised(tool, case, zone=None) if line.get("outcome") in BAD and line.get("native_message")]
            if reason and told:
                found.append(Failure(tool=tool, case=case.name, reason=reason, message=str(told[-1]["native_message"])))
    return found


def agreement(among: Sequence[Failure]) -> Agreement:
    """How signatures and reasons agree over every pair."""
    both = one_signature = one_reason = 0
    groups: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    signatures = {id(one): signing.signature_of(one.message) for one in among}
    for one in among:
        groups[one.reason][signatures[id(one)]] += 1
    for one, other in combinations(among, 2):
        alike, same = signatures[id(one)] == signatures[id(other)], one.reason == other.reason
        both += alike and same
        one_signature += alike
        one_reason += same
    return Agreement(
        pairs=len(among) * (len(among) - 1) // 2,
        precision=both / one_signature if one_signature else 1.0,
        recall=both / one_reason if one_reason else 1.0,
        groups={reason: dict(found) for reason, found in sorted(groups.items())},
    )
