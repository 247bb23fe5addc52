"""One review: what was on record, whether the catalogue was right, what was learned, what is done about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import OuterRef, Subquery
from django.urls import NoReverseMatch
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue.models import Service, ServiceVersion
from incidents import assigning, disclosing, following_up, proposing, reviewing
from incidents.models import EntryProposal, Incident, PostIncidentReview, ReviewAction, ReviewAnswer
from itsm_backup.common.time import duration_words, parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.incident_page import A_MINUTE, Story
from itsm_backup.portal.review_list import known_then
from itsm_backup.portal.review_stood import Stood, stood_of, written
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.words import apart, clock, day, many, person, recent

CHANGE, PUBLISH = "incidents.change_postincidentreview", "incidents.publish_postincidentreview"
MOST = 200
WORDS = {"yes": ("kept", "Yes"), "no": ("broken", "No"), "unknown": ("no_data", "Not known"), "": ("no_data", "Not answered yet")}
SAYS = {"yes": "The data say yes", "no": "The data say no", "unknown": "The data do not tell"}
HINTS = {
    "cause": ("What caused it", "Why it happened, not who did it."),
    "factors": ("What contributed", "What made it likelier, longer or worse."),
    "went_well": ("What went well", ""),
    "went_wrong": ("What went wrong", ""),
    "lucky": ("Where we had luck", "What would have made it worse and did not happen."),
}
STEPS = {  # act: words, what it does, whether a reason is asked for, the right that it takes
    "submit": ("Hand it in", "Somebody else reads and publishes it.", False, CHANGE),
    "publish": ("Publish it", "Those concerned are told, every no goes to the steward of the entry, and it is fixed.", False, PUBLISH),
    "send_back": ("Send it back", "Its authors go on with it.", True, PUBLISH),
    "decline": ("Do not review it", "", True, CHANGE),
    "correct": ("Correct it", "The next revision, a draft with what this one says.", True, CHANGE),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of the catalogue: what the data say, what a person said, what became of a no."""

    key: str
    words: str
    says: str  # what the data say
    because: str
    links: tuple[Link, ...]
    answer: str
    answered: tuple[str, str]
    note: str
    who: str
    entry: str
    was: str | None  # all that it says, as the form carries it
    proposal: Proposal | None


@dataclass(frozen=True, kw_only=True)
class Proposal:
    pk: int
    entry: Link
    text: str
    became: str
    version: Link | None
    may_answer: bool


@dataclass(frozen=True, kw_only=True)
class Action:
    pk: int
    what: str
    owner: str
    due: str
    verdict: str
    outcome: str
    may_end: bool
    may_hand: bool
    due_on: str
    owner_id: int


@dataclass(frozen=True, kw_only=True)
class Do:
    act: str
    words: str
    says: str
    needs_reason: bool


@dataclass(frozen=True, kw_only=True)
class ReviewPage:
    number: str
    title: str
    sentence: str
    incident: str
    facts: tuple[tuple[str, str | SafeString], ...]
    questions: tuple[Question, ...]
    entries: tuple[Choice, ...]
    texts: tuple[tuple[str, str, str, str], ...]  # name, label, value, hint
    actions: tuple[Action, ...]
    stood: tuple[Stood, ...]
    timeline: tuple[Story, ...]
    told: tuple[Story, ...]
    told_at: SafeString | str  # as of when, where that is later than what else is on record
    recorded: SafeString | str
    story: tuple[Story, ...]
    people: tuple[Choice, ...]
    may_write: bool
    may_add: bool
    may_start: bool
    steps: tuple[Do, ...]
    refusal: str
    other: Link | None  # the newest revision, where this is an earlier one


