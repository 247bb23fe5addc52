"""The service page judges what an entry promises of its copies: window, retention, encryption, places, locks."""

from __future__ import annotations

import datetime as dt

import pytest

from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.portal import objectives_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_page import find, service_page
from monitoring.models import Repository, RestorePoint
from tests.factories import make_job, make_service, make_tool, push, run_record

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.2")]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
AT = dt.datetime(2026, 7, 20, 12, tzinfo=dt.UTC)
EVERYTHING = {
    "window_opens": dt.time(1), "window_closes": dt.time(4), "retention_days": 10, "encryption": "at_rest", "copy_scheme": "3-2-1-1-0",
    "immutability_days": 14,
}  # fmt: skip


def keep(promise, *, nights=20, held=15, encrypted=True, listed=True, late=()):
    """A service with a copy each night at two, of which so many are still there; those runs that began so many nights ago ran late."""
    start = AT - 60 * DAY
    service = make_service("SVC-1", name="Archive", at=start, promise=promise)
    tool = make_tool(at=start, label="Vault control")
    make_job(tool, service=service, at=start, repository_name="vault")
    last = AT.replace(hour=2)
    times = [(back, last - back * DAY + (2 * HOUR if back in late else 0 * HOUR)) for back in range(nights, -1, -1)]
    push(tool, *(run_record("nightly", "success", began, encrypted=encrypted) for _, began in times), at=AT)
    journey.advance(at=AT)
    points = RestorePoint.objects.filter(item__service=service)
    if listed:
        points.update(listed_at=AT - DAY)
    points.filter(captured_at__lt=AT - held * DAY).update(gone_at=AT - HOUR)
    return service, tool


def declare(tool, name="vault", **said):
    with because("Seen on site"):
        row = Repository(tool=tool, name=name, **said)
        row._history_date = AT - 2 * DAY
        row.save()
    return row


def claims(user, at=AT, now=AT):
    moment = Moment(at=at, now=now)
    page = service_page(version=find(code="SVC-1", user=user, moment=moment), user=user, moment=moment)
    return {claim.name: claim for claim in page.claims}


def told(claim):
    return claim.measured, claim.verdict, claim.evidence


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, ("14 d 10 h back", "kept", "Oldest copy 6 Jul 2026")),
        ({"held": 10, "nights": 30}, ("9 d 10 h back", "kept", "Oldest copy 11 Jul 2026")),
        ({"held": 9}, ("8 d 10 h back", "broken", "Oldest copy 12 Jul 2026. Older ones are gone")),
        ({"nights": 5}, ("5 d 10 h back", "no_data", "Oldest copy 15 Jul 2026. It is the first that was seen, so not known yet")),
        ({"listed": False, "held": 99}, ("Not known", "no_data", "Its tool does not say which copies it still holds")),
        ({"held": 0}, ("Not known", "no_data", "No copy that can be restored is known")),
    ],
)
def test_retention_is_how_far_copies_reach_back(root, how, expected):
    keep({"retention_days": 10}, **how)
    claim = claims(root)["Retention"]
    assert told(claim) == expected and claim.method == "/methods/BM-RET/1/"


@pytest.mark.parametrize(
    ("encrypted", "expected"),
    [
        (True, ("15 of 15 copies", "kept", "At rest, as the tools say of each run")),
        (False, ("0 of 15 copies", "broken", "15 are not, as the tools say of each run")),
        (None, ("0 of 15 copies", "no_data", "Of 15 no tool says whether they are")),
    ],
)
def test_encryption_is_what_tools_say_of_each_copy_and_nothing_else(root, encrypted, expected):
    keep({"encryption": "at_rest"}, encrypted=encrypted)
    assert told(claims(root)["Encryption"]) == expected


def test_what_happens_on_the_way_is_said_to_be_unknown(root):
    keep({"encryption": "everywhere"})
    assert claims(root)["Encryption"].evidence == "At rest, as the tools say of each run. In transit: not known, no tool tells"


