"""Every message about incidents, for those who work on them or audit them: to whom, by which rule, what became of it, and its text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import BigIntegerField, Exists, F, Func, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce

from incidents.models import Audience, Escalation, Incident, IncidentAlert, MajorIncident, OwnChannel, PostIncidentReview
from incidents.models.own_channels import OWN
from itsm_backup.common.models import Notice
from monitoring.models import Alert

READ, READ_TEXT = "common.view_notice", "common.read_body_notice"
STATES = {"sent": "Sent", "waiting": "Waiting", "refused": "Refused so far", "failed": "Failed", "withheld": "Not sent on purpose"}
CHANNELS = {Notice.Channel.EMAIL.value: "Mail", Notice.Channel.CHANNEL.value: "Webhook, chat or push"}
_ABOUT = re.compile(r"(INC|MAJ|PIR)-?(\d{1,18})", re.IGNORECASE | re.ASCII)
_PREFIX = {"INC": "incident", "MAJ": "major", "PIR": "review"}
_RULES = {
    "incident/resolved": "Everybody who was told of it is told that it is over",
    "incident/raised": "Everybody who was told of it is told that it is heavier",
    "incident/reopened": "Everybody who was told of it is told that it goes on",
    "incident/handed": "The team that gets it is told",
    "major/proposed": "Incident managers are asked whether it is a major incident",
    "major/declared": "Whoever gets a part in it is told",
    "major/overdue": "An update is overdue",
    "review/published": "Those concerned read a published review",
    "review/beside": "Owners of what depends on it are told of a published review",
    "review/sent_back": "Its authors are told that it came back",
    "review/overdue": "An action of a review is overdue",
}


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message as this person may read it; `text` is None where they may not."""

    notice: Notice
    about: str  # INC-0001, MAJ-0001 or PIR-0001
    subject: str
    to: str
    rule: str
    state: str
    text: str | None


def may_read(user: Any) -> bool:
    """Whether there can be any message that the person may read: they read what was sent, or work on incidents."""
    return bool(user.has_perm(READ) or user.has_perm("incidents.change_incident"))


def messages_for(user: Any, *, at: dt.datetime) -> QuerySet[Notice]:
    """Messages about incidents that the person may see, written by `at`, newest first; `is_whole`: they see all that it hits."""
    if not may_read(user):
        return Notice.objects.none()
    numbers = {kind: _number_in("key", kind) for kind in _PREFIX.values()}
    major = MajorIncident.objects.filter(pk=OuterRef("of_major")).values("incident")
    review = PostIncidentReview.objects.filter(pk=OuterRef("of_review")).values("incident")
    seen = Alert.objects.visible_to(user)
    hidden = IncidentAlert.objects.filter(incident=OuterRef("incident")).exclude(alert__in=seen)
    whole: Any = ~Exists(hidden) if seen.query.has_filters() else Value(value=True)
    rows = Notice.objects.filter(_about_incidents(), created_at__lte=at)
    rows = rows.annotate(of_incident=numbers["incident"], of_major=numbers["major"], of_review=numbers["review"])
    rows = rows.annotate(incident=Coalesce(F("of_incident"), Subquery(major), Subquery(review), output_field=BigIntegerField()))
    mine = Incident.objects.visible_to(user, "view" if user.has_perm(READ) else "change")
    return rows.filter(incident__in=mine.values("pk")).annotate(is_whole=whole).order_by("-pk")


def _about_incidents() -> Q:
    return Q(key__startswith="incident/") | Q(key__startswith="major/") | Q(key__startswith="review/")


def _number_in(field: str, kind: str) -> Cast:
    """The number in a key such as `incident/17/opened/…`; NULL in one of another kind."""
    found = Func(F(field), Value(rf"^{kind}/(\d{{1,18}})/"), function="substring", template="%(function)s(%(expressions)s)")
    return Cast(found, BigIntegerField())


def narrowed(rows: QuerySet[Notice], *, about: str = "", person: str = "", channel: str = "", state: str = "", at: dt.datetime) -> Any:
    """Those about one incident (with its major incident and reviews), to one person or address, through a channel, in a state at `at`."""
    if about:
        rows = rows.filter(_of(about))
    if person:
        rows = rows.filter(_to(person))
    if channel:
        rows = rows.filter(channel=channel)
    return rows.filter(_in_state(state, at)) if state else rows


def _of(about: str) -> Q:
    """By the keys, which are indexed. Nothing for what is no number."""
    match = _ABOUT.fullmatch(about.strip())
    if match is None:
        return Q(pk=None)
    kind, pk = match[1].upper(), int(match[2])
    if kind != "INC":
        return Q(key__startswith=f"{_PREFIX[kind]}/{pk}/")
    majors = MajorIncident.objects.filter(incident=pk).values_list("pk", flat=True)
    reviews = PostIncidentReview.objects.filter(incident=pk).values_list("pk", flat=True)
    keys = [f"incident/{pk}/", *(f"major/{one}/" for one in majors), *(f"review/{one}/" for one in reviews)]
    found = Q()
    for key in keys:
        found |= Q(key__startswith=key)
    return found