def find(*, number: str, user: Any, moment: Moment) -> Any:
    """The review if the user may read it and it was there at the moment, as it was then; else None."""
    told = Incident.objects.told_to(user).filter(pk=OuterRef("incident"))  # type: ignore[attr-defined]
    rows = known_then(user, moment).annotate(title=Subquery(told.values("told_title")[:1]))
    found = (
        rows.select_related("incident__service", "publisher")
        .defer("incident__impact_at_opening")
        .filter(pk=int(number.upper().removeprefix("PIR-")))
        .first()
    )
    if found is not None and moment.past:
        then = PostIncidentReview.history.filter(id=found.pk, history_date__lte=moment.at).order_by("-history_id").first()
        for name in ("state", "facts", "facts_at", "published_at", *reviewing.FIELDS):
            setattr(found, name, getattr(then, name))
    return found


def review_page(*, review: Any, user: Any, moment: Moment) -> ReviewPage:
    """The page of a review that `find` gave."""
    seen = disclosing.visible_services(review, user)
    facts = disclosing.facts_for(review, user)
    rights = {one: user.has_perm(one) and not moment.past for one in (CHANGE, PUBLISH)}
    answers, actions = _answers_then(review, moment), _actions_then(review, moment)
    writing = rights[CHANGE] and review.state == "draft"
    adding = rights[CHANGE] and review.state in ("draft", "in_review")
    questions = _questions(review, answers, seen, user, moment)
    newest = _newest(review, user, moment)
    return ReviewPage(
        number=review.number,
        title=review.title or review.incident.number,
        sentence=_sentence(questions, actions),
        incident=review.incident.number,
        facts=_facts(review, facts, moment),
        questions=questions,
        entries=tuple(Choice(value=one["code"], words=one["name"], chosen=False) for one in facts.get("services", [])),
        texts=tuple((name, label, getattr(review, name), hint) for name, (label, hint) in HINTS.items()),
        actions=tuple(_action(one, user, moment, rights[CHANGE]) for one in actions),
        stood=tuple(stood_of(one, moment) for one in facts.get("services", [])),
        timeline=tuple(_line(one, moment) for one in facts.get("timeline", [])),
        told=tuple(_line(one, moment) for one in facts.get("told", [])),
        told_at=recent(parse_instant(facts["told_at"]), moment) if facts.get("told_at") else "",
        recorded=recent(review.facts_at, moment) if review.facts_at else "",
        story=_story(review, moment),
        people=_people(review.incident, user) if adding or (rights[CHANGE] and any(one.state == "open" for one in actions)) else (),
        may_write=writing,
        may_add=adding,
        may_start=rights[CHANGE] and review.state in ("proposed", "declined"),
        steps=() if newest else _steps(review, rights, user, moment),
        refusal=_refusal(review, rights, user, moment),
        other=newest,
    )


def with_typed(page: ReviewPage, sent: Any) -> ReviewPage:
    """The page with the answers and notes that were sent and refused."""
    typed = tuple(
        replace(one, answer=sent.get(f"answer-{one.key}", one.answer), note=sent.get(f"note-{one.key}", one.note)) for one in page.questions
    )
    return replace(page, questions=typed)


def _answers_then(review: Any, moment: Moment) -> list[Any]:
    """The answers with `proposal`, as they were at the moment."""
    rows = review.answers.select_related("service", "answered_by").order_by("pk")
    if not moment.past:
        return list(rows)
    then = ReviewAnswer.history.filter(review=review, history_date__lte=moment.at).order_by("id", "-history_id").distinct("id")
    return [one.instance for one in then]


def _actions_then(review: Any, moment: Moment) -> list[ReviewAction]:
    """Those of every revision, by their day."""
    rows = ReviewAction.objects.filter(review__incident=review.incident).select_related("owner", "review").order_by("due_on", "pk")
    if not moment.past:
        return list(rows)
    mine = {"review__incident": review.incident_id, "history_date__lte": moment.at}
    then = ReviewAction.history.filter(**mine).order_by("id", "-history_id").distinct("id")
    return sorted((one.instance for one in then), key=lambda one: (one.due_on, one.pk))


