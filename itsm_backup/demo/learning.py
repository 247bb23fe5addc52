"""What people made of incidents while the history went on: a major one, a problem, a known error, a review; by the product's own acts."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction

from incidents import following_up, knowing, leading, reviewing, solving, updating, working
from incidents.models import Incident, IncidentEntry, KnownError, MajorIncident, PostIncidentReview, Problem, ProblemEntry
from itsm_backup.demo import stories
from itsm_backup.demo.world import day_at

log = logging.getLogger(__name__)
LEARNING = Path(__file__).with_name("learning.yaml")
Said = dict[str, Any]
# By whom and when: what every act of a person is given.
Act = Callable[[Incident, Said, dict[str, Any]], Any]


@lru_cache(maxsize=1)
def deeds() -> list[Said]:
    return yaml.safe_load(LEARNING.read_text())


def looks(anchor_at: dt.datetime) -> list[dt.datetime]:
    """When the history is looked at because of them: while the pool was full, so that people knew what they did something about."""
    return [day_at(anchor_at, days_ago, dt.time.fromisoformat(time)) for days_ago, time in LOOKS]


# The grave time when it opened, when it had become one for a declaration, and when it was over; the day after next; the next time.
LOOKS = ((19, "09:42"), (19, "13:45"), (19, "16:45"), (17, "12:00"), (9, "14:00"), (9, "16:15"))


def learn(*, anchor_at: dt.datetime, since: dt.datetime, at: dt.datetime) -> int:
    """Have people do what they did after `since`, each at its own instant; returns how much they did.

    Nothing about an incident from before a shorter history began, nor what rests on it.
    """
    people = {person.username: person for person in get_user_model().objects.all()}
    done = 0
    for one in deeds():
        instant = day_at(anchor_at, one["days_ago"], dt.time.fromisoformat(one["time"]))
        incident = _incident(anchor_at, one["incident"]) if since < instant <= at else None
        if incident is None or _is_done(instant):
            continue
        try:
            with transaction.atomic():
                done += _do(one, incident, people, instant)
        except (working.NotPossible, ObjectDoesNotExist):  # the estate is worth more than a deed in it
            log.exception("What %s did on the demo's incident of %s days ago was refused; the load goes on.", one["by"], one["incident"])
    return done


def _do(one: Said, incident: Incident, people: dict[str, Any], at: dt.datetime) -> int:
    """What one line tells; returns how many acts found what they are about."""
    kind = next(kind for kind in _ACTS if kind in one)
    said = one[kind] if isinstance(one[kind], dict) else {"text": one[kind]}
    return _ACTS[kind](incident, {**said, "people": people}, {"by": people[one["by"]], "at": at}) is not None


def _incident(anchor_at: dt.datetime, days_ago: int) -> Incident | None:
    """The incident of the imaging pool that began on that day."""
    day = {"opened_at__gte": day_at(anchor_at, days_ago, dt.time()), "opened_at__lt": day_at(anchor_at, days_ago - 1, dt.time())}
    return Incident.objects.filter(incident_alerts__alert__job__tool__name=stories.FULL_POOL, **day).order_by("pk").first()


def _is_done(at: dt.datetime) -> bool:
    """Whether something stands on record of this instant: a load that was interrupted goes on behind what was done."""
    return (
        IncidentEntry.objects.filter(at=at, by__isnull=False).exists()
        or ProblemEntry.objects.filter(at=at, by__isnull=False).exists()
        or any(model.history.filter(history_date=at).exists() for model in (KnownError, PostIncidentReview))  # type: ignore[attr-defined]
    )


def _note(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    return working.note(incident=incident, text=said["text"], **by)


def _major(incident: Incident) -> MajorIncident:
    return incident.majors.latest("pk")


def _declare(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    people = {part: said["people"][said[part]] for part in ("manager", "communications_lead")}
    return leading.declare(major=_major(incident), interval_min=said["interval_min"], reason=said["reason"], **people, **by)


def _move_major(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    return leading.move(major=_major(incident), to=said["to"], reason="", **by)


def _draft_update(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    told = {name: said[name] for name in ("words", "details", "audiences")}
    return updating.draft(major=_major(incident), **told, **by)


def _send_update(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    draft = _major(incident).updates.get(state="draft")
    return updating.send(update=draft, read=updating.hash_of(draft), **by)


def _problem(incident: Incident) -> Problem | None:
    return Problem.objects.filter(problem_incidents__incident=incident).order_by("pk").first()


def _move_problem(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    problem = _problem(incident)
    return problem and solving.move(problem=problem, to=said["to"], reason="", **by)


def _write_problem(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    problem, texts = _problem(incident), {name: said[name] for name in solving.FIELDS if name in said}
    return problem and solving.write(problem=problem, **texts, **by)


def _draft_known_error(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    problem = _problem(incident)
    return problem and knowing.draft(source=problem, **by)


def _publish_known_error(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    draft = KnownError.objects.filter(problem=_problem(incident), state="draft").first()
    if draft is None:
        return None
    reason, texts = said["reason"], {name: said[name] for name in ("title", "symptom")}
    knowing.write(known_error=draft, reason=reason, **texts, **by)
    return knowing.move(known_error=draft, to="published", reason=reason, **by)


def _say_helped(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    suggested = knowing.suggestions_for(incident)
    return knowing.say(known_error=suggested[0].known_error, incident=incident, helped=True, **by) if suggested else None


def _review(incident: Incident) -> PostIncidentReview:
    return PostIncidentReview.objects.filter(incident=incident).latest("revision")


def _start_review(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    return reviewing.start(incident=incident, **by)


def _write_review(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    return reviewing.write(review=_review(incident), **{name: said[name] for name in reviewing.FIELDS if name in said}, **by)


def _answer_review(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    """What is said here, and what the data say to all other questions."""
    review = _review(incident)
    for row in review.answers.all():
        answer, note = said.get(row.question, (row.proposed, row.because if row.proposed == "no" else ""))
        reviewing.answer(review=review, question=row.question, said=answer, note=note, **by)
    return review


def _add_action(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    due_on = stories.local_day(by["at"]) + dt.timedelta(days=said["due_in_days"])
    return following_up.add(review=_review(incident), what=said["what"], owner=said["people"][said["owner"]], due_on=due_on, **by)


def _submit_review(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    return reviewing.submit(review=_review(incident), **by)


def _publish_review(incident: Incident, said: Said, by: dict[str, Any]) -> Any:
    return reviewing.publish(review=_review(incident), **by)


_ACTS: dict[str, Act] = {
    "note": _note, "declare": _declare, "move_major": _move_major, "draft_update": _draft_update, "send_update": _send_update,
    "move_problem": _move_problem, "write_problem": _write_problem, "draft_known_error": _draft_known_error,
    "publish_known_error": _publish_known_error, "helped": _say_helped, "start_review": _start_review, "write_review": _write_review,
    "answer_review": _answer_review, "add_action": _add_action, "submit_review": _submit_review, "publish_review": _publish_review,
}  # fmt: skip
