"""Teams, services, relations and maintenance windows, as an estate file states them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model

from catalogue import declaring
from catalogue.declaring import Declared
from catalogue.models import Relation, Service, Team, Window
from itsm_backup.estate import amounts
from itsm_backup.estate.reading import Place

if TYPE_CHECKING:
    from itsm_backup.estate.loading import Loading

_AS_WRITTEN = ("name", "short_name", "summary", "department", "application_type", "labels", "tier", "zone")
_PROMISES = {
    "rpo": ("rpo_s", amounts.seconds),
    "rto": ("rto_s", amounts.seconds),
    "retention": ("retention_days", amounts.days),
    "success_rate": ("success_rate", amounts.share),
    "on_time_rate": ("on_time_rate", amounts.share),
    "restore_test_every": ("restore_test_days", amounts.days),
}
LABELS = {
    "rpo_s": "recovery point",
    "rto_s": "recovery time",
    "retention_days": "retention",
    "restore_test_days": "restore test every",
    "zone": "time zone",
    "email": "e-mail",
    "ends_at": "until",
}


def declare_catalogue(loading: Loading) -> None:
    """Everything of the catalogue that the file names, by the steward; versions approved by the approver."""
    said = {"by": loading.steward, "at": loading.at, "reason": loading.reason}
    for place, wish in loading.each("teams"):
        with loading.item(place):
            loading.tell(f"team {wish['name']}", declaring.declare_team(**said, name=wish["name"], email=wish["email"]), LABELS)
    for place, wish in loading.each("services"):
        with loading.item(place):
            _declare_service(loading, wish)
    for place, wish in loading.each("relations"):
        with loading.item(place):
            kind, strength = wish.get("kind", Relation.Kind.DEPENDS_ON), wish.get("strength", Relation.Strength.HARD)
            consumer, provider = _ends(loading, wish)
            declared = declaring.declare_relation(**said, consumer=consumer, provider=provider, kind=kind, strength=strength)
            loading.tell(f"relation {consumer.code} {Relation.Kind(kind).label} {provider.code}", declared, LABELS)
    for place, wish in loading.each("maintenance_windows"):
        with loading.item(place):
            _declare_window(loading, place, wish, said)


def _ends(loading: Loading, wish: dict[str, Any]) -> tuple[Service, Service]:
    found = {service.code: service for service in loading.find(Service, "services", wish["consumer"], wish["provider"])}
    return found[wish["consumer"]], found[wish["provider"]]


def _declare_service(loading: Loading, wish: dict[str, Any]) -> None:
    service = Service.objects.filter(code=wish["code"]).first()
    zone = wish.get("zone", settings.TIME_ZONE)
    content = {name: wish[name] for name in _AS_WRITTEN if name in wish}
    for role in ("owner", "steward"):
        if role in wish:
            (content[role],) = loading.find(get_user_model(), "users", wish[role])
    if "operations_team" in wish:
        (content["operations_team"],) = loading.find(Team, "teams", wish["operations_team"])
    if "commissioned_at" in wish:
        content["commissioned_at"] = amounts.instant(wish["commissioned_at"], zone)
    if service is None or not service.versions.exists():
        content = {"zone": zone, "commissioned_at": loading.at, "steward": loading.steward, **_short_name(wish), **content}
    declared = declaring.declare_service(
        code=wish["code"], content=content, commitment=_commitment(wish.get("commitments", {})),
        by=loading.steward, approver=loading.approver, at=loading.at, reason=loading.reason,
    )  # fmt: skip
    _tell(loading, declared)


def _tell(loading: Loading, declared: Declared) -> None:
    changed = dict(declared.changed)
    window = [changed.pop(name) for name in ("window_opens", "window_closes") if name in changed]
    if window:
        before, after = ("-".join(amounts.words("", side) for side in sides) if any(sides) else None for sides in zip(*window, strict=True))
        changed["backup_window"] = (before, after)
    number = declared.row.versions.approved().order_by("-number").values_list("number", flat=True).first()
    loading.tell(f"service {declared.row.code}, version {number}", Declared(declared.row, declared.made, changed), LABELS)


def _short_name(wish: dict[str, Any]) -> dict[str, str]:
    return {"short_name": wish["name"]} if len(wish["name"]) <= 22 else {}


def _commitment(promises: dict[str, Any]) -> dict[str, Any]:
    found = {
        field: None if promises[name] is None else make(promises[name]) for name, (field, make) in _PROMISES.items() if name in promises
    }
    if "backup_window" in promises:
        opens, closes = amounts.span(promises["backup_window"]) if promises["backup_window"] else (None, None)
        found |= {"window_opens": opens, "window_closes": closes}
    return found


def _declare_window(loading: Loading, place: Place, wish: dict[str, Any], said: dict[str, Any]) -> None:
    (service,) = loading.find(Service, "services", wish["service"])
    starts_at, ends_at = amounts.instant(wish["starts_at"]), amounts.instant(wish["ends_at"])
    title = f"maintenance of {service.code} from {amounts.words('', starts_at)}"
    if starts_at < ends_at <= loading.at and not Window.objects.filter(service=service, starts_at=starts_at).exists():
        loading.notes.append(f"Left out: {title} is over already and would excuse nothing.")
        return
    declared = declaring.declare_window(**said, service=service, starts_at=starts_at, ends_at=ends_at, purpose=wish["purpose"])
    loading.tell(title, declared, LABELS)