def _sentence(questions: tuple[Question, ...], actions: list[ReviewAction]) -> str:
    if not questions:
        return "It has not been reviewed yet."
    wrong, silent, unknown = (sum(one.answer == answer for one in questions) for answer in ("no", "", "unknown"))
    told = (
        f"The catalogue was not right in {wrong} of {len(questions)} questions." if wrong else "Nothing in the catalogue was found wrong."
    )
    if unknown and not wrong:
        told = f"Of {unknown} of {len(questions)} questions nothing is known; in the others the catalogue was right."
        told = "Nothing is known of whether the catalogue was right." if unknown == len(questions) else told
    if silent:
        told = f"{many(silent, 'question is', 'questions are')} not answered yet."
    late = sum(one.state == "open" for one in actions)
    return f"{told} {many(late, 'action is', 'actions are')} open." if late else told


def _facts(review: Any, facts: dict[str, Any], moment: Moment) -> tuple[tuple[str, str | SafeString], ...]:
    link = format_html('<a href="{}">{}</a>', moment.href("incident", review.incident.number), review.incident.number)
    told: list[tuple[str, str | SafeString]] = [
        ("State", PostIncidentReview.State(review.state).label + (f", revision {review.revision}" if review.revision > 1 else "")),
        ("Incident", link),
        ("Priority", review.incident.priority + (", has to be reviewed" if review.required else "")),
    ]
    if facts:
        began_at, known_at = (parse_instant(facts.get(name) or facts["since"]) for name in ("began_at", "known_at"))
        told.append(("Began", recent(began_at, moment)))
        if known_at - began_at >= A_MINUTE:
            told.append(("Opened", recent(known_at, moment)))
        told.append(("Lasted", duration_words((parse_instant(facts["until"]) - began_at).total_seconds())))
    authors = get_user_model().objects.filter(pk__in=review.author_ids).order_by("pk") if review.author_ids else []
    if names := ", ".join(person(one) for one in authors):
        told.append(("Written by", names))
    if review.state == "published":
        told.append(("Published", format_html("{} by {}", recent(review.published_at, moment), person(review.publisher))))
    return tuple(told)


def _questions(review: Any, answers: list[Any], seen: set[int], user: Any, moment: Moment) -> tuple[Question, ...]:
    asked = EntryProposal.objects.filter(incident=review.incident, made_at__lte=moment.at).select_related("service", "version")
    asked = asked.filter(service__in=Service.objects.visible_to(user)) if answers else asked.none()
    proposals = {one.question: one for one in asked}
    mine = set()
    if any(one.state == "open" for one in proposals.values()) and not moment.past:
        wanted = [one.service_id for one in proposals.values()]
        mine = set(Service.objects.visible_to(user, "change").filter(pk__in=wanted).values_list("pk", flat=True))
    drafted = [one.version_id for one in proposals.values() if one.version_id]
    versions = ServiceVersion.objects.filter(pk__in=drafted).read_by(user, at=moment.at, past=moment.past) if drafted else ()
    readable = {one.pk for one in versions}
    found = []
    for one in answers:
        one.review, is_open = review, disclosing.is_open(one, seen)
        asked_of = proposals.get(one.question) if one.answer == "no" else None
        proposal = _proposal(asked_of, mine, readable, moment) if asked_of else None
        found.append(
            Question(
                key=one.question, words=one.get_question_display(), says=SAYS[one.proposed],
                because=disclosing.reason_for(one, seen), links=_links(one, moment) if is_open else (), answer=one.answer,
                answered=WORDS[one.answer], note=one.note if is_open else "", who=person(one.answered_by) if one.answered_by else "",
                entry=one.service.code if one.service and is_open else "",
                was="|".join(reviewing.stands(one).values()) if is_open else None, proposal=proposal,
            )
        )  # fmt: skip
    return tuple(found)


def _links(answer: Any, moment: Moment) -> tuple[Link, ...]:
    """Where the reason can be read; what has moved since is left out."""
    found = []
    for one in answer.links:
        try:
            found.append(Link(one["words"], moment.href(one["page"], *one["args"])))
        except NoReverseMatch:
            continue
    return tuple(found)


def _proposal(one: EntryProposal, mine: set[int], readable: set[int], moment: Moment) -> Proposal:
    version = one.version if one.version_id in readable else None
    return Proposal(
        pk=one.pk,
        entry=Link(one.service.code, moment.href("versions", one.service.code)),
        text=one.text,
        became=proposing.became(one),
        version=Link(f"Version {version.number}", moment.href("version", one.service.code, version.number)) if version else None,
        may_answer=one.state == "open" and one.service_id in mine,
    )


