"""1,000 alerts of 200 services, four workers at once, killed again and again: the incidents are those of one undisturbed pass.

Every mail reaches a real mail server, in order of its thread; one may come twice under its one Message-ID for each sender killed.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import random
import time
from collections import Counter
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from catalogue.models import Service
from incidents import opening
from incidents.models import Incident, IncidentEntry, Telling
from itsm_backup import journey
from itsm_backup.common import outbox
from itsm_backup.common.models import Notice
from monitoring.models import Alert
from tests.factories import make_service
from tests.mailbox import Mailbox, running_mailbox
from tests.robustness import elsewhere

PATIENCE_S = 900
AT = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
SERVICES, ALERTS, WORKERS, SEED = 200, 1_000, 4, 7
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.req("5.1")]


def make_alerts() -> None:
    """Five alerts of each service: two of its own job, three of one of twenty storages that services share."""
    make_service("SVC-000", at=AT - dt.timedelta(days=2))
    for number in range(1, SERVICES):
        make_service(f"SVC-{number:03}", at=AT - dt.timedelta(days=2), tier=1 + number % 4)
    journey.advance(at=AT)  # every service is judged before anything is told of it
    rows = []
    for place, service in enumerate(Service.objects.order_by("code")):
        for number in range(ALERTS // SERVICES):
            storage = number > 1
            at = AT - dt.timedelta(minutes=ALERTS - len(rows))
            rows.append(
                Alert(
                    dedup_key=f"{service.code}/{number}", alert_class="job_failed", service=service, state="firing", severity="error",
                    priority="P5", title=f"{service.code} failed", cause_key=f"storage:{place % 20}" if storage else f"job:{service.code}",
                    cause_is_specific=storage, cause_title="the storage is full" if storage else "",
                    opened_at=at, last_seen_at=at, noticed_at=AT,
                )
            )  # fmt: skip
    Alert.objects.bulk_create(rows)


def incidents() -> list[Any]:
    """Everything that counts of them: cause, words, weight, alerts, stories, who was told."""
    kinds = Counter(IncidentEntry.objects.values_list("incident", "kind"))
    told = Counter(Telling.objects.values_list("escalation__incident", flat=True))
    mails = Counter(int(key.split("/")[1]) for key in Notice.objects.values_list("key", flat=True))
    return sorted(
        (
            one.cause_key, one.title, one.state, one.priority, one.service.code, one.opened_at, one.acknowledge_by,
            sorted(one.incident_alerts.values_list("alert__dedup_key", flat=True)),
            sorted((kind, count) for (pk, kind), count in kinds.items() if pk == one.pk), told[one.pk], mails[one.pk],
        )
        for one in Incident.objects.select_related("service")
    )  # fmt: skip


def undisturbed() -> list[Any]:
    with transaction.atomic():
        while opening.open_for_alerts(at=AT):
            pass
        found = incidents()
        transaction.set_rollback(True)
    return found


def work(database: dict[str, Any], act: str, mail_port: int) -> None:
    """What a worker does until nothing is left; one that found another at it looks again a little later, as beat has it do."""
    connection.settings_dict.update(database)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_port
    stages = {"journey": lambda: sum(journey.advance(at=AT).values()), "opening": lambda: opening.open_for_alerts(at=AT)}
    while Alert.objects.filter(incident_alert=None).exists():
        if not stages[act]():
            time.sleep(0.2)


def race(act: str, mail_port: int = 9) -> int:
    """Four workers at once, one of them killed at random moments, until every alert has its incident; returns how many were killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([elsewhere.__name__])
    database = {"NAME": connection.settings_dict["NAME"]}
    rng, killed = random.Random(SEED), 0

    def begin() -> Any:
        process = context.Process(target=work, args=(database, act, mail_port), daemon=True)
        process.start()
        return process

    workers = [begin() for _ in range(WORKERS)]
    deadline = time.monotonic() + PATIENCE_S
    while Alert.objects.filter(incident_alert=None).exists():
        assert time.monotonic() < deadline, "they do not come to an end"
        time.sleep(rng.uniform(0.5, 4))
        place = rng.randrange(WORKERS)
        workers[place].kill()
        workers[place].join()
        killed += 1
        workers[place] = begin()
    for worker in workers:
        worker.join(PATIENCE_S)
        assert worker.exitcode == 0
    return killed


def send_the_rest(mail_port: int) -> None:
    """What a killed sender had claimed is sent when its claim has run out."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_port
    while outbox.send_waiting(at=AT + 2 * outbox.CLAIM):
        pass


def threads_in_order(mailbox: Mailbox) -> bool:
    """Whether the first arrivals of every thread came in the order in which they were written."""
    place = {}
    for number, name in enumerate(mailbox.ids):
        place.setdefault(name, number)
    written: dict[str, list[int]] = {}
    for notice in Notice.objects.order_by("id"):
        written.setdefault(notice.thread, []).append(place[notice.message_id])
    return all(arrived == sorted(arrived) for arrived in written.values())


def test_they_are_those_of_one_undisturbed_pass(settings):
    make_alerts()
    expected = undisturbed()
    assert Incident.objects.count() == 0 and len(expected) == SERVICES + 20
    with running_mailbox() as (mailbox, mail_port):
        killed = race("journey", mail_port)
        send_the_rest(mail_port)
        repeats = len(mailbox.ids) - len(set(mailbox.ids))
        print(f"\n{ALERTS} alerts, {killed} workers killed, {len(expected)} incidents, {len(mailbox.ids)} mails, {repeats} repeats")
    assert killed > 3
    assert incidents() == expected
    assert set(mailbox.ids) == {notice.message_id for notice in Notice.objects.all()} and len(mailbox.ids) > len(expected)
    assert repeats <= killed * outbox.BATCH and threads_in_order(mailbox)


def test_without_the_lock_of_the_journey_no_cause_has_two_and_no_alert_none():
    """Past the journey's lock the order of opening is open, but never which alerts make which incident."""
    make_alerts()
    expected = [(one[0], one[7]) for one in undisturbed()]
    assert race("opening") > 3
    assert [(one[0], one[7]) for one in incidents()] == expected
