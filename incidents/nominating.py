"""Which incidents are proposed as major ones: by rule, with the reasons in words, or by a person."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from incidents import announcing, feeling, prioritising
from incidents.finding_damage import BY_A_CHECK
from incidents.leading import leaders, name_of
from incidents.models import Incident, IncidentEntry, MajorIncident
from incidents.working import NotPossible
from itsm_backup.common.time import duration_words
from monitoring.carrying import each
from monitoring.models import Alert
from monitoring.models.alerts import OPEN_STATES

MANY, TIER, TIMES = 3, 1, 2  # so many services of this tier; copies older than so many times what is promised
AGAIN_AFTER = dt.timedelta(minutes=1)
BATCH, NAMED, MOST_TOLD = 50, 3, 20


def propose_candidates(*, at: dt.datetime) -> int:
    """Propose what a rule makes a candidate; returns how many. Looked at are open incidents of P1, each once a minute."""
    live = MajorIncident.objects.live().filter(incident=OuterRef("pk"))
    due = Q(major_looked_at=None) | Q(major_looked_at__lte=at - AGAIN_AFTER)
    rows = Incident.objects.open().filter(due, ~Exists(live), priority="P1").order_by("pk")
    return each(rows.values_list("pk", flat=True)[:BATCH], lambda pk: _look_at(pk, at), "looking whether it is a major incident")


def _look_at(incident_id: int, at: dt.datetime) -> bool:
    try:
        with transaction.atomic():
            rows = Incident.objects.open().select_for_update(skip_locked=True, of=("self",))
            incident = rows.filter(pk=incident_id, priority="P1").first()
            if incident is None:
                return False
            Incident.objects.filter(pk=incident_id).update(major_looked_at=at)
            reasons = reasons_of(incident, at=at)
            if not reasons or not _is_new(incident, reasons):
                return False
            _make(incident, reasons, None, at)
            return True
    except IntegrityError:
        return False  # somebody proposed it at the same moment


def reasons_of(incident: Incident, *, at: dt.datetime) -> list[dict[str, Any]]:
    """Why an incident of P1 is a candidate, each reason in words with the services that it stands on; empty where none does."""
    impact = feeling.impact_now(incident, at=at)
    return [*_many(impact), *_exposed(impact, at), *_damaged(incident)]


def _many(impact: dict[str, Any]) -> list[dict[str, Any]]:
    hit = [one for one in [*impact["services"], *impact["consumers"]] if one["tier"] == TIER]
    if len(hit) < MANY:
        return []
    how = "are hit, would stop or lose their backup" if any(one.get("only_backup") for one in hit) else "are hit or would stop"
    words = f"{len(hit)} services of tier {TIER} {how}: {_named([one['name'] for one in hit])}"
    return [{"rule": "many_of_tier_1", "words": words, "services": [one["service"] for one in hit]}]


def _exposed(impact: dict[str, Any], at: dt.datetime) -> list[dict[str, Any]]:
    """Services of tier 1, or that count as such, whose newest copy is older than twice what is promised."""
    found, told = [], []
    for one in impact["services"]:
        age_s = feeling.exposure_s(one, at=at)
        if one["effective_tier"] != TIER or not one["rpo_s"] or age_s is None or age_s <= TIMES * one["rpo_s"]:
            continue
        found.append(one["service"])
        told.append(f"{one['name']} {duration_words(age_s)}, promised {duration_words(one['rpo_s'])}")
    words = f"copies of tier {TIER} are older than {TIMES} times their promise: {_named(told, '; ')}"
    return [{"rule": "exposure_of_tier_1", "words": words, "services": found}] if found else []


def _damaged(incident: Incident) -> list[dict[str, Any]]:
    """Copies that no longer are what was saved: that may be tampering, and somebody has to say whether it is."""
    alerts = Alert.objects.filter(BY_A_CHECK, incident_alert__incident=incident, state__in=OPEN_STATES)
    services = prioritising.services_of(alerts)
    words = f"copies are damaged, which may be tampering: {_named([prioritising.name_of(pk) for pk in services])}"
    return [{"rule": "damaged_copies", "words": words, "services": services}] if services else []


def _named(names: list[str], between: str = ", ") -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return between.join(names[:NAMED]) + more


def _is_new(incident: Incident, reasons: list[dict[str, Any]]) -> bool:
    """Whether a reason, or a service that it stands on, was not known when somebody rejected it."""
    rejected = MajorIncident.objects.filter(incident=incident, state="rejected").values_list("because", flat=True)
    known = {(one["rule"], service) for because in rejected for one in because for service in one["services"]}
    return any((one["rule"], service) not in known for one in reasons for service in one["services"])


def propose(*, incident: Incident, reason: str, by: Any, at: dt.datetime) -> MajorIncident:
    """A person proposes it. Raises NotPossible without a reason, for what is over, and for what is proposed or declared already."""
    if not reason.strip():
        raise NotPossible(f"Say why {incident.number} is a major incident.")
    try:
        with transaction.atomic():
            incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
            if not incident.is_open:
                raise NotPossible(f"{incident.number} is {incident.get_state_display().lower()}. Only what is open is proposed.")
            return _make(incident, [{"rule": "person", "words": reason.strip(), "services": []}], by, at)
    except IntegrityError:
        current = MajorIncident.objects.live().get(incident=incident)
        raise NotPossible(f"{incident.number} is {current.get_state_display().lower()} as {current.number} already.") from None


def _make(incident: Incident, reasons: list[dict[str, Any]], by: Any, at: dt.datetime) -> MajorIncident:
    major = MajorIncident.objects.create(incident=incident, because=reasons, proposed_by=by, proposed_at=at, updated_at=at)
    told = "; ".join(one["words"] for one in reasons)
    text = f"{major.number} proposed as a major incident{f' by {name_of(by)}' if by else ''}: {told}"
    IncidentEntry.objects.create(incident=incident, at=at, kind="major", text=text, by=by)
    people = [one for one in leaders()[:MOST_TOLD] if Incident.objects.visible_to(one).filter(pk=incident.pk).exists()]
    announcing.announce_major(major=major, kind="proposed", people=people, at=at, because=told)
    return major
