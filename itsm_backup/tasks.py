"""The heartbeat's tasks: ids in, one act out, safe to lose and to repeat."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings

from catalogue import attesting, batching, cmdb_relations, deviating, inventorying, reanalysing, retiring, telling_outward, working_through
from catalogue.models import Batch, Cmdb, ItemLink
from incidents import accepting, following_up, knowing
from itsm_backup import deadman, digesting, granting, health, journey
from itsm_backup.common.time import now
from itsm_backup.demo import feeding
from itsm_backup.own_database import keeping
from monitoring import calibrating, detecting, partitions, reconciling, sighting, standing_alerts, telling_onward, writing_back
from monitoring.capability import measured
from reporting import reconciling as recounting
from reporting import scheduling
from reporting.models import ReportSchedule

log = logging.getLogger(__name__)
MOST_ROUNDS = 50


@shared_task(name="itsm_backup.advance")
def advance() -> None:
    """One turn of the journey, sent by the heartbeat and by every intake."""
    _advance()
    health.beat("journey")


@shared_task(name="itsm_backup.show_life")
def show_life() -> None:
    """The sign of life of beat, which alone sends this, and of the worker, which does it."""
    health.beat("beat")
    health.beat("worker")


@shared_task(name="itsm_backup.own_database")
def own_database() -> None:
    """Dump our own database and test the restore when that is due."""
    for words in keeping.look_after(clock=now):
        log.info("Own database: %s", words)


@shared_task(name="itsm_backup.deadman")
def tell_deadman() -> None:
    """Tell the outside watcher that everything lives."""
    if settings.DEADMAN_URL:
        deadman.tell(url=settings.DEADMAN_URL, at=now())


@shared_task(name="itsm_backup.demo_feed")
def demo_feed() -> None:
    """Let the demo's tools go on telling; nothing where there is no demo."""
    if feeding.feed(at=now()):
        _advance()


@shared_task(name="itsm_backup.tend")
def tend() -> None:
    """Hourly care: partitions for what is to come, limited roles, relations that jobs and CMDBs tell of, changes behind entries, how often
    tools are asked, entries and accepted risks whose last day has come, reminders, and a look at everything that a lost mark could
    have left behind."""
    at = now()
    granting.refresh_scopes(at=at)
    partitions.ensure_partitions(at=at)
    sighting.see_relations(at=at)
    cmdb_relations.see_relations(at=at)
    detecting.detect_changes(at=at)
    retiring.retire_due(at=at)
    calibrating.recalculate(at=at)
    deviating.remind(at=at)
    reanalysing.remind(at=at)
    attesting.follow_owners(at=at)
    attesting.remind(at=at)
    following_up.remind(at=at)
    accepting.look_again(at=at)
    knowing.remind(at=at)
    batching.forget_unstarted(at=at)
    journey.look_at_everything(at=at)


@shared_task(name="itsm_backup.report_due")
def report_due() -> None:
    """Hand out the reports that are due, one task each."""
    for schedule_id in scheduling.claim_due(at=now()):
        report.apply_async((schedule_id,), expires=1500)


@shared_task(name="itsm_backup.report")
def report(schedule_id: int) -> None:
    scheduling.work(schedule=ReportSchedule.objects.get(pk=schedule_id), at=now())
    _advance()  # the mails go out


@shared_task(name="itsm_backup.follow_conditions")
def follow_conditions() -> None:
    """Bring the alerts of lasting conditions in line: damage, encryption, jobs without service, changed backups, error budgets."""
    if standing_alerts.follow_conditions(at=now()):
        _advance()


@shared_task(name="itsm_backup.digest")
def digest() -> None:
    """Make the digests whose hour has come."""
    if digesting.digest_due(at=now()):
        _advance()  # the mails go out


@shared_task(name="itsm_backup.recount_reports")
def recount_reports() -> None:
    """Recount published figures from the raw runs, each report once a day."""
    recounting.reconcile_due(at=now())


@shared_task(name="itsm_backup.publish")
def publish() -> None:
    """Tell external catalogues and monitoring systems what changed."""
    for one in (telling_outward, telling_onward):
        one.notice_changes(at=now())
        for _ in range(MOST_ROUNDS):
            if not one.send(at=now()):
                break


@shared_task(name="itsm_backup.read_cmdbs")
def read_cmdbs() -> None:
    """Hand out the CMDBs that are due, one task each."""
    for cmdb_id in inventorying.claim_due(at=now()):
        read_cmdb.apply_async((cmdb_id,), expires=600)


@shared_task(name="itsm_backup.read_cmdb")
def read_cmdb(cmdb_id: int) -> None:
    """Read one CMDB; the entries of what was read are compared next."""
    at = now()
    cmdb = Cmdb.objects.get(pk=cmdb_id)
    inventorying.read(cmdb=cmdb, at=at)
    seen = ItemLink.objects.filter(item__cmdb=cmdb, item__last_seen_at__gte=at) | ItemLink.objects.filter(item__gone_at__gte=at)
    reconciling.touch(service_ids=seen.values("service"), at=at)
    cmdb_relations.see_relations(at=at)


@shared_task(name="itsm_backup.reconcile")
def reconcile() -> None:
    """Compare the entries that are due, and tell CMDBs what follows."""
    for _ in range(MOST_ROUNDS):
        if reconciling.compare_due(at=now()) < reconciling.AT_ONCE:
            break
    for _ in range(MOST_ROUNDS):
        if not writing_back.send(at=now()):
            break


@shared_task(name="itsm_backup.batches")
def batches() -> None:
    """Hand out again what somebody started and no worker has touched lately, one task each."""
    for batch_id in working_through.stalled(at=now()):
        batch.apply_async((batch_id,), expires=600)


@shared_task(name="itsm_backup.batch")
def batch(batch_id: int) -> None:
    """Work on many entries. Two workers share what waits; one that dies loses and doubles nothing."""
    working_through.work(batch=Batch.objects.get(pk=batch_id), clock=now, measure=measured)
    _advance()  # what was approved is judged, the mails go out


def _advance() -> None:
    """The journey goes on; where a demo was switched off for a while, its tools tell first what happened meanwhile."""
    try:
        feeding.catch_up(at=now())
    except Exception:
        log.exception("The demo could not catch up; everything else goes on, and it is tried again.")
    journey.advance()
