"""What of a review somebody may read: nothing of entries and alerts that are out of their sight."""

from __future__ import annotations

from typing import Any

from catalogue.models import Service
from incidents import withholding
from incidents.models import PostIncidentReview, ReviewAnswer
from monitoring.models import Alert

HIDDEN = "It is about an entry that you may not see."


def facts_for(review: PostIncidentReview, user: Any) -> dict[str, Any]:
    """The facts without lines about alerts, and without entries, that the user may not see; empty before it was drafted."""
    facts = review.facts
    if not facts:
        return {}
    lines = [*facts["timeline"], *facts["told"]]
    alerts = set(Alert.objects.visible_to(user).filter(pk__in={one["alert"] for one in lines if one["alert"]}).values_list("pk", flat=True))
    services = visible_services(review, user)

    def seen(line: dict[str, Any]) -> bool:
        return line["alert"] in (None, *alerts) and line.get("service") in (None, *services)

    plain = withholding.for_reader(user, [review.incident])
    return {
        **{name: facts[name] for name in ("since", "began_at", "known_at", "until", "acknowledged_at") if name in facts},
        "told_at": facts.get("told_at"),
        "timeline": [{**one, "text": plain(one["text"])} for one in facts["timeline"] if seen(one)],
        "told": [{**one, "text": plain(one["text"])} for one in facts["told"] if seen(one)],
        "services": [one for one in facts["services"] if one["service"] in services],
    }


def visible_services(review: PostIncidentReview, user: Any) -> set[int]:
    """Of the entries that the facts name, those that the user may see."""
    return set(Service.objects.visible_to(user).filter(pk__in=_named(review)).values_list("pk", flat=True))


def reason_for(answer: ReviewAnswer, seen: set[int]) -> str:
    """Why the data say so, for somebody who may see these services."""
    return answer.because if is_open(answer, seen) else HIDDEN


def is_open(answer: ReviewAnswer, seen: set[int]) -> bool:
    """Whether everything that the answer names is among these services."""
    if answer.service_id is not None and answer.service_id not in seen:
        return False
    return answer.question != ReviewAnswer.Question.DEPENDENCIES or _beside(answer.review) <= seen


def _named(review: PostIncidentReview) -> set[int]:
    return {one["service"] for one in review.facts.get("services", [])} | _beside(review)


def _beside(review: PostIncidentReview) -> set[int]:
    """What the words about dependencies name."""
    found = review.facts.get("dependencies", {"learned": [], "seen": []})
    return {one["service"] for one in found["learned"]} | {pk for one in found["seen"] for pk in one["services"]}
