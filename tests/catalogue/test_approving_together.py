"""What the preview of an approval calls good is approved, also where entries need each other in a circle and no order lets each hold."""

import datetime as dt
import threading

import pytest
from django.db import connections

from catalogue import batching, checking, publishing, working_through
from catalogue.models import Batch, ServiceVersion
from tests.catalogue.makers import NOON, make_author, make_service
from tests.catalogue.test_previewing import HOUR, approval_of, approved, in_review, needs, stops

pytestmark = pytest.mark.django_db
LATER = NOON + dt.timedelta(hours=1)


def entries(*codes: str):
    return [make_service(code, at=NOON - dt.timedelta(days=1)) for code in codes]


def in_circle(*services) -> None:
    for consumer, provider in zip(services, (*services[1:], services[0]), strict=True):
        needs(consumer, provider)


def promised() -> dict[str, int]:
    """Hours of the recovery points in force."""
    rows = ServiceVersion.objects.in_force(LATER).values_list("service__code", "commitment__rpo_s")
    return {code: seconds // HOUR for code, seconds in rows}


@pytest.mark.req("1.5")
def test_entries_in_a_circle_that_all_get_stricter_are_approved_in_one_transaction():
    """Also one that hangs on the circle, and one that has nothing to do with it and is approved by itself."""
    a, b, c, d, alone = entries("A", "B", "C", "D", "E")
    in_circle(a, b, c)
    needs(d, a)
    batch = approval_of(in_review((d, 4), (a, 4), (b, 4), (c, 4), (alone, 2)))
    assert stops(batch) == {code: [] for code in "ABCDE"}
    assert set(approved(batch).values()) == {"done"}
    assert promised() == {"A": 4, "B": 4, "C": 4, "D": 4, "E": 2}
    told = dict(batch.items.values_list("code", "told"))
    assert told["A"] == "Version 2 is in force, together with 3 others: they hang on one another."
    assert told["E"] == "Version 2 is in force."
    batch.refresh_from_db()
    assert batch.finished_at == NOON


def test_a_circle_of_which_one_is_not_what_was_read_is_not_approved_in_part():
    a, b, alone = entries("A", "B", "C")
    in_circle(a, b)
    batch = approval_of(in_review((a, 4), (b, 4), (alone, 4)))
    version = ServiceVersion.objects.get(service=b, state="in_review")
    publishing.edit_draft(version=version, content={"department": "New"}, commitment={}, by=make_author(), at=NOON, reason="Test")
    publishing.submit(version=version, by=make_author(), at=NOON, announce=False)
    assert approved(batch) == {"A": "refused", "B": "refused", "C": "done"}
    told = dict(batch.items.values_list("code", "told"))
    assert "is not what you read any more" in told["B"] and checking.INHERITED in told["A"]
    assert promised() == {"A": 26, "B": 26, "C": 4}


def test_what_cannot_hold_does_not_come_between_those_that_do():
    """X could hold alone while it is tried; it stands first in the list, but the preview left it out, so the others come before it."""
    a, b, x = entries("A", "B", "X")
    in_circle(a, b)
    batch = approval_of(in_review((x, 4), (a, 4), (b, 4)))
    batch.items.filter(code="X").update(stops=[["SCHEDULE_EXCEEDS_RPO", "It could not hold when this was asked for."]])
    batching.start(batch=batch, by=batch.by, at=NOON)
    done = []
    for _ in range(4):  # A and B are tried, then approved together; X is the last
        working_through.work(batch=batch, clock=lambda: NOON, most=1)
        done.append(sorted(batch.items.filter(state="done").values_list("code", flat=True)))
    assert done == [[], [], ["A", "B"], ["A", "B", "X"]]


def test_it_can_be_left_before_the_circle_and_gone_on_with():
    a, b, alone = entries("A", "B", "C")
    in_circle(a, b)
    batch = approval_of(in_review((a, 4), (b, 4), (alone, 4)))
    batching.start(batch=batch, by=batch.by, at=NOON)
    working_through.work(batch=batch, clock=lambda: NOON, most=3)
    assert promised() == {"A": 26, "B": 26, "C": 4}
    batching.stop(batch=batch, by=batch.by, at=NOON)
    assert working_through.work(batch=batch, clock=lambda: LATER) == 0
    assert approved(batch, LATER) == {"A": "done", "B": "done", "C": "done"}


def test_a_worker_that_dies_in_the_circle_takes_all_of_it_back():
    a, b = entries("A", "B")
    in_circle(a, b)
    batch = approval_of(in_review((a, 4), (b, 4)))
    batching.start(batch=batch, by=batch.by, at=NOON)
    working_through.work(batch=batch, clock=lambda: NOON, most=2)

    class Killed(BaseException):
        """As if the process were gone: nothing of ours catches it."""

    def dies(service, at):
        if service == b:
            raise Killed
        return working_through.UNMEASURED

    with pytest.raises(Killed):
        working_through.work(batch=batch, clock=lambda: NOON, measure=dies)
    assert promised() == {"A": 26, "B": 26} and batch.items.filter(state="waiting").count() == 2
    working_through.work(batch=batch, clock=lambda: LATER)
    assert promised() == {"A": 4, "B": 4}


@pytest.mark.django_db(transaction=True)
def test_racing_workers_approve_a_circle_once():
    services = entries(*"ABCDEF")
    in_circle(*services[:3])
    batch = approval_of(in_review(*((service, 4) for service in services)))
    batching.start(batch=batch, by=batch.by, at=NOON)
    errors = []

    def race() -> None:
        try:
            working_through.work(batch=Batch.objects.get(pk=batch.pk), clock=lambda: LATER)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=race) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == [] and set(promised().values()) == {4}
    assert ServiceVersion.history.filter(state="approved", history_type="~", number=2).count() == 6, "each was approved once"
