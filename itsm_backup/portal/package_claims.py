"""What each offering promises beside what is measured: the same figures as those of its entry, against its own levels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from catalogue.models import Commitment, Offering
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.claiming import claims_of
from itsm_backup.portal.framing import Claim
from itsm_backup.portal.method_pages import href_of
from itsm_backup.portal.words import VERDICTS
from monitoring.bridging import Bridged
from monitoring.claims import limit_s
from monitoring.keeping import Kept
from monitoring.models import Evaluation
from monitoring.packaging import judged
from monitoring.trending import Month

LEVELS = ("rpo_s", "rto_s", "success_rate")


@dataclass(frozen=True, kw_only=True)
class PackageClaims:
    """An offering, and each of its own levels with its verdict."""

    name: str
    claims: tuple[Claim, ...]


def claims_of_packages(
    offerings: Iterable[Offering], *, evaluation: Evaluation | None, moment: Moment, month: Month, code: str,
    bridged: Bridged | None = None, kept: Kept | None = None,
) -> tuple[PackageClaims, ...]:  # fmt: skip
    """Every offering that has levels of its own; no further question to the database."""
    found = []
    for row in offerings:
        levels = {name: getattr(row, name) for name in LEVELS if getattr(row, name) is not None}
        again = _again(evaluation, levels, moment)
        claims = claims_of(
            commitment=Commitment(**levels), evaluation=again, moment=moment, month=month, code=code,
            bridged=_bridged(bridged, evaluation, row.rpo_s, moment),
        )  # fmt: skip
        told = [replace(one, why="") for one in claims]  # the explanation is that of the entry's own judgement
        if row.retention_days and kept is not None:
            told.append(_retention(row.retention_days, kept, moment))
        if told:
            found.append(PackageClaims(name=row.name, claims=tuple(told)))
    return tuple(found)


def _again(evaluation: Evaluation | None, levels: dict[str, Any], moment: Moment) -> Evaluation | None:
    """The judgement in force, made once more with these levels; it is not kept."""
    if evaluation is None or not evaluation.service_id or not levels:
        return None
    result = judged(evaluation.inputs, levels, moment.at)
    return Evaluation(pk=evaluation.pk, service_id=evaluation.service_id, inputs=evaluation.inputs, result=result)


def _bridged(bridged: Bridged | None, evaluation: Evaluation | None, rpo_s: int | None, moment: Moment) -> Bridged | None:
    if bridged is None or evaluation is None or rpo_s is None or bridged.counted_from is None:
        return bridged
    age_s = (moment.at - bridged.counted_from).total_seconds()
    warned_s = limit_s(evaluation.inputs["workflow"]["at_risk_fraction"], rpo_s)
    return msgspec.structs.replace(bridged, rpo="broken" if age_s > rpo_s else "at_risk" if age_s > warned_s else "kept")


def _retention(days: int, kept: Kept | None, moment: Moment) -> Claim:
    """Copies are looked for as far as twice what the entry itself promises, so a longer promise may stay unknown."""
    reach = kept.reach if kept else None
    method = href_of("BM-RET", "1", moment)
    if reach is None or reach.oldest_at is None or not reach.tells_what_is_held:
        told = "How far its copies reach back is not known"
        return Claim(name="Retention", promised=f"{days} d", measured="Not known", evidence=told, verdict="no_data", method=method)
    back_s = (moment.at - reach.oldest_at).total_seconds()
    verdict = "kept" if back_s >= days * 86_400 else "no_data"
    told = "The oldest copy that is known" if verdict == "kept" else "Older copies are not looked for, or the backups are younger"
    return Claim(
        name="Retention", promised=f"{days} d", measured=f"{duration_words(back_s)} back", evidence=told, verdict=verdict,
        verdict_words=VERDICTS[verdict], method=method,
    )  # fmt: skip