@pytest.mark.parametrize(
    ("late", "share", "expected"),
    [
        ((), None, ("100% inside", "kept", "21 of the newest 21 good runs, since 30 Jun 2026")),
        ((3,), None, ("95.2% inside", "broken", "20 of the newest 21 good runs, since 30 Jun 2026")),
        ((3,), "0.95", ("95.2% inside", "kept", "20 of the newest 21 good runs, since 30 Jun 2026")),
    ],
)
def test_a_run_has_to_begin_and_end_inside_the_window(root, late, share, expected):
    keep({"window_opens": dt.time(1), "window_closes": dt.time(4), "on_time_rate": share}, late=late)
    assert told(claims(root)["Backup window"]) == expected


def test_places_and_locks_are_not_known_until_somebody_declares_them(root):
    _, tool = keep(EVERYTHING)
    found = claims(root)
    assert found["Copies and places"].measured == "0 of 5 parts" and found["Copies and places"].verdict == "no_data"
    assert told(found["Copies locked"]) == ("Not known", "no_data", "vault of Vault control: lock not declared")
    first = declare(tool, medium="disk", is_offsite=False, is_offline=False, lock_days=0)
    assert told(claims(root)["Copies locked"]) == ("0 of 1 newest copy", "broken", "vault of Vault control: declared not locked")
    assert claims(root)["Copies and places"].evidence.startswith("Not met: copies, media, off-site, offline or locked.")
    declare(tool, "bucket", copy_of=first, medium="object", is_offsite=True, lock_days=14)
    found = claims(root)
    assert (found["Copies locked"].measured, found["Copies locked"].verdict) == ("1 of 1 newest copy", "kept")
    assert told(found["Copies and places"])[0] == "4 of 5 parts"
    assert found["Copies and places"].evidence == "Not known, because nobody said or checked: no errors"
    assert found["Copies and places"].runs.href == "/services/SVC-1/objectives/#places"


def test_each_promise_leads_to_what_is_behind_it_and_to_its_method(root):
    keep({**EVERYTHING, "rto_s": 3600, "restore_test_days": 90, "on_time_rate": "0.9"})
    found = claims(root)
    assert list(found) == [
        "Recovery point (RPO)", "Recovery time (RTO)", "Done on time", "Backup window", "Retention", "Encryption", "Copies and places",
        "Copies locked", "Restore test",
    ]  # fmt: skip
    assert all(claim.method.startswith("/methods/BM-") and claim.runs.href.startswith("/services/SVC-1/") for claim in found.values())


def test_in_the_past_what_was_known_then_counts(root):
    _, tool = keep(EVERYTHING)
    declare(tool, lock_days=30)
    then = AT - 3 * DAY
    assert claims(root)["Copies locked"].verdict == "kept"
    assert claims(root, at=then)["Copies locked"].verdict == "no_data"


def test_everything_that_can_be_promised_costs_no_more_questions_than_a_page_may_ask(root, django_assert_max_num_queries):
    keep({**EVERYTHING, "rto_s": 3600, "restore_test_days": 90, "on_time_rate": "0.9"})
    with django_assert_max_num_queries(8):
        claims(root)


def test_locks_are_an_objective_of_their_own_that_says_the_same(root):
    _, tool = keep({"immutability_days": 14})

    def locks():
        moment = Moment(at=AT, now=AT)
        version = objectives_page.find(code="SVC-1", user=root, moment=moment)
        rows = objectives_page.objectives_page(version=version, user=root, moment=moment).rows
        return next(row for row in rows if row.name == "Copies locked")

    found = locks()
    assert (found.target, found.warning, found.source, found.method.href) == ("14 days or more", "", "Promised", "/methods/BM-IMM/1/")
    assert (found.actual, found.verdict, found.detail) == ("Not known", "no_data", "vault of Vault control: lock not declared")
    row = declare(tool, lock_days=7)
    assert (locks().actual, locks().verdict) == ("0 of 1 newest copy", "broken")
    with because("The lock was made longer"):
        row.lock_days, row._history_date = 14, AT - HOUR
        row.save()
    assert (locks().actual, locks().verdict, locks().confidence) == ("1 of 1 newest copy", "kept", "Counted whole")
