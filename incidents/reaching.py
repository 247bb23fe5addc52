"""Whom a target of a level means at an instant, and at which address they are reached."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model

from catalogue.models import Service, ServiceVersion, Team
from incidents import rotating
from incidents.models import Channel, Incident, OwnChannel, Rota
from incidents.models.escalation import Tell
from incidents.models.own_channels import OWN


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """One addressee. `thread` keeps the order of what they get; `why` says for whom they stand in, empty for the one named."""

    who: str
    address: str
    thread: str = ""
    why: str = ""
    channel: str = ""  # the name of the channel; empty for mail

    @property
    def place(self) -> str:
        """Where a message went, in words: an own channel is told by whose it is."""
        return self.who if self.channel.startswith(OWN) else self.address

    @property
    def words(self) -> str:
        return f"{self.who} ({self.why})" if self.why else self.who

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Directory:
    """Teams, people, rotas and entries as they are looked up for targets, each once.

    With `incidents` it knows beforehand what many of them need: who answers for their services at `at`, and who may see which.
    """

    def __init__(self, *, at: dt.datetime, incidents: Sequence[Incident] = ()) -> None:
        self.at, self.incidents = at, incidents
        self.team, self.person, self.rota, self._seen = map(cache, (self._team, self._person, self._rota, self._seen_by))
        self.channel, self.own = cache(self._channel), cache(self._own)
        services = {one.service_id for one in incidents}
        rows = ServiceVersion.objects.in_force(at).filter(service__in=services).select_related("owner", "steward") if services else ()
        self._versions = {row.service_id: row for row in rows}

    def version(self, service_id: int | None) -> ServiceVersion | None:
        """The version of the service in force."""
        if service_id not in self._versions and service_id is not None and not self.incidents:
            found = ServiceVersion.objects.in_force(self.at).filter(service=service_id).select_related("owner", "steward").first()
            if found:
                self._versions[service_id] = found
        return self._versions.get(service_id)  # type: ignore[arg-type]

    def sees(self, person: Any, incident: Incident) -> bool:
        """Whether the person may see the incident; of one that is only supposed, its service."""
        if incident.pk is None:
            return Service.objects.visible_to(person).filter(pk=incident.service_id).exists()
        if not self.incidents:
            return Incident.objects.visible_to(person).filter(pk=incident.pk).exists()
        return incident.pk in self._seen(person)

    def _seen_by(self, person: Any) -> set[int]:
        mine = Incident.objects.visible_to(person).filter(pk__in=[one.pk for one in self.incidents])
        return set(mine.values_list("pk", flat=True))

    def _team(self, pk: int) -> Team | None:
        return Team.objects.filter(pk=pk).first()

    def _person(self, pk: int) -> Any:
        return get_user_model().objects.filter(pk=pk).first()

    def _channel(self, pk: int) -> Channel | None:
        return Channel.objects.filter(pk=pk, enabled=True).first()

    def _own(self, person: Any) -> list[OwnChannel]:
        return list(OwnChannel.objects.filter(person=person, confirmed_at__lte=self.at))

    def _rota(self, team_id: int | None) -> Rota | None:
        return Rota.objects.filter(team=team_id).prefetch_related("members__person", "swaps__person").first()


def reach(targets: list[dict[str, Any]], *, incident: Incident, at: dt.datetime, directory: Directory | None = None) -> list[Recipient]:
    """Who is told for these targets, each address once.

    A person who is gone, has no address, or may not see the incident is stood in for by the operations team.
    Empty where nobody at all can be reached.
    """
    found: dict[str, Recipient] = {}
    for target in targets:
        for one in _reached_by(target, incident, at, directory or Directory(at=at)):
            found.setdefault(one.address, one)
    return list(found.values())


def still_reached(told: Sequence[Recipient], *, incident: Incident, at: dt.datetime) -> list[Recipient]:
    """Who of those that were told once is told what follows, each address once; by the same rules as whoever is told anew."""
    directory = Directory(at=at)
    found: dict[str, Recipient] = {}
    for was in told:
        one = _as_of_now(was, incident, at, directory)
        if one is not None and one.address:
            found.setdefault(one.address, one)
    return list(found.values())


def _as_of_now(was: Recipient, incident: Incident, at: dt.datetime, directory: Directory) -> Recipient | None:
    """The addressee, or who stands in now; nobody for an own channel that was taken away. The operations team stays as it was."""
    kind, _, number = was.thread.partition("/")
    own, who = None, was.who
    if was.channel.startswith(OWN):
        own = OwnChannel.objects.filter(pk=was.channel.removeprefix(OWN)).select_related("person").first()
        if own is None:
            return None
        kind, number, who = Tell.PERSON, str(own.person_id), own.person.get_full_name() or own.person.get_username()
    if kind not in (Tell.PERSON, Tell.CHANNEL, Tell.TEAM):
        return was
    person = directory.person(int(number)) if kind == Tell.PERSON else None
    has_own = own is not None or (person is not None and bool(directory.own(person)))
    now = _reach_one({"tell": kind, kind: int(number), "name": who}, incident, at, directory, person, has_own=has_own)
    return was if own is not None and now is not None and now.thread == f"person/{number}" else now


def _reached_by(target: dict[str, Any], incident: Incident, at: dt.datetime, directory: Directory) -> list[Recipient]:
    """Who is told for one target: a person by mail, and at those of their own channels that are for the priority."""
    person = None if target["tell"] in NO_PERSON else _person_of(target, incident, at, directory)
    own = _own_channels(person, incident, directory) if person is not None and person.is_active else []
    first = _reach_one(target, incident, at, directory, person, has_own=bool(own))
    if first is None or person is None or first.thread != f"person/{person.pk}":
        return [first] if first else []  # somebody stands in, or nobody can
    return [one for one in (first, *own) if one.address]


def _own_channels(person: Any, incident: Incident, directory: Directory) -> list[Recipient]:
    name = person.get_full_name() or person.get_username()
    return [
        Recipient(who=f"{name}, {one.name}", address=one.key, thread=one.key, channel=one.key)
        for one in directory.own(person)
        if incident.priority in one.priorities
    ]


NO_PERSON = (Tell.OPERATIONS_TEAM, Tell.TEAM, Tell.CHANNEL)


def _reach_one(
    target: dict[str, Any], incident: Incident, at: dt.datetime, directory: Directory, person: Any, *, has_own: bool
) -> Recipient | None:
    tell = target["tell"]
    if tell == Tell.OPERATIONS_TEAM:
        return operations_team(incident)
    if tell == Tell.TEAM:
        team = directory.team(target["team"])
        return _of_team(team) if team else operations_team(incident, why=f"instead of {target['name']}, which is gone")
    if tell == Tell.CHANNEL:
        channel = directory.channel(target["channel"])
        return _of_channel(channel) if channel else operations_team(incident, why=f"instead of {target['name']}, which is switched off")
    words = target.get("name") or Tell(tell).label
    if person is None and tell == Tell.ON_CALL:
        return operations_team(incident, why="nobody is on call")
    if person is None or not person.is_active:
        return operations_team(incident, why=f"instead of {words}, who is not there")
    name = person.get_full_name() or person.get_username()
    if not person.email and not has_own:
        return operations_team(incident, why=f"instead of {name}, who has no address")
    if not directory.sees(person, incident):
        return operations_team(incident, why=f"instead of {name}, who may not see the incident")
    return Recipient(who=name, address=person.email, thread=f"person/{person.pk}")


def _person_of(target: dict[str, Any], incident: Incident, at: dt.datetime, directory: Directory) -> Any:
    """The person that a target means at `at`; None where it means none."""
    if target["tell"] == Tell.ON_CALL:
        rota = directory.rota(target["team"] or incident.team_id)
        shift = rotating.on_call(rota, at=at) if rota else None
        return shift.person if shift else None
    if target["tell"] == Tell.PERSON:
        return directory.person(target["person"])
    return getattr(directory.version(incident.service_id), target["tell"], None)


def _of_channel(channel: Channel) -> Recipient:
    return Recipient(who=channel.name, address=channel.name, thread=f"channel/{channel.pk}", channel=channel.name)


def _of_team(team: Team) -> Recipient:
    return Recipient(who=team.name, address=team.email, thread=f"team/{team.pk}")


def operations_team(incident: Incident, why: str = "") -> Recipient | None:
    """The team that runs the backups of the service hit hardest; None where no entry names one."""
    return Recipient(who=incident.team.name, address=incident.team.email, why=why) if incident.team else None
