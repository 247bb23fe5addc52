"""Why something is what it is: the answer, five references, the arithmetic, and the same once more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString

from catalogue.models import Propagation, Service
from incidents.explaining import NotExplained, evaluation_of, explain_incident, opening_alert
from incidents.models import Incident
from itsm_backup.common.time import parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.method_pages import href_of as method_href
from itsm_backup.portal.words import OUTCOME_VERDICTS, STANDS, clock, instant, many
from monitoring import tracing
from monitoring.explaining import Explanation, explain, plainly
from monitoring.models import Alert, Evaluation, Figure
from monitoring.naming import Plain, plains_for, throughout
from monitoring.repeating import Repetition, repeat

KINDS = ("status", "alert", "incident", "figure", "evaluation", "propagation")
MOST_RUNS = 8
Matched = tuple[str, str, str]  # title, what is counted, what is said where there is none
MATCHED: Matched = ("Matched to this entry by", "rule", "No rule: nothing is mapped to it.")
THROUGH: Matched = ("Reached through", "relation", "No relation leads there any more, or nothing bad comes over it.")
JUDGED = ("service", "version__service", "version__commitment", "version__approver", "tool")


@dataclass(frozen=True, kw_only=True)
class RunLine:
    run: Link
    when: SafeString
    result: str
    raw: Link | None = None  # what the tool said, where it is kept


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One of the five: runs, rule, mapping, promise, arithmetic."""

    title: str
    link: Link | None = None
    lines: tuple[str, ...] = ()
    runs: tuple[RunLine, ...] = ()
    sums: tuple[str, ...] = ()
    methods: tuple[Link, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Again:
    """What judging once more gave: from the stored inputs, and from the runs as they are now."""

    agrees: bool
    sentence: str
    from_inputs: str
    from_runs: str
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExplainPage:
    question: str
    answer: str
    verdict: str
    subject: Link | None
    references: tuple[Reference, ...]
    record: str  # first characters of the hash
    judged: SafeString
    href: str
    again_href: str
    cite: str
    again: Again | None = None


@dataclass(frozen=True)
class Found:
    """What is to be explained: its judgement, the alert it is about, and the words to ask with."""

    kind: str
    key: str
    evaluation: Evaluation
    alert: Alert | None = None
    incident: Incident | None = None
    step: Propagation | None = None
    user: Any = None  # who asks


def find(*, kind: str, key: str, user: Any, moment: Moment) -> Found | None:
    """What the user may see under this kind and number (a service's code for a status); None when there is no such thing for them.

    Raises NotExplained when it exists but nothing is judged yet.
    """
    if kind == "status":
        service = Service.objects.visible_to(user).filter(code=key).first()
        if service is None:
            return None
        judged = Evaluation.objects.filter(service=service, at__lte=moment.at).select_related(*JUDGED).order_by("-at", "-pk").first()
        if judged is None:
            raise NotExplained(f"{key} is not judged yet; that happens within seconds after a job is mapped to it.")
        return Found(kind, key, judged)
    if not key.isdigit() or len(key) > 18:
        return None
    finders = {"alert": _alert, "incident": _incident, "figure": _figure, "evaluation": _evaluation, "propagation": _propagation}
    return finders[kind](int(key), user)


def _alert(pk: int, user: Any) -> Found | None:
    alert = Alert.objects.visible_to(user).filter(pk=pk).select_related(*(f"evaluation__{name}" for name in JUDGED)).first()
    return Found("alert", str(pk), evaluation_of(alert), alert) if alert else None


def _incident(pk: int, user: Any) -> Found | None:
    incident = Incident.objects.visible_to(user).filter(pk=pk).first()
    if incident is None:
        return None
    alert = opening_alert(incident)
    if not Alert.objects.visible_to(user).filter(pk=alert.pk).exists():
        raise NotExplained(f"{incident.number} was opened by an alert about something that you may not see.")
    return Found("incident", str(pk), evaluation_of(alert), alert, incident, user=user)


def _figure(pk: int, user: Any) -> Found | None:
    figure = (
        Figure.objects.visible_to(user)
        .filter(pk=pk, evaluation__isnull=False)
        .select_related(*(f"evaluation__{name}" for name in JUDGED))
        .first()
    )
    return Found("figure", str(pk), figure.evaluation) if figure else None


def _evaluation(pk: int, user: Any) -> Found | None:
    judged = Evaluation.objects.visible_to(user).filter(pk=pk).select_related(*JUDGED).first()
    return Found("evaluation", str(pk), judged) if judged else None


def _propagation(pk: int, user: Any) -> Found | None:
    step = Propagation.objects.visible_to(user).filter(pk=pk).first()
    if step is None:
        return None
    cause = tracing.cause_of(step)
    if cause is None:
        raise NotExplained("The service that affects it is not judged, so there is nothing to work out.")
    if not Service.objects.visible_to(user).filter(pk=cause.service_id).exists():
        raise NotExplained("It is affected by a service that you may not see.")
    return Found("propagation", str(pk), cause, step=step)


def _told(found: Found) -> Explanation:
    if found.step:
        return tracing.explain_step(found.step, found.evaluation)
    return explain_incident(found.incident, user=found.user) if found.incident else explain(found.evaluation, alert=found.alert)


def plain_of(found: Found, user: Any) -> Plain | None:
    """What leaves names of tools, storage and hosts out of it, for those who are not told them."""
    owner = (found.evaluation.service_id, found.evaluation.tool_id)
    return plains_for(user, [owner])(owner)


def explain_page(*, found: Found, moment: Moment, again: bool = False, plain: Plain | None = None) -> ExplainPage:
    """The page of something that `find` gave; with `again` it is worked out anew, twice. `plain` leaves names out of it."""
    evaluation, told = found.evaluation, plainly(_told(found), plain)
    href = moment.href("explain", found.kind, found.key)
    permanent = (found.kind, found.key) if found.kind in ("alert", "propagation") else ("evaluation", str(evaluation.pk))
    return ExplainPage(
        question=_question(found),
        answer=told.answer,
        verdict=_coloured(found, told.verdict),
        subject=_subject(found, moment),
        references=_references(told, evaluation, moment, THROUGH if found.step else MATCHED),
        record=f"{told.digest[:4]} {told.digest[4:8]}",
        judged=instant(found.step.at if found.step else evaluation.at),
        href=href,
        again_href=reverse("portal:explain_again", args=[found.kind, found.key]),
        cite=settings.BASE_URL + reverse("portal:explain", args=permanent),
        again=_again(found, plain) if again else None,
    )


def _subject(found: Found, moment: Moment) -> Link | None:
    if found.step:
        return Link(found.step.inputs["service"], moment.href("service", found.step.inputs["service"]))
    version = found.evaluation.version
    return Link(version.name, moment.href("service", version.service.code)) if version else None


def _coloured(found: Found, verdict: str) -> str:
    """An alert or incident that is not over is never shown as good, also where the promise itself is still kept."""
    subject = found.incident or found.alert
    is_over = subject is None or subject.resolved_at is not None
    return "at_risk" if not is_over and verdict in ("kept", "held") else verdict


def _question(found: Found) -> str:
    if found.incident:
        return f"Why is there {found.incident.number}?"
    if found.alert:
        return f"Why was this alert raised: {found.alert.get_alert_class_display().lower()}?"
    if found.step:
        return "Why is it affected?" if found.step.status else "Why is it not affected any more?"
    if found.evaluation.service_id is None:
        return "Why is the tool silent?" if found.evaluation.result.get("silent") else "Why does the tool count as answering?"
    return f"Why {STANDS[found.evaluation.status]}?"


def _references(told: Explanation, evaluation: Evaluation, moment: Moment, matched: Matched) -> tuple[Reference, ...]:
    runs = told.runs[-MOST_RUNS:]
    service = evaluation.version.service if evaluation.version else None
    every = Link(f"all runs, {len(told.runs)} read", moment.href("runs", service.code)) if service else None
    mapped = tuple(f"{one.title}: {one.text}{_decided(one)}" for one in told.mapping) or (matched[2],)
    return (
        Reference(
            title="Runs read",
            link=every,
            runs=tuple(_run_line(run, moment) for run in runs),
            lines=() if runs else ("No run was read.",),
        ),
        Reference(
            title="Rule applied", link=_version(told.rule.version), lines=(f"{told.rule.title}. {told.rule.text}{_decided(told.rule)}",)
        ),
        Reference(title=matched[0], link=Link(many(len(told.mapping), matched[1]), ""), lines=mapped),
        Reference(
            title="Promise read",
            link=Link(f"entry version {told.promise.version}", moment.href("service", service.code) + "#history") if service else None,
            lines=(f"{told.promise.title}: {told.promise.text}{_decided(told.promise)}",),
        ),
        Reference(
            title="Arithmetic",
            link=None if told.methods else Link(told.method, ""),
            methods=tuple(Link(one, method_href(*one.split(" version "), moment)) for one in told.methods),
            sums=tuple(told.arithmetic) or ("Nothing was measured.",),
        ),
        *_priority(told, moment),
    )


def _priority(told: Explanation, moment: Moment) -> tuple[Reference, ...]:
    """Of an incident, what leads from the promise to its priority."""
    if not told.priority:
        return ()
    method = Link("BM-PRIO version 1", method_href("BM-PRIO", "1", moment))
    return (Reference(title="From the promise to the priority", methods=(method,), sums=tuple(told.priority)),)


def _run_line(run: Any, moment: Moment) -> RunLine:
    result = OUTCOME_VERDICTS[run.outcome][1] if run.outcome in OUTCOME_VERDICTS else run.outcome.capitalize()
    first = run.message.splitlines()[0] if run.message else ""
    message = f", {first if len(first) <= 60 else first[:59].rstrip() + '…'}" if first else ""
    return RunLine(
        run=Link(f"run {run.run}", moment.href("run", run.run)),
        when=clock(parse_instant(run.occurred_at), moment),
        result=result + message,
        raw=Link("what the tool said", moment.href("run", run.run) + "#raw-title") if run.answer_is_kept else None,
    )


def _version(history_id: int | None) -> Link | None:
    return Link(f"version {history_id}", "") if history_id else None


def _decided(reference: Any) -> str:
    """Since when it is in force, and by whom."""
    if not reference.since:
        return ""
    at = parse_instant(reference.since)
    return f" In force since {at.day} {at:%b %Y}" + (f", by {reference.by}." if reference.by else ".")


def _again(found: Found, plain: Plain | None) -> Again:
    done = tracing.repeat_step(found.step) if found.step else repeat(found.evaluation)
    repetition: Repetition = throughout(done, plain)
    facts = "the histories of relations and statuses" if found.step else "the runs as they are now"
    return Again(
        agrees=repetition.agrees,
        sentence=f"Both agree. {repetition.answer}" if repetition.agrees else f"It differs now. {repetition.answer}",
        from_inputs=f"From the stored inputs: {'the same' if repetition.from_inputs else 'different'}.",
        from_runs=f"From {facts}: {'the same' if repetition.from_runs else 'different'}.",
        differences=(*repetition.altered, *repetition.differences),
    )