def _to(person: str) -> Q:
    """Whose name or address holds these words; own channels are those of the person."""
    named = Q(username__icontains=person) | Q(email__icontains=person)
    for word in person.split()[:4]:
        named |= Q(first_name__icontains=word) | Q(last_name__icontains=word)
    people = get_user_model().objects.filter(named)
    own = [f"{OWN}{pk}" for pk in OwnChannel.objects.filter(person__in=people).values_list("pk", flat=True)[:500]]
    addresses = people.exclude(email="").values("email")
    return Q(recipient__icontains=person) | Q(recipient__in=addresses) | Q(recipient__in=own)


def _in_state(state: str, at: dt.datetime) -> Q:
    left, ended = Q(sent_at__lte=at), Q(given_up_at__lte=at)
    open_ones = Q(sent_at=None) | Q(sent_at__gt=at)
    open_ones &= Q(given_up_at=None) | Q(given_up_at__gt=at)
    return {
        "sent": left,
        "failed": ended & Q(attempts__gt=0),
        "withheld": ended & Q(attempts=0),
        "refused": open_ones & Q(attempts__gt=0, sent_at=None),
        "waiting": open_ones & ~Q(attempts__gt=0, sent_at=None),
    }.get(state, Q(pk=None))


def state_of(notice: Notice, *, at: dt.datetime) -> str:
    """What had become of it by `at`, as one of STATES."""
    if notice.sent_at and notice.sent_at <= at:
        return "sent"
    if notice.given_up_at and notice.given_up_at <= at:
        return "failed" if notice.attempts else "withheld"
    return "refused" if notice.attempts and notice.sent_at is None else "waiting"


def told(notices: Sequence[Any], *, user: Any, at: dt.datetime) -> list[Message]:
    """Rows of `messages_for` as the person may read them: three more questions, however many there are."""
    reads = user.has_perm(READ_TEXT)
    works = user.has_perm("incidents.change_incident")
    policies = _policies(notices)
    own = _own([one.recipient for one in notices if one.recipient.startswith(OWN)])
    messages = []
    for one in notices:
        about = _number_of(one.key)
        whose = own.get(one.recipient) or _who(one)
        messages.append(
            Message(
                notice=one,
                about=about,
                subject=one.subject if one.is_whole else f"[{about}]",
                to=whose,
                rule=_rule_of(one, policies),
                state=state_of(one, at=at),
                text=one.body if one.is_whole and (reads or works) else None,
            )
        )
    return messages


def _number_of(key: str) -> str:
    kind, pk, *_ = key.split("/")
    return next(f"{letters}-{int(pk):04d}" for letters, prefix in _PREFIX.items() if prefix == kind)


def _who(one: Any) -> str:
    delivery = getattr(one, "major_delivery", None)
    return f"{delivery.who}, {one.recipient}" if delivery and delivery.who != one.recipient else one.recipient


def _own(recipients: Sequence[str]) -> dict[str, str]:
    """Own channels by whose they are: where they lead is a secret."""
    rows = OwnChannel.objects.filter(pk__in=[one.removeprefix(OWN) for one in recipients]).select_related("person") if recipients else ()
    return {one.key: f"{one.person.get_full_name() or one.person.get_username()}, {one.name}" for one in rows}


def _policies(notices: Sequence[Any]) -> dict[tuple[int, int], str]:
    """(incident, number) → name of the policy that counted, for messages that a level of a policy sent."""
    rows = Escalation.objects.filter(incident__in={one.of_incident for one in notices if one.of_incident})
    return {(pk, number): snapshot["policy"] for pk, number, snapshot in rows.values_list("incident", "number", "snapshot")}


def _rule_of(one: Any, policies: Mapping[tuple[int, int], str]) -> str:
    parts: list[str] = [*one.key.split("/"), ""]
    kind, act, rest = parts[0], parts[2], parts[3:]
    if kind == "major" and act == "update":
        delivery = getattr(one, "major_delivery", None)
        if delivery is None:
            return f"Update {rest[0]}"
        whom = Audience(delivery.message.audience).label.lower()
        return f"Update {rest[0]} to {whom}: {delivery.why}"
    levels = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", rest[0]) if rest else None
    if kind == "incident" and levels:
        policy = policies.get((one.of_incident, int(levels[1])))
        return f"{policy or 'A policy that is gone'}, level {levels[2]}" + (", told again" if act == "repeated" else "")
    return _RULES.get(f"{kind}/{act}", "")
