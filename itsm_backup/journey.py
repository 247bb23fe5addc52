"""The story of the product: what tools said becomes runs, runs meet commitments, and what follows follows."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from catalogue import propagating
from catalogue.models import ServiceStatus
from incidents import closing, continuing, delivering, escalating, nominating, opening, recurring, reminding, resolving, reweighing
from itsm_backup.common import outbox
from itsm_backup.common.time import now
from monitoring import alerting, answers, correlation, evaluation, intake, noticing, rereading, settling, silence
from monitoring.carrying import each
from monitoring.models import BackupJob, JobState, ServiceState, ToolState

log = logging.getLogger(__name__)
Stage = Callable[..., int]
LOCK = 7_315_001  # one journey at a time; a second worker has nothing to add
MOST_ROUNDS = 200


def read_waiting(*, at: dt.datetime) -> int:
    """Answers that were kept but not read, because their reader died."""
    return each(answers.unread(), lambda pk: intake.read_again(answer_id=pk, at=at), "reading answer")


STAGES: dict[str, Stage] = {
    "notice": noticing.notice_changes,  # what people changed       → marks
    "read": read_waiting,  # what tools said            → BackupRun, RestorePoint
    "reread": rereading.reread_waiting,  # quarantine, new readers   → BackupRun
    "link": correlation.attribute_jobs,  # job                        → catalogue entry
    "settle": settling.settle_jobs,  # what was due               → ExpectedRun, job alerts
    "listen": silence.judge_tools,  # a tool that fell silent    → one alert
    "judge": evaluation.judge_services,  # commitment v. measurement  → Evaluation, ServiceStatus
    "propagate": propagating.propagate,  # a status, a relation      → who is affected
    "alert": alerting.follow_services,  # breach                     → Alert
    "open": opening.open_for_alerts,  # Alert                      → Incident, one per cause
    "continue": continuing.tell_repeats,  # it goes on happening   → the story says so
    "resolve": resolving.resolve_on_evidence,  # evidence               → Incident resolved
    "weigh": reweighing.weigh_changed,  # what changed since        → priority, targets
    "propose": nominating.propose_candidates,  # grave enough         → candidate of a major incident
    "remind": reminding.remind_due,  # an update is overdue   → whoever tells of it is reminded
    "close": closing.close_settled,  # over for five days        → closed
    "study": recurring.study_incidents,  # it comes again           → problem proposed
    "escalate": escalating.tell_due,  # nobody acknowledged        → the next level is told
}


def advance(*, at: dt.datetime | None = None) -> dict[str, int]:
    """Carry every waiting fact on, until nothing waits; returns how much each stage did. Safe at any time, twice, by two workers.

    Without `at`, every round takes the present instant. A stage that fails is logged and does not stop the others.
    """
    done = dict.fromkeys([*STAGES, "send"], 0)
    with _alone() as alone:
        for _ in range(MOST_ROUNDS if alone else 0):
            moved = {name: _run(name, stage, at or now()) for name, stage in STAGES.items()}
            for name, count in moved.items():
                done[name] += count
            if not any(moved.values()):
                break
    # Outside the lock: a slow mail server must not hold up judgements, and claims keep two senders apart.
    while sent := _run("send", outbox.send_waiting, at or now()):
        done["send"] += sent
    while sent := _run("send", delivering.send, at or now()):
        done["send"] += sent
    return done


def look_at_everything(*, at: dt.datetime) -> None:
    """Have every job attributed and settled and every service judged again: the safety net under the marks."""
    BackupJob.objects.update(ruleset=0)
    JobState.objects.filter(touched_at=None).update(touched_at=at)
    ServiceState.objects.update(next_judgement_at=at)
    propagating.look_again(ServiceStatus.objects.values_list("pk", flat=True)[:1], at)  # one mark has all of them looked at
    ToolState.objects.update(next_judgement_at=at)


def _run(name: str, stage: Stage, at: dt.datetime) -> int:
    try:
        return stage(at=at)
    except Exception:
        log.exception("The journey's stage %r failed; the other stages go on, and it is tried again.", name)
        return 0


@contextmanager
def _alone() -> Iterator[bool]:
    """Hold the journey's lock for as long as this connection lives and works; False when another worker has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        alone = cursor.fetchone()[0]
    try:
        yield alone
    finally:
        if alone and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
