"""Figures → the text for an audience. Only what is known is said: a restore time with the test that measured it, or “not measured”."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from incidents import advising, feeling, phrasing
from incidents.models import Audience, AudienceTemplate, MajorIncident, MajorUpdate
from itsm_backup.common.models import because
from itsm_backup.common.time import duration_words, instant_words, parse_instant

MOST, NAMED = 5, 3
SHIPPED = "Shipped templates"
_WHEN = "When: since {since}, for {duration}.\n"
_HEAD = "{headline}.\n\n" + _WHEN + "Concerned: {departments}\n"
_STANDS = "Affected: {affected}\nWhat works: {works}\n"
_DOING = "\n{loss}\n\nWhat is being done: {words}\n"
_TO_DO = "\nWhat to do: {advice}\n"
_FOOT = "How long a restore takes: {measured}\nNext update: {next_update}\n\n{lead} tells people of it."
_LED = "\n{manager} leads it."
_INSIDE = "{headline}: {priority}.\n\n" + _WHEN + "Cause: {cause}\nServices hit:\n{exposure}\nWould stop with it: {dependents}\n"
_DETAILS = "Details: {details}\n"
_BODIES = {
    "responders": _INSIDE + "\nAlerts:\n{alerts}\n" + _DOING + _DETAILS + _FOOT + _LED,
    "owners": _INSIDE + "What works: {works}\n" + _DOING + _DETAILS + "\nWhat users do: {advice}\n\n" + _FOOT + _LED,
    "compliance": _HEAD
    + "Services: {services}\nAffected: {affected}\nData: {labels}\nRules: {regulations}\n"
    + _DOING
    + _FOOT
    + _LED
    + " Whether a legal clock runs is for you to decide.",
    "executives": _HEAD + "Services: {services}\nWould stop with it: {dependents}\n" + _STANDS + _DOING + _FOOT + _LED,
    "business": _HEAD + _STANDS + _TO_DO + _DOING + _FOOT,
}
_OVER = (
    "{headline}.\n\nIt lasted {duration}, from {since}. {ended}\nConcerned: {departments}\nWhat was done, and what follows: {words}"
    "\nNot as promised yet: {affected}"
)
_MORE = dict.fromkeys(("responders", "owners"), "\nCause: {cause}\n" + _DETAILS) | {"business": "\nWhat to do: {advice}"}


def shipped(audience: str) -> dict[str, str]:
    """The words for an audience as this version of the product ships them."""
    words = {"subject": "{headline}", "body": _BODIES[audience], "closing_subject": "It is over: {headline}"}
    return {**words, "closing_body": _OVER + _MORE.get(audience, "")}


def templates() -> dict[str, AudienceTemplate]:
    """The template of each audience; a fresh installation starts with the shipped ones, and what nobody changed stays as shipped."""
    found = {row.audience: row for row in AudienceTemplate.objects.all()}
    with because(SHIPPED):
        for audience in Audience.values:
            words = shipped(audience)
            if audience not in found:
                found[audience], _ = AudienceTemplate.objects.get_or_create(audience=audience, defaults=words)
            elif _is_older(found[audience], words):
                for name, text in words.items():
                    setattr(found[audience], name, text)
                found[audience].save()
    return found


def _is_older(row: AudienceTemplate, words: dict[str, str]) -> bool:
    """Whether it has other words than these although no person ever changed it: it came with an earlier version of the product."""
    return (
        any(getattr(row, name) != text for name, text in words.items())
        and not row.history.exclude(history_change_reason=SHIPPED, history_user=None).exists()
    )


def text_for(template: AudienceTemplate, update: MajorUpdate, *, at: dt.datetime) -> tuple[str, str]:
    """Subject and body for the audience of the template, as of `at`."""
    values = values_of(update.major, update, at=at)
    closes = update.kind == MajorUpdate.Kind.CLOSURE
    subject = phrasing.fill(template.closing_subject if closes else template.subject, values)
    body = phrasing.fill(template.closing_body if closes else template.body, values)
    page = f"{settings.BASE_URL}/major/status/{template.audience}/"
    foot = f"As of {_instant(at)}. All that was told: {page}\n{settings.ORGANISATION}, backup assurance\n"
    return " ".join(subject.split())[:250], f"{body}\n\n{foot}"


def _only_backup(one: dict[str, Any]) -> str:
    return ", only its backup" if one.get("only_backup") else ""


def values_of(major: MajorIncident, update: MajorUpdate, *, at: dt.datetime) -> dict[str, str]:
    """What each placeholder says, from the figures of the update."""
    figures = update.figures
    incident, services, consumers = figures["incident"], figures["services"], figures["consumers"]
    damaged = set(figures["damaged"])
    failed = {one["service"]: f"restore test of {_day(one['ended_at'])} failed" for one in figures["failed_restores"]}
    # What joined it may have failed before it was opened. A draft of an earlier version of the product does not know since when.
    begun, ended = (
        parse_instant(incident.get("begun_at", incident["opened_at"])),
        incident["resolved_at"] and parse_instant(incident["resolved_at"]),
    )
    return {
        "number": major.number,
        "headline": _headline(services, figures, is_open=incident["is_open"]),
        "priority": incident["priority"],
        "since": _instant(begun),
        "duration": duration_words(((ended or at) - begun).total_seconds()),
        "services": _some([f"{one['name']} (tier {one['tier']})" for one in services]),
        "dependents": _some([f"{one['name']} (tier {one['tier']}{_only_backup(one)})" for one in consumers]),
        "affected": advising.affected(figures),
        "works": advising.still_kept(figures),
        "advice": advising.advice(figures, lead=_name(major.communications_lead)),
        "departments": _some(sorted({one["department"] for one in [*services, *consumers] if one["department"]})),
        "loss": "\n".join(_loss(one, damaged, failed) for one in services[:MOST]) if incident["is_open"] else "",
        "exposure": "\n".join(f"  {_exposure(one, at)}" for one in services),
        "measured": _measured(services, figures["measured"], damaged, failed),
        "labels": _some([one[:1].upper() + one[1:].replace("_", " ") for one in figures["labels"]]),
        "regulations": _some(figures["regulations"]),
        "cause": figures["cause"],
        "alerts": "\n".join(f"  {one}" for one in figures["alerts"][:20]),
        "words": update.words,
        "details": update.details,
        "manager": _name(major.manager),
        "lead": _name(major.communications_lead),
        "next_update": f"by {_instant(update.next_update_at)}" if update.next_update_at else "",
        "ended": f"It ended {_instant(ended)}: {incident['resolution'].lower() or 'evidence shows it'}." if ended else "",
    }


def _headline(services: list[dict[str, Any]], figures: dict[str, Any], *, is_open: bool) -> str:
    names = [one["name"] for one in services]
    shown = names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more services"]
    whose = " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
    if names and all(one["service"] in figures["damaged"] for one in services):
        return f"A check found damaged copies of {whose}"
    if names and figures["about"] == "restores":
        return f"Restore tests of {whose} {'do' if is_open else 'did'} not keep what is promised"
    return f"Backups{' of ' * bool(whose)}{whose} {'are' if is_open else 'were'} disturbed"


def _some(words: list[str]) -> str:
    return ", ".join(words[:MOST]) + (f" and {len(words) - MOST} more" if len(words) > MOST else "")


def _loss(one: dict[str, Any], damaged: set[int], failed: dict[int, str]) -> str:
    if one["service"] in damaged:
        return f"If {one['name']} failed now, it is not known what could be restored: a check found its copies damaged."
    if one["service"] in failed:
        return f"If {one['name']} failed now, it is not known what could be restored: its {failed[one['service']]}."
    if one["captured_at"]:
        return f"If {one['name']} failed now, its data since {_instant(parse_instant(one['captured_at']))} would be lost."
    known = "nothing is known of its copies" if one["verdict"] == "no_data" else "nothing could be restored: it has no copy"
    return f"If {one['name']} failed now, {known}."


def _exposure(one: dict[str, Any], at: dt.datetime) -> str:
    age_s = feeling.exposure_s(one, at=at)
    age = f"newest copy {duration_words(age_s)} old" if age_s is not None else "no copy is known"
    return f"{one['name']} (tier {one['tier']}): {age}" + (f", promised {duration_words(one['rpo_s'])}" if one["rpo_s"] else "")


def _measured(services: list[dict[str, Any]], tests: list[dict[str, Any]], damaged: set[int], failed: dict[int, str]) -> str:
    """Times that a test measured, each with its day, or why there is none: no test, a later one that failed, or damage."""
    by_service = {one["service"]: one for one in tests}
    told = []
    for one in services[:MOST]:
        test = by_service.get(one["service"])
        if one["service"] in damaged:
            told.append(f"{one['name']}: not known since a check found damage")
        elif one["service"] in failed:
            told.append(f"{one['name']}: not known since the {failed[one['service']]}")
        elif test is None:
            told.append(f"{one['name']}: not measured")
        else:
            told.append(f"{one['name']}: {duration_words(test['duration_s'])} in the test of {_day(test['ended_at'])}")
    return "; ".join(told) or "not measured"


def _day(text: str) -> str:
    ended = parse_instant(text)
    return f"{ended.day} {ended:%b %Y}"


def _instant(at: dt.datetime) -> str:
    return instant_words(at, zone=ZoneInfo(settings.TIME_ZONE))


def _name(person: Any) -> str:
    return (person.get_full_name() or person.get_username()) if person else ""
