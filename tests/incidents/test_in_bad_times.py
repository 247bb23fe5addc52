"""What incidents come to when the world around them goes wrong: mail server down, clock wrong, catalogue changed under them."""

from __future__ import annotations

import datetime as dt
import socket

import pytest

from catalogue import publishing
from catalogue.models import Relation, Service
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from monitoring.models import Alert
from tests.factories import make_admin, make_service
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate, make_user, recover
from tests.mailbox import running_mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.1")]
DAY = dt.timedelta(days=1)


@pytest.fixture
def tool(noon):
    return make_estate(noon - 2 * DAY, "a", "b", "c")


def stories() -> list[tuple]:
    """What each incident is about and how it ended, and every line that facts wrote into its story, without its number."""

    def lines(one: Incident) -> list[tuple]:
        rows = one.entries.filter(alert__isnull=False).order_by("at", "pk")
        return [(line.kind, line.at, line.text.replace(one.number, "INC")) for line in rows]

    return sorted(
        (one.service.code, one.cause_key, one.state, one.priority, one.opened_at, one.resolved_at, one.reopened, lines(one))
        for one in Incident.objects.select_related("service")
    )  # fmt: skip


def test_what_a_mail_server_did_not_take_for_an_hour_arrives_in_order_and_once(tool, noon, settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 2
    for minutes, job in enumerate("abc"):
        fail(tool, job, noon - HOUR, noon + minutes * MINUTE)
    recover(tool, "a", noon + 20 * MINUTE)
    fail(tool, "a", noon + 30 * MINUTE, noon + 31 * MINUTE)  # again: three messages of one thread wait behind each other
    for minutes in range(35, 62, 5):
        journey.advance(at=noon + minutes * MINUTE)
    written = list(Notice.objects.order_by("pk"))
    assert len(written) > 4 and not any(one.sent_at or one.given_up_at for one in written)
    with running_mailbox(port) as (mailbox, _):
        for minutes in range(62, 100, 2):
            journey.advance(at=noon + minutes * MINUTE)
        arrived = mailbox.ids
    assert sorted(arrived) == sorted(one.message_id for one in Notice.objects.all()), "each once, and none is missing"
    threads = [one.thread for one in written]
    assert max(threads.count(thread) for thread in threads) >= 3
    for thread in set(threads):
        wanted = [one.message_id for one in Notice.objects.filter(thread=thread).order_by("pk")]
        assert [one for one in arrived if one in wanted] == wanted, "in the order in which they were written"


def live_through(tool, noon, *jumps: dt.datetime) -> list[tuple]:
    """Two that fail, one that recovers; between them somebody looks at a clock that shows another time."""
    wrong = iter([*jumps, None, None, None, None])

    def look_wrongly():
        if at := next(wrong):
            journey.advance(at=at)

    fail(tool, "a", noon, noon + 10 * MINUTE)
    look_wrongly()
    fail(tool, "b", noon + 15 * MINUTE, noon + 20 * MINUTE)
    look_wrongly()
    recover(tool, "a", noon + 30 * MINUTE)
    look_wrongly()
    fail(tool, "c", noon + 40 * MINUTE, noon + 50 * MINUTE)
    journey.advance(at=noon + 2 * DAY)
    return stories()


@pytest.mark.parametrize("jumps", [(DAY,), (-DAY,), (-DAY, DAY), (-HOUR, HOUR, -2 * DAY)], ids=["ahead", "behind", "both", "to and fro"])
def test_a_clock_that_jumps_changes_nothing_of_what_happened(tool, noon, jumps):
    from django.db import transaction

    with transaction.atomic():
        expected = live_through(tool, noon)
        transaction.set_rollback(True)
    assert len(expected) == 3
    assert live_through(tool, noon, *(noon + jump for jump in jumps)) == expected
    assert Alert.objects.filter(incident_alert=None).count() == 0
    told = Notice.objects.values_list("subject", flat=True)
    assert len(set(told)) == len(told), "nobody is told the same twice"


def test_a_catalogue_that_changes_in_the_middle_leaves_the_copy_and_the_end_alone(tool, noon):
    needed = Service.objects.get(code="SVC-a")
    with because("test"):
        ward = Relation.objects.create(consumer=make_service("WARD", at=noon - DAY, tier=1, name="Ward"), provider=needed)
    fail(tool, "a", noon - HOUR, noon)
    opened = Incident.objects.get()
    assert opened.impact == "high" and [one["code"] for one in opened.impact_at_opening["consumers"]] == ["WARD"]
    author = make_user()
    version = publishing.draft_version(
        service=needed, content={"name": "Renamed", "tier": 4}, commitment={"rpo_s": 3600}, by=author, at=noon, reason="Stricter"
    )
    publishing.submit(version=version, by=author, at=noon)
    publishing.approve(version=version, by=make_admin(), at=noon)
    with because("test"):
        ward.delete()
    journey.advance(at=noon + MINUTE)
    during = Incident.objects.get()
    assert during.is_open and during.impact == "low", "what depends on it is gone"
    assert during.impact_at_opening == opened.impact_at_opening
    recover(tool, "a", noon + 10 * MINUTE)
    over = Incident.objects.get()
    assert (over.state, over.resolved_at) == ("resolved", noon + 10 * MINUTE)
    assert over.impact_at_opening == opened.impact_at_opening
