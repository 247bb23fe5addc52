"""What an entry promises of its copies beside what is known of them: window, retention, encryption, places, locks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from catalogue.models import Commitment
from itsm_backup.common.time import duration_words, iso
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Claim, Link
from itsm_backup.portal.words import VERDICTS, day, many, percent, zone
from monitoring.keeping import Kept
from monitoring.methods import measure
from monitoring.models import BackupRun

LEAST_WINDOW = 31  # runs that the window looks back on


def window_claim(commitment: Commitment, runs: Iterable[BackupRun], *, zone_name: str, code: str, moment: Moment) -> Claim:
    """Of the newest good runs, those that began and ended inside the window (BM-INW): all, or the share promised for being on time."""
    opens, closes = (f"{at:%H:%M}" for at in (commitment.window_opens, commitment.window_closes))
    share = float(commitment.on_time_rate) if commitment.on_time_rate is not None else 1.0
    promised = f"{opens} to {closes}" + (f", {percent(share)}" if share < 1 else "")
    good = [run for run in runs if run.operation == "backup" and run.outcome in BackupRun.GOOD and run.started_at and run.ended_at]
    good = good[:LEAST_WINDOW]
    if not good:
        return _unknown("Backup window", promised, "No good run with start and end is known", "BM-INW")
    told = [{"started_at": iso(run.started_at), "ended_at": iso(run.ended_at)} for run in good]
    found = measure("BM-INW", {"opens": opens, "closes": closes, "zone": zone_name, "runs": told})
    since = day(good[-1].occurred_at.astimezone(zone()).date())
    return _claim(
        "Backup window", promised, f"{percent(found['rate'])} inside", "kept" if found["rate"] >= share - 1e-9 else "broken", "BM-INW",
        f"{found['inside']:,} of the newest {many(found['total'], 'good run')}, since {since}", Link("Runs", moment.href("runs", code)),
    )  # fmt: skip


def claims_of_copies(commitment: Commitment, kept: Kept | None, *, unheard: bool, code: str, moment: Moment) -> Iterator[Claim]:
    """Retention, encryption, copies and locks, as far as they are promised.

    Behind a silent tool (`unheard`) what was good when it answered last is not known to be so now.
    """
    for claim in _claims(commitment, kept, code=code, moment=moment):
        if unheard and claim.verdict == "kept":
            told = f"{claim.evidence}, as far as known: its tool has not answered since"
            yield replace(claim, verdict="no_data", verdict_words=VERDICTS["no_data"], evidence=told)
        else:
            yield claim


def _claims(commitment: Commitment, kept: Kept | None, *, code: str, moment: Moment) -> Iterator[Claim]:
    if commitment.retention_days:
        yield _retention(commitment.retention_days, kept, code, moment)
    if commitment.encryption not in ("", Commitment.Encryption.NONE):
        yield _encryption(commitment, kept, code, moment)
    if commitment.copy_scheme:
        yield _places(commitment.copy_scheme, kept, code, moment)
    if commitment.immutability_days:
        yield _locks(commitment.immutability_days, kept, code, moment)


def _claim(name: str, promised: str, measured: str, verdict: str, method: str, evidence: str, runs: Link | None) -> Claim:
    return Claim(
        name=name, promised=promised, measured=measured, evidence=evidence, verdict=verdict, verdict_words=VERDICTS[verdict],
        method=method, runs=runs,
    )  # fmt: skip


def _unknown(name: str, promised: str, why: str, method: str, runs: Link | None = None) -> Claim:
    return _claim(name, promised, "Not known", "no_data", method, why, runs)


def _retention(days: int, kept: Kept | None, code: str, moment: Moment) -> Claim:
    """How far copies reach back (BM-RET)."""
    promised, runs = f"{days} d", Link("Runs", moment.href("runs", code))
    reach = kept.reach if kept else None
    if reach is None or not reach.items:
        return _unknown("Retention", promised, "No job is mapped", "BM-RET")
    if reach.oldest_at is None:
        return _unknown("Retention", promised, "No copy that can be restored is known", "BM-RET", runs)
    if not reach.tells_what_is_held:
        return _unknown("Retention", promised, "Its tool does not say which copies it still holds", "BM-RET", runs)
    told = f"{duration_words((moment.at - reach.oldest_at).total_seconds())} back"
    worst = f", worst of {reach.items} items" if reach.items > 1 else ""
    oldest = f"Oldest copy {day(reach.oldest_at.astimezone(zone()).date())}{worst}"
    if reach.status == "unknown":
        return _claim("Retention", promised, told, "no_data", "BM-RET", f"{oldest}. It is the first that was seen, so not known yet", runs)
    if reach.status == "short":
        return _claim("Retention", promised, told, "broken", "BM-RET", f"{oldest}. Older ones are gone", runs)
    return _claim("Retention", promised, told, "kept", "BM-RET", oldest, runs)


def _encryption(commitment: Commitment, kept: Kept | None, code: str, moment: Moment) -> Claim:
    """Copies that can be restored and were said to be encrypted (BM-ENC). Of what happens on the way no tool tells."""
    promised, found = commitment.get_encryption_display().capitalize(), kept.encrypted if kept else None
    runs = Link("Runs", moment.href("runs", code))
    if found is None or not found.total:
        return _unknown("Encryption", promised, "No copy that can be restored is known", "BM-ENC")
    verdict = "kept" if found.covered == found.total else "broken" if found.covered + found.unknown < found.total else "no_data"
    bare = found.total - found.covered - found.unknown
    told = [f"{bare:,} {'is' if bare == 1 else 'are'} not, as the tools say of each run"] if bare else []
    told += [f"Of {found.unknown:,} no tool says whether they are"] if found.unknown else []
    told = told or ["At rest, as the tools say of each run"]
    if commitment.encryption == Commitment.Encryption.EVERYWHERE:
        told.append("In transit: not known, no tool tells")
    return _claim(
        "Encryption", promised, f"{found.covered:,} of {many(found.total, 'copy', 'copies')}", verdict, "BM-ENC", ". ".join(told), runs
    )  # fmt: skip


def _places(scheme: str, kept: Kept | None, code: str, moment: Moment) -> Claim:
    """The parts of the copy scheme (BM-32110)."""
    found, parts = kept.placed if kept else None, Link("Its parts", moment.href("objectives", code) + "#places")
    if found is None or found.why:
        return _unknown("Copies and places", scheme, found.why if found else "Not looked at", "BM-32110")
    lacking = [part.name for part in found.parts if part.answer is False]
    dark = [part.name for part in found.parts if part.answer is None]
    told = [f"Not met: {', '.join(lacking).lower()}"] if lacking else []
    told += [f"Not known, because nobody said or checked: {', '.join(dark).lower()}"] if dark else []
    measured = f"{found.passed} of {many(len(found.parts), 'part')}"
    return _claim("Copies and places", scheme, measured, found.status, "BM-32110", ". ".join(told) or "Every part is met", parts)


def _locks(days: int, kept: Kept | None, code: str, moment: Moment) -> Claim:
    """The newest copy of each item (BM-IMM)."""
    promised, found = f"Locked for {days} d", kept.locked if kept else None
    places = Link("Where they lie", moment.href("objectives", code) + "#places")
    if found is None or not found.total:
        return _unknown("Copies locked", promised, "No copy that can be restored is known", "BM-IMM")
    counted = f"{found.covered:,} of {many(found.total, 'newest copy', 'newest copies')}"
    measured = "Not known" if found.status == "no_data" else counted
    return _claim("Copies locked", promised, measured, found.status, "BM-IMM", found.evidence, places)