def _action(one: ReviewAction, user: Any, moment: Moment, may_change: bool) -> Action:
    late = one.state == "open" and one.due_on < moment.at.date()
    verdict = "broken" if late else {"open": "held", "done": "kept", "cancelled": "no_data"}[one.state]
    state = "Late, due" if late else "Due" if one.state == "open" else f"{one.get_state_display()}, was due"
    may = not moment.past and one.state == "open" and (may_change or one.owner_id == user.pk)
    return Action(
        pk=one.pk, what=one.what, owner=person(one.owner), due=f"{state} {day(one.due_on)}", verdict=verdict, outcome=one.outcome,
        may_end=may and following_up.may_end(one, user), may_hand=may and may_change, due_on=one.due_on.isoformat(), owner_id=one.owner_id,
    )  # fmt: skip


def _line(one: dict[str, Any], moment: Moment) -> Story:
    return Story(when=clock(parse_instant(one["at"]), moment), text=one["text"], who=one.get("who") or _became(one))


def _became(one: dict[str, Any]) -> str:
    """What was known of the mails behind a line when it was put on record; one of an earlier version of the product has no `fate`."""
    if "sent_at" not in one:
        return ""
    sent = f"Sent {written(one['sent_at'])}" if one["sent_at"] else "Not sent"
    fate = one.get("fate", {})
    if not fate.get("waiting") and (not fate.get("lost") or not fate["taken"]):
        return sent
    if sum(fate.values()) == 1:
        return "On its way"
    parts = [f"{fate[name]} {words}" for name, words in (("waiting", "on their way"), ("lost", "not sent")) if fate[name]]
    return ", ".join([f"{fate['taken']} of {sum(fate.values())} taken by the mail server", *parts])


def _story(review: Any, moment: Moment) -> tuple[Story, ...]:
    rows = review.history.filter(history_date__lte=moment.at).select_related("history_user").order_by("-history_id")[:MOST]
    return tuple(
        Story(
            when=clock(row.history_date, moment), text=row.history_change_reason, who=person(row.history_user) if row.history_user else ""
        )
        for row in rows
    )


def _people(incident: Any, user: Any) -> tuple[Choice, ...]:
    """Who can be given an action, by name: who may see the incident."""
    rows = assigning.readers_of(incident)[:MOST]
    return tuple(Choice(value=str(one.pk), words=name, chosen=one.pk == user.pk) for one, name in apart(rows))


def _newest(review: Any, user: Any, moment: Moment) -> Link | None:
    rows = PostIncidentReview.objects.visible_to(user).filter(incident=review.incident, revision__gt=review.revision)
    later = rows.filter(proposed_at__lte=moment.at).order_by("-revision").first()
    return Link(f"{later.number}, revision {later.revision}", moment.href("review", later.number)) if later else None


def _steps(review: Any, rights: dict[str, bool], user: Any, moment: Moment) -> tuple[Do, ...]:
    found = []
    for act, (words, says, needs_reason, right) in STEPS.items():
        sources = ("published",) if act == "correct" else reviewing.TRANSITIONS[act][0]
        barred = act == "publish" and reviewing.refusal(review, user, moment.at)
        if review.state in sources and rights[right] and not barred and not (act == "decline" and review.required):
            found.append(Do(act=act, words=words, says=says, needs_reason=needs_reason))
    return tuple(found)


def _refusal(review: Any, rights: dict[str, bool], user: Any, moment: Moment) -> str:
    """Why there is nothing to do, or not the one thing that is next."""
    if moment.past:
        return "You are looking at the past."
    if review.state == "in_review":
        return (
            reviewing.refusal(review, user, moment.at)
            if rights[PUBLISH]
            else "Who did not write it publishes it: an operator, incident manager or change manager."
        )
    return "" if rights[CHANGE] or review.state == "published" else "Operators work on reviews."
