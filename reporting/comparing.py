"""What changed from one revision to the next, in words: which occurrence, promise, copy or check came out differently."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from itsm_backup.common.time import duration_words, instant_words
from reporting.models import Report, ReportedService
from reporting.wording import VERDICTS, many

MOST_SENTENCES = 40
Key = tuple[str, str]
_STATES = {"missed": "missed", "failed": "failed", "satisfied_late": "good, but late", "unconfirmed": "unconfirmed", "excused": "held"}


def changes(*, before: Report, after_id: int, data: dict[str, Any]) -> list[str]:
    """Sentences on what differs, service by service, then in all; at most 40 and one that counts the rest."""
    zone = ZoneInfo(data["zone"])
    told: list[str] = []
    for old, new in _pairs(before.pk, after_id):
        told += _of_service(old, new, zone)
    told += _in_all(before.data, data)
    if not told:
        told = ["The figures are the same; inputs that do not change them were corrected."]
    rest = len(told) - MOST_SENTENCES
    return (
        told if rest <= 0 else [*told[:MOST_SENTENCES], f"And {many(rest, 'further difference')}; compare the CSV files of both revisions."]
    )


def _pairs(old_id: int, new_id: int) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """The services whose data differ, by code; None where only one revision has it."""
    digests = [dict(_digests(report_id)) for report_id in (old_id, new_id)]
    differing = [service for service in {**digests[0], **digests[1]} if digests[0].get(service) != digests[1].get(service)]
    for first in range(0, len(differing), 100):
        batch = differing[first : first + 100]
        found = [_data(report_id, batch) for report_id in (old_id, new_id)]
        named = sorted(batch, key=lambda service: (found[1].get(service) or found[0][service])["inputs"]["service"]["code"])
        yield from ((found[0].get(service), found[1].get(service)) for service in named)


def _digests(report_id: int) -> Iterator[tuple[int, bytes]]:
    for service, digest in ReportedService.objects.filter(report=report_id).values_list("service", "digest"):
        yield service, bytes(digest)


def _data(report_id: int, services: list[int]) -> dict[int, Any]:
    return dict(ReportedService.objects.filter(report=report_id, service__in=services).values_list("service", "data"))


def _of_service(old: dict[str, Any] | None, new: dict[str, Any] | None, zone: ZoneInfo) -> list[str]:
    if old is None or new is None:
        line = (new or old or {})["inputs"]["service"]
        return [f"{line['name']} ({line['code']}) is {'in' if old is None else 'no longer in'} this report."]
    line = new["inputs"]["service"]
    parts = differences(old, new, zone) or ["inputs were corrected, the figures stay"]
    return [f"{line['name']} ({line['code']}): {'; '.join(parts)}."]


def differences(old: dict[str, Any], new: dict[str, Any], zone: ZoneInfo, due: Collection[Key] | None = None) -> list[str]:
    """What came out differently of one service, in parts of a sentence; empty when its figures are the same.

    `due` are job and instant of all that is due for it by now, where that is known: what is not among them counts elsewhere.
    """
    parts = [
        *_promises(old["inputs"], new["inputs"]),
        *_occurrences(old["inputs"], new["inputs"], zone, due),
        *_success(old["figures"]["success"], new["figures"]["success"]),
        *_recovery(old["figures"]["recovery"], new["figures"]["recovery"]),
    ]
    if old["figures"]["verdict"] != new["figures"]["verdict"]:
        parts.append(f"the month is {_verdict(new)} instead of {_verdict(old)}")
    return parts


def _verdict(line: dict[str, Any]) -> str:
    return VERDICTS[line["figures"]["verdict"]].lower()


def _promises(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return ["another version of the entry was in force"] if old["promises"] != new["promises"] else []


def _occurrences(old: dict[str, Any], new: dict[str, Any], zone: ZoneInfo, known: Collection[Key] | None) -> list[str]:
    """Every due run that came out differently: a late run that arrived, a correction, an excuse."""
    was = {(one["job"], one["due_at"]): one["state"] for one in old["unusual"]}
    now = {(one["job"], one["due_at"]): one["state"] for one in new["unusual"]}
    told, left, came = [], old["jobs"] > new["jobs"], old["jobs"] < new["jobs"]
    for key in sorted({*was, *now}, key=lambda key: (key[1], key[0])):
        before, after = was.get(key), now.get(key)
        if before != after and after is None and (left if known is None else key not in known):
            due = instant_words(dt.datetime.fromisoformat(key[1]), zone=zone)
            told.append(f"the backup “{key[0]}” due on {due} counted as {_STATES[before or '']} and is not told of it any more")
        elif before != after:
            due = instant_words(dt.datetime.fromisoformat(key[1]), zone=zone)
            arrived = ", because its run arrived later" if before in ("missed", "unconfirmed") and after in (None, "satisfied_late") else ""
            told.append(
                f"the backup “{key[0]}” due on {due} counts as {_STATES[after or '']} now"  # it may be of a job that came since
                if came and before is None
                else f"the backup “{key[0]}” due on {due} counted as {_STATES[before] if before else 'good'} "
                f"and now counts as {_STATES[after] if after else 'good'}{arrived}"
            )
    return told


def _success(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    if (old["good"], old["settled"]) == (new["good"], new["settled"]):
        return []
    now, then = (f"{one['good']:,} of {one['settled']:,}" for one in (new, old))
    if not new["settled"]:
        return [f"nothing was due, where {then} due runs were good"]
    return [f"success is {now} due runs{f' instead of {then}' if old['settled'] else ', where nothing was due'}"]


def _recovery(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    told = []
    for name, words in (("longest_s", "the longest age of the newest copy"), ("exceeded_s", "the time over the RPO")):
        if old[name] != new[name]:
            told.append(f"{words} is {_duration(new[name])} instead of {_duration(old[name])}")
    return told


def _duration(seconds: int | None) -> str:
    return "unknown" if seconds is None else duration_words(seconds)


def _in_all(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    told = []
    before = {check["check"]: check for check in old["checks"]["checks"]}
    for check in new["checks"]["checks"]:
        was = before.get(check["check"])
        if was is not None and (was["good"], was["total"]) != (check["good"], check["total"]):
            words = f"{check['good']:,} of {check['total']:,} instead of {was['good']:,} of {was['total']:,}"
            told.append(f"Check “{check['words']}”: {words}.")
    if old["trend"][:-1] != new["trend"][:-1]:
        told.append("The months before were reported anew; their line in the yearly chart moved.")
    if old["policy"] != new["policy"]:
        told.append("Another policy decides what a failed check means.")
    if old.get("override") and not new.get("override"):
        told.append(f"{old['override']['by']} had issued the report as it was; for the data of now nobody has.")
    if old.get("templates") != new.get("templates"):
        told.append("It is laid out by newer templates.")
    if old["layout"] != new["layout"] or old["methods"] != new["methods"]:
        told.append("Layout or methods have another version.")
    return told
