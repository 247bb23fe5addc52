"""A repository under 500 services goes down: 5,000 failed runs in a minute are one incident, told once to the right people."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from incidents.models import Incident, Telling
from itsm_backup import journey
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now
from monitoring.models import Alert, BackupRun, Tool
from tests.factories import make_admin, push, run_record
from tests.incidents.makers import HOUR, MINUTE, fail, make_cause
from tests.incidents.many import make_many
from tests.journeys.test_alerts_escalate import make_policy

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]
SERVICES, RUNS_EACH = 500, 10
PAGES = ("/", "/services/", "/incidents/", "/incidents/muted/", "/services/SVC-j0/", "/services/SVC-j0/calendar/")


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """How many questions the database is asked."""
    count: Counter[str] = Counter()

    def ask(execute: Any, *args: Any) -> Any:
        count["asked"] += 1
        return execute(*args)

    with connection.execute_wrapper(ask):
        yield count


def questions(client: Client, incident: Incident) -> list[int]:
    """How many each page asks."""
    asked = []
    for path in (*PAGES, f"/incidents/{incident.number}/"):
        with counting() as count:
            assert client.get(path).status_code == 200, path
        asked.append(count["asked"])
    return asked


def storm(tool: Tool, at: dt.datetime) -> int:
    """Ten failed runs of each service within a minute; the journey comes by while it storms. Returns what it asked."""
    asked = 0
    for number in range(RUNS_EACH):
        when = at + dt.timedelta(seconds=6 * number)
        names = [f"j{place}" for place in range(SERVICES)]
        push(tool, *[run_record(name, "failed", when, minutes=0, native_message="no space left") for name in names], at=when)
        if number % 3 == 0 or number == RUNS_EACH - 1:
            with counting() as count:
                journey.advance(at=when)
            asked += count["asked"]
    return asked


def told(incident: Incident) -> list[list[str]]:
    return [[one["address"] for one in telling.recipients] for telling in Telling.objects.filter(escalation__incident=incident)]


def test_it_is_one_incident_told_once_and_pages_ask_no_more_than_for_one_failure():
    at = (now() - HOUR).replace(microsecond=0)  # all of it has happened when the pages are read, however fast this machine is
    lead = make_admin("lead")
    make_policy("All", {}, {"after_min": 30, "tell": "person", "person": lead})
    make_cause()
    make_cause("passphrase", "wrong passphrase", "job")
    tool = make_many(at - 48 * HOUR, SERVICES)
    client = Client()
    client.force_login(lead, backend="django.contrib.auth.backends.ModelBackend")
    fail(tool, "j0", at - 3 * MINUTE, at - 2 * MINUTE, message="wrong passphrase")
    alone = Incident.objects.get()
    questions(client, alone)  # what is asked only once in a process is no page's
    before = questions(client, alone)

    asked = storm(tool, at)

    assert BackupRun.objects.filter(outcome="failed").count() == SERVICES * RUNS_EACH + 2
    incident = Incident.objects.exclude(pk=alone.pk).get()
    assert Alert.objects.filter(incident_alert__incident=incident).count() == SERVICES - 1
    assert f"and {SERVICES - 2} more services" in incident.title and incident.priority_reason
    assert Alert.objects.open().count() == SERVICES, "one for each job, however often it failed"
    assert set(Alert.objects.exclude(job__external_id="j0").values_list("occurrences", flat=True)) == {RUNS_EACH}
    assert told(incident) == [["storage@example.org"]]
    journey.advance(at=at + 31 * MINUTE)
    assert told(incident) == [["storage@example.org"], ["lead@example.org"]]
    mails = Notice.objects.filter(key__startswith=f"incident/{incident.pk}/")
    assert sorted(mails.values_list("recipient", flat=True)) == ["lead@example.org", "storage@example.org"]
    assert incident.title in mails.get(recipient="storage@example.org").subject, "the first mail says already how many"
    assert questions(client, incident) == before
    assert asked < 30 * SERVICES, "the journey asks a little for each service, not for each pair of them"
