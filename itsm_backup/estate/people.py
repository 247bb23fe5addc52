"""People and their roles, as an estate file states them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType

from catalogue.declaring import Declared
from catalogue.models import Service, ServiceVersion
from catalogue.publishing import NotReady, problems_of
from itsm_backup import granting
from itsm_backup.estate.reading import Place, Unusable
from itsm_backup.roles import ROLES, Scope
from monitoring.models import Tool

if TYPE_CHECKING:
    from itsm_backup.estate.loading import Loading

# What somebody who stands for a duty must be able to do.
_NEEDED = {
    "steward": ("catalogue.add_service", "catalogue.change_service", "catalogue.add_team"),
    "monitoring-admin": ("monitoring.add_tool", "monitoring.add_attributionrule", "monitoring.change_jobschedule"),
    "approver": ("catalogue.approve_service", "monitoring.approve_ruleversion"),
}
_LABELS = {"is_active": "active", "first_name": "first name", "last_name": "last name", "email": "e-mail"}


def declare_people(loading: Loading, duties: dict[str, str]) -> None:
    """Accounts and roles over the whole estate; then the three who stand for this load, who must differ and hold their duties.

    Raises Unusable at once when one of the three is missing or unfit, because then nobody stands for anything.
    """
    accounts = [(place, wish, _declare_account(loading, place, wish)) for place, wish in loading.each("users")]
    standing = _find(loading, duties)
    loading.steward, loading.monitoring_admin, loading.approver = standing.values()
    for _, _, declared in accounts:
        if declared and declared.wrote:
            _record(loading, declared)
    for place, wish, declared in accounts:
        if declared and "roles" in wish:
            _take_roles(loading, place, wish, declared.row)
            _give_roles(loading, place, wish, declared.row, limited=False)
    _check(loading, standing)


def give_limited_roles(loading: Loading) -> None:
    """Roles on single services, tools and departments, once these exist."""
    for place, wish in loading.each("users"):
        person = get_user_model().objects.filter(username=wish["username"]).first()
        if person is not None and "roles" in wish:
            _give_roles(loading, place, wish, person, limited=True)


def _declare_account(loading: Loading, place: Place, wish: dict[str, Any]) -> Declared | None:
    with loading.item(place):
        row = get_user_model().objects.filter(username=wish["username"]).first()
        made = row is None
        if row is None:
            row = get_user_model()(username=wish["username"])
            row.set_unusable_password()
        wanted = {name: wish[key] for key, name in (("email", "email"), ("active", "is_active")) if key in wish}
        if "name" in wish:
            wanted["first_name"], _, wanted["last_name"] = wish["name"].rpartition(" ")
        changed = {
            name: (None if made else getattr(row, name), value) for name, value in wanted.items() if made or getattr(row, name) != value
        }
        for name, value in wanted.items():
            setattr(row, name, value)
        problems = problems_of(row, only={"username", *wanted})
        if problems:
            raise NotReady(problems)
        if made or changed:
            row.save()
        return Declared(row, made, changed)
    return None


def _find(loading: Loading, duties: dict[str, str]) -> dict[str, Any]:
    found, unfit = {}, []
    for duty, username in duties.items():
        person = get_user_model().objects.filter(username=username).first()
        if person is None:
            unfit.append(f"--{duty} {username}: there is no such user. Declare {username} under users with the role {duty}.")
        elif not person.is_active:
            unfit.append(f"--{duty} {username}: this account is closed. Name somebody else.")
        found[duty] = person
    if len(set(duties.values())) < len(duties):
        unfit.append("--steward, --monitoring-admin and --approver must be three different people: their duties exclude each other.")
    _stop_if(loading, unfit)
    return found


def _check(loading: Loading, standing: dict[str, Any]) -> None:
    unfit = []
    for duty, person in standing.items():
        if not get_user_model().objects.get(pk=person.pk).has_perms(_NEEDED[duty]):  # read anew: roles may just have been given
            held = granting.held_by(person)
            limited = " over the whole estate, only over a part of it" if any(scope.role == duty for scope in held) else ""
            told = f"--{duty} {person.get_username()}: this person does not hold the role {duty}{limited}."
            unfit.append(f"{told} Declare it under users, or give it in the admin.")
    _stop_if(loading, unfit)


def _stop_if(loading: Loading, unfit: list[str]) -> None:
    """Nobody can stand for what follows, so looking for more problems would only find consequences of this one."""
    if unfit:
        raise Unusable([*loading.problems, *(loading.estate.problem((), sentence) for sentence in unfit)])


def _record(loading: Loading, declared: Declared) -> None:
    person = declared.row
    by = person if loading.steward is None else loading.steward
    LogEntry.objects.create(
        action_time=loading.at, user=by, content_type=ContentType.objects.get_for_model(person), object_id=str(person.pk),
        object_repr=str(person)[:200], action_flag=ADDITION if declared.made else CHANGE, change_message=loading.reason,
    )  # fmt: skip
    loading.tell(f"user {person.get_username()}", declared, _LABELS)
    if declared.made:
        loading.notes.append(f"{person.get_username()} cannot sign in yet: manage.py changepassword {person.get_username()}")


def _wanted(wish: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": each} if isinstance(each, str) else each for each in wish["roles"]]


def _scopes(each: dict[str, Any]) -> list[Scope]:
    """The scopes of one entry by name alone: what they limit to may not exist yet."""
    limited = [
        Scope(each["role"], kind, name)
        for kind, key in (("service", "services"), ("tool", "tools"), ("department", "departments"))
        for name in each.get(key, [])
    ]
    return limited or [Scope(each["role"])]


def _granter(loading: Loading, person: Any) -> Any:
    """The steward stands for roles too, except for their own."""
    return loading.approver if person.pk == loading.steward.pk else loading.steward


def _take_roles(loading: Loading, place: Place, wish: dict[str, Any], person: Any) -> None:
    wanted = [scope for each in _wanted(wish) for scope in _scopes(each)]
    for scope in granting.held_by(person):
        if scope not in wanted:
            with loading.item((*place, "roles")):
                granting.revoke(user=person, scope=scope, by=_granter(loading, person), at=loading.at, reason=loading.reason)
                loading.differences.append(f"user {person.get_username()}: role {scope.group} taken away")


def _give_roles(loading: Loading, place: Place, wish: dict[str, Any], person: Any, *, limited: bool) -> None:
    for index, each in enumerate(_wanted(wish)):
        if bool(each.keys() - {"role"}) != limited:
            continue
        with loading.item((*place, "roles", index)):
            limits = _limits(loading, each) if each["role"] in ROLES else {}
            by = _granter(loading, person)
            new = granting.grant(user=person, role=each["role"], by=by, at=loading.at, reason=loading.reason, **limits)
            loading.differences += [f"user {person.get_username()}: given the role {scope.group}" for scope in new]


def _limits(loading: Loading, each: dict[str, Any]) -> dict[str, list[Any]]:
    for key in each.keys() - {"role"}:
        if not each[key]:
            raise ValueError(
                f"{key} names nothing, which would give the role {each['role']} everywhere. Leave the key out if that is meant."
            )
    departments = set(ServiceVersion.objects.approved().filter(effective__endswith=None).values_list("department", flat=True))
    departments |= {wish.get("department", "") for _, wish in loading.each("services")}  # of one with a problem, that is told already
    missing = [name for name in each.get("departments", []) if name not in departments]
    if missing:
        raise ValueError(f"No service belongs to the department {', '.join(missing)}. Correct the name, or the service's department.")
    return {
        "services": loading.find(Service, "services", *each.get("services", [])),
        "tools": loading.find(Tool, "tools", *each.get("tools", [])),
        "departments": each.get("departments", []),
    }
