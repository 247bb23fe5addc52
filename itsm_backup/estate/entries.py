"""Teams, services, relations and maintenance windows, as an estate file states them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model

from catalogue import declaring
from catalogue.checking import UNMEASURED
from catalogue.counted_days import calendar_of
from catalogue.declaring import Declared
from catalogue.models import AgreementVersion, Relation, Service, Team, Window
from itsm_backup.estate import amounts
from itsm_backup.estate.reading import Place
from monitoring.capability import measured

if TYPE_CHECKING:
    from itsm_backup.estate.loading import Loading

_AS_WRITTEN = ("name", "short_name", "summary", "department", "application_type", "labels", "tier", "zone",
               "kind", "hosting", "provider", "regions", "supplier", "regulations", "escalation_policy", "change_reference")  # fmt: skip
_PROMISES = {
    "rpo": ("rpo_s", amounts.seconds),
    "rto": ("rto_s", amounts.seconds),
    "retention": ("retention_days", amounts.days),
    "success_rate": ("success_rate", amounts.share),
    "on_time_rate": ("on_time_rate", amounts.share),
    "measurement_calendar": ("measurement_calendar", lambda text: calendar_of(text).text),
    "restore_test_every": ("restore_test_days", amounts.days),
    "rpo_attainment": ("rpo_attainment_rate", amounts.share),
    "retention_min": ("retention_min_days", amounts.days),
    "retention_max": ("retention_max_days", amounts.days),
    "immutability": ("immutability_days", amounts.days),
    "copy_scheme": ("copy_scheme", str),
    "encryption": ("encryption", str),
}
_LEVELS = {name: _PROMISES[name] for name in ("rpo", "rto", "retention", "success_rate")}
LABELS = {
    "rpo_s": "recovery point",
    "rto_s": "recovery time",
    "retention_days": "retention",
    "restore_test_days": "restore test every",
    "zone": "time zone",
    "rpo_attainment_rate": "time within the recovery point",
    "retention_min_days": "kept at least",
    "retention_max_days": "kept at most",
    "immutability_days": "copies locked for",
    "mtpd_s": "longest tolerable outage",
    "tolerated_loss_s": "tolerable data loss",
    "wrt_s": "work after recovery",
    "mbco": "least acceptable operation",
    "review_due_on": "review due",
    "from_on": "in force from",
    "until_on": "in force until",
    "email": "e-mail",
    "ends_at": "until",
}


def declare_catalogue(loading: Loading) -> None:
    """Everything of the catalogue that the file names, by the steward; versions approved by the approver."""
    said = {"by": loading.steward, "at": loading.at, "reason": loading.reason}
    for place, wish in loading.each("teams"):
        with loading.item(place):
            loading.tell(f"team {wish['name']}", declaring.declare_team(**said, name=wish["name"], email=wish["email"]), LABELS)
    for place, wish in loading.each("labels"):
        with loading.item(place):
            loading.tell(f"label {wish['word']}", declaring.declare_label(**said, word=wish["word"], meaning=wish["meaning"]), LABELS)
    for place, wish in loading.each("agreements"):
        with loading.item(place):
            _declare_agreement(loading, wish, said)
    for place, wish in loading.each("services"):
        with loading.item(place):
            _declare_service(loading, wish)
    for place, wish in loading.each("impact_analyses"):
        with loading.item(place):
            _declare_analysis(loading, wish, said)
    for place, wish in loading.each("relations"):
        with loading.item(place):
            kind, strength = wish.get("kind", Relation.Kind.DEPENDS_ON), wish.get("strength", Relation.Strength.HARD)
            consumer, provider = _ends(loading, wish)
            declared = declaring.declare_relation(**said, consumer=consumer, provider=provider, kind=kind, strength=strength)
            loading.tell(f"relation {consumer.code} {Relation.Kind(kind).label} {provider.code}", declared, LABELS)
    for place, wish in loading.each("maintenance_windows"):
        with loading.item(place):
            _declare_window(loading, place, wish, said)


def _declare_agreement(loading: Loading, wish: dict[str, Any], said: dict[str, Any]) -> None:
    content = {field: make(wish[name]) for name, (field, make) in _LEVELS.items() if name in wish}
    content |= {field: _day(wish[name]) for name, field in (("starts", "from_on"), ("ends", "until_on")) if name in wish}
    content |= {"text": wish["text"]} if "text" in wish else {}
    declared = declaring.declare_agreement(
        **said, name=wish["name"], kind=wish["kind"], party=wish["party"], content=content, approver=loading.approver
    )  # fmt: skip
    loading.tell(f"agreement {wish['name']}, version {declared.row.number}", declared, LABELS)


def _declare_analysis(loading: Loading, wish: dict[str, Any], said: dict[str, Any]) -> None:
    (service,) = loading.find(Service, "services", wish["service"])
    content: dict[str, Any] = {f"{name}_s": amounts.seconds(wish[name]) for name in ("mtpd", "tolerated_loss", "wrt") if name in wish}
    content |= {"review_due_on": _day(wish["review_due"])} | ({"mbco": wish["mbco"]} if "mbco" in wish else {})
    declared = declaring.declare_analysis(**said, service=service, content=content, approver=loading.approver)
    loading.tell(f"impact analysis {declared.row.number} of {service.code}", declared, LABELS)


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is no date that exists.") from None


def _agreed(name: str, kind: str) -> AgreementVersion:
    """The newest approved version of the agreement. Raises ValueError when there is none of this kind."""
    rows = AgreementVersion.objects.filter(agreement__name=name, agreement__kind=kind, state="approved")
    found = rows.select_related("agreement").order_by("-number").first()
    if found is None:
        raise ValueError(f"There is no agreement {name} of the kind {kind}. Declare it under agreements, or correct the name.")
    return found


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
    if "review_due" in wish:
        content["review_due_on"] = _day(wish["review_due"])
    content |= {kind: _agreed(wish[kind], kind) for kind in ("sla", "ola", "contract") if kind in wish}
    offerings = [_offering(each) for each in wish["offerings"]] if "offerings" in wish else None
    if service is None or not service.versions.exists():
        content = {"zone": zone, "commissioned_at": loading.at, "steward": loading.steward, **_short_name(wish), **content}
    declared = declaring.declare_service(
        code=wish["code"], content=content, commitment=commitment_of(wish.get("commitments", {})),
        by=loading.steward, approver=loading.approver, at=loading.at, reason=loading.reason, offerings=offerings,
        tier_defaults=wish.get("take_tier_defaults", False), measured=measured(service, loading.at) if service else UNMEASURED,
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


def _offering(wish: dict[str, Any]) -> dict[str, Any]:
    levels = {field: make(wish[name]) if name in wish else None for name, (field, make) in _LEVELS.items()}
    return {"name": wish["name"], "price": wish.get("price", ""), **levels}


def _short_name(wish: dict[str, Any]) -> dict[str, str]:
    return {"short_name": wish["name"]} if len(wish["name"]) <= 22 else {}


def commitment_of(promises: dict[str, Any]) -> dict[str, Any]:
    """The promises of a file as fields of a commitment."""
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
