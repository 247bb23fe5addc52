"""What the data say to the questions of a review: an answer, the reason in words, where that can be read, what they would set instead.

Pure: from what `recollecting.recollect` kept. What no record proves is not known; nothing is supposed to have been right.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, NamedTuple

from itsm_backup.common.time import duration_words, parse_instant

SOON_ENOUGH_S = 900  # a status that follows the promise within a quarter of an hour was shown in time
Facts = dict[str, Any]
Link = dict[str, Any]


class Appraisal(NamedTuple):
    """One proposed answer: yes, no or unknown."""

    answer: str
    because: str
    links: list[Link] = []
    suggestion: dict[str, Any] = {}


def appraise(facts: Facts, service_id: int | None) -> dict[str, Appraisal]:
    """By question, the answer for the entry of this service as it stood in the facts."""
    entry = next((one for one in facts["services"] if one["service"] == service_id), None)
    if entry is None:
        return {name: Appraisal("unknown", "No entry that was in force then is known for it.") for name in _QUESTIONS}
    return {name: ask(entry, facts) for name, ask in _QUESTIONS.items()}


def _rpo(entry: Facts, facts: Facts) -> Appraisal:
    promised, found = entry["promised"]["rpo_s"], entry["exposure"]
    links = [_version(entry), _judgement(entry)]
    if not promised:
        return Appraisal("unknown", "No recovery point was promised.", links[:1])
    if found is None:
        return Appraisal("unknown", "No copy is known that the recovery point could be measured by.", links[:1])
    worst = f"the newest copy was at most {duration_words(found['worst_s'])} old; {duration_words(promised)} were promised"
    refuted, failed = entry.get("refuted") or {}, failed_test(entry)
    if not found["beyond_s"] and (refuted.get("detail") == "damage_found" or failed):
        why = refuted["words"] if refuted.get("detail") == "damage_found" else failed
        links += [_run(entry["failed_test"], "The restore test")] if failed else []
        return Appraisal("unknown", f"{why} Whether it could have been restored is not known: {worst}.", _told(links))
    if not found["beyond_s"]:
        return Appraisal("yes", f"From opening to end {worst}.", _told(links))
    over = duration_words(found["worst_s"] - promised)
    words = f"It was beyond the promise for {duration_words(found['beyond_s'])}: {worst}, so up to {over} more could have been lost."
    return Appraisal("no", words, _told(links))


def _rto(entry: Facts, facts: Facts) -> Appraisal:
    promised, links = entry["promised"]["rto_s"], [_version(entry)]
    if not promised:
        return Appraisal("unknown", "No recovery time was promised.", links)
    passed = (one for one in entry["tests"] if one["scope"] == "full" and one["outcome"] == "passed")
    test = next((one for one in passed if one["duration_s"] is not None), None)
    if failed := failed_test(entry):
        before = f" One of {_day(test['at'])} had taken {duration_words(test['duration_s'])}." if test else ""
        answer = "no" if entry["failed_test"]["scope"] == "full" else "unknown"  # a sample does not say how long all of it takes
        links.append(_run(entry["failed_test"], "The restore test"))
        return Appraisal(answer, f"{failed} {duration_words(promised)} were promised.{before}", links)
    if test is None:
        return Appraisal("unknown", f"{duration_words(promised)} were promised; how long a full restore takes was never measured.", links)
    took = f"The full restore of {_day(test['at'])} took {duration_words(test['duration_s'])}; {duration_words(promised)} were promised."
    return Appraisal("yes" if test["duration_s"] <= promised else "no", took, [*links, _run(test, "The restore test")])


def failed_test(entry: Facts) -> str:
    """Which restore test stood against the copies, in a sentence; empty where none did."""
    test = entry.get("failed_test")  # what was kept by earlier versions of the product does not say
    if not test:
        return ""
    return f"The {'full restore' if test['scope'] == 'full' else 'restore of a sample'} of {_day(test['at'])} failed."


def _retention(entry: Facts, facts: Facts) -> Appraisal:
    days, found, links = entry["promised"]["retention_days"], entry["retention"], [_version(entry)]
    if not days:
        return Appraisal("unknown", "No retention was promised.", links)
    if found is None:
        return Appraisal("unknown", "No copy could be restored when it opened.", links)
    oldest = f"the oldest copy that could be restored was of {_day(found['oldest_at'])}; {days} days were promised"
    if found["lost_at"]:
        return Appraisal("no", f"A copy of {_day(found['lost_at'])} should have been kept and was gone: {oldest}.", links)
    if not found["whole"]:
        return Appraisal("unknown", f"Nothing was gone too early, but backups have not run that long: {oldest}.", links)
    return Appraisal("yes", f"Nothing was gone too early: {oldest}.", links)


def _dependencies(entry: Facts, facts: Facts) -> Appraisal:
    found = facts["dependencies"]
    links: list[Link] = [{"page": "service_graph", "args": [entry["code"]], "words": "Its relations"}]
    if found["learned"]:
        names = ", ".join(one["name"] for one in found["learned"])
        return Appraisal("no", f"Hit by it, too, and not known to be so when it opened: {names}.", links)
    if found["seen"]:
        return Appraisal("no", f"Seen by monitoring and not in the catalogue: {'; '.join(one['words'] for one in found['seen'])}", links)
    if found["known"]:
        services = f"{found['known']} service{'s' if found['known'] > 1 else ''}"
        return Appraisal("yes", f"That {services} would be hit with it was known when it opened, and nothing else was seen since.", links)
    return Appraisal("unknown", "Nothing is known to depend on it, and nothing was seen that does. Ask those who work with it.", links)


def _tier(entry: Facts, facts: Facts) -> Appraisal:
    own, inherited = entry["tier"], entry["effective_tier"]
    if inherited < own:
        words = f"It is of tier {own}, and something of tier {inherited} hangs on it."
        return Appraisal("no", words, [_version(entry)], {"content": {"tier": inherited}})
    if facts["dependencies"]["known"]:
        return Appraisal("yes", f"It is of tier {own}, and nothing that hangs on it is of a stricter one.", [_version(entry)])
    return Appraisal("unknown", f"It is of tier {own}, and nothing depends on it that could say otherwise.", [_version(entry)])


def _contacts(entry: Facts, facts: Facts) -> Appraisal:
    links = [{"page": "entry_ownership", "args": [entry["code"]], "words": "Who answers for it"}]
    gone = [f"the {duty} {one['name']}".strip() for duty, one in entry["people"].items() if not one["reached"]]
    if gone:
        return Appraisal("no", f"Could not be reached: {', '.join(gone)}.", links)
    if facts["instead"]:
        return Appraisal("no", f"Others were told than those who are named: {'; '.join(facts['instead'])}.", links)
    if not facts["told"]:
        return Appraisal("unknown", "Nobody was told of it.", links)
    taken_at = facts["acknowledged_at"] and parse_instant(facts["acknowledged_at"])
    sent = [parse_instant(one["sent_at"]) for one in facts["told"] if one["sent_at"]]
    count = sum(taken_at is None or at <= taken_at for at in sent)  # later ones reached nobody who could have taken it sooner
    if not count:
        when = "before somebody took it" if taken_at else "until now"
        return Appraisal("unknown", f"{_messages(len(facts['told']))} written, and no mail server took one {when}.", links)
    if not taken_at:
        return Appraisal("unknown", f"{_messages(count)} sent; nobody acknowledged.", links)
    taken = duration_words((taken_at - parse_instant(facts.get("known_at") or facts["since"])).total_seconds())
    late = facts["acknowledge_by"] and taken_at > parse_instant(facts["acknowledge_by"])
    words = f"{_messages(count)} sent to who is named, and somebody took it after {taken}{', later than its target' if late else ''}."
    return Appraisal("unknown" if late else "yes", words, links)


def _status(entry: Facts, facts: Facts) -> Appraisal:
    links = [{"page": "status", "args": [entry["code"]], "words": "Its status"}]
    if entry["by_hand"]:
        return Appraisal("no", "A person set it operational while the incident was open.", links)
    begun, why = _broken_since(entry)
    if not begun:
        known = entry["exposure"] is not None and entry["exposure"]["beyond_s"] is not None
        return Appraisal("yes" if known else "unknown", "Its promise held." if known else "Nothing was measured to compare it with.", links)
    broken_at, shown = parse_instant(begun), "unknown"
    for step in entry["status"]:
        at = parse_instant(step["at"])
        shown = step["to"] if at <= broken_at else shown
        if at > broken_at and shown == "operational" and step["to"] != "operational":
            late_s = (at - broken_at).total_seconds()
            words = f"It became {step['to']} {duration_words(late_s)} after the promise was broken.{why}"
            return Appraisal("yes" if late_s <= SOON_ENOUGH_S else "no", words, links)
    if shown == "operational":
        return Appraisal("no", f"It was shown as operational all the time, while its promise was broken.{why}", links)
    was = f"It was shown as {shown} when the promise was broken.{why}"
    return Appraisal("yes" if shown in ("degraded", "outage") else "unknown", was, links)


def _broken_since(entry: Facts) -> tuple[str | None, str]:
    """From when on a promise of it was broken meanwhile, and what says so where it was not the recovery point."""
    by_age = entry["exposure"] and entry["exposure"].get("beyond_since")
    refuted = entry.get("refuted")
    if refuted and (not by_age or parse_instant(refuted["at"]) < parse_instant(by_age)):
        return refuted["at"], f" {refuted['words']}"
    return by_age, ""


def _restore(entry: Facts, facts: Facts) -> Appraisal:
    claim = entry["restore"]
    if claim is not None:
        links = [_judgement(entry), *([_run(claim, "The restore test")] if claim["run"] else [])]
        return Appraisal("yes" if claim["verdict"] == "kept" else "no", claim["words"], _told(links))
    passed = next((one for one in entry["tests"] if one["scope"] == "full" and one["outcome"] == "passed"), None)
    if passed is None:
        return Appraisal("no", "No full restore that passed was on record before, and none was promised.", [_version(entry)])
    return Appraisal("yes", f"The full restore of {_day(passed['at'])} passed.", [_run(passed, "The restore test")])


_QUESTIONS: dict[str, Callable[[Facts, Facts], Appraisal]] = {
    "rpo": _rpo,
    "rto": _rto,
    "retention": _retention,
    "dependencies": _dependencies,
    "tier": _tier,
    "contacts": _contacts,
    "status": _status,
    "restore": _restore,
}


def _version(entry: Facts) -> Link:
    return {"page": "version", "args": [entry["code"], entry["version"]], "words": f"Version {entry['version']}, in force then"}


def _judgement(entry: Facts) -> Link:
    return {"page": "explain", "args": ["evaluation", entry["evaluation"]], "words": "The judgement before"} if entry["evaluation"] else {}


def _run(test: Facts, words: str) -> Link:
    return {"page": "run", "args": [test["run"]], "words": words}


def _told(links: list[Link]) -> list[Link]:
    return [one for one in links if one]


def _messages(count: int) -> str:
    return f"{count} message{' was' if count == 1 else 's were'}"


def _day(text: str) -> str:
    at: dt.datetime = parse_instant(text)
    return f"{at.day} {at:%b %Y}"
