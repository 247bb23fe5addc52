"""What tools discovered appears as a thing of the register by itself, with the answers that speak for it, until somebody decides."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue import scoping as scope
from catalogue.refusing import NotAllowed, NotReady
from itsm_backup import journey
from monitoring import discovering, scoping
from monitoring.models import BackupJob, ScopeClaim
from tests.factories import make_admin, make_job, make_service, make_tool, make_user, push, run_record

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
NOTHING = dict.fromkeys(scope.QUESTIONS, "no")


@pytest.fixture
def root():
    return make_admin("root")


@pytest.fixture
def tool(noon):
    """Two services in one repository, one job of nobody in another, and a job without repository."""
    tool = make_tool(name="vault", at=noon - 2 * DAY)
    for code, rules in (("pacs", ["GDPR"]), ("ris", [])):
        service = make_service(code, name=code.upper(), at=noon - 2 * DAY, regulations=rules)
        make_job(tool, code, at=noon - DAY, service=service)
    told = {"pacs": "s3:pool/NAS-02", "ris": "s3:pool/NAS-02", "stray": "Attic", "alone": None}
    records = [run_record(name, "success", noon - HOUR, repository_name=store) for name, store in told.items()]
    push(tool, *records, at=noon - HOUR)
    journey.advance(at=noon - HOUR)
    return tool


def seen(at):
    found = [discovering.thing_of(row) for row in discovering.things(discovering.unclaimed(BackupJob.objects.all(), at), at)]
    return {thing.name: thing for thing in found}


def decide(thing, root, at, name="Pool"):
    asked = {"outcome": "excluded", "entry": None, "hosting": "cloud", "answers": NOTHING, "review_on": (at + 90 * DAY).date()}
    return scoping.decide_discovered(thing=thing, name=name, by=root, at=at, reason="Looked at", **asked)


def test_repositories_and_jobs_without_one_appear_by_themselves(tool, noon):
    found = seen(noon)
    assert {name: (thing.jobs, len(thing.consumers)) for name, thing in found.items()} == {
        "s3:pool/NAS-02": (2, 2), "Attic": (1, 0), "alone": (1, 0),
    }  # fmt: skip
    assert discovering.hosting_of(found["s3:pool/NAS-02"].name) == "cloud" and discovering.hosting_of("Attic") == "on_premises"
    assert set(seen(noon - 2 * DAY)) == set(), "nothing was known then"


def test_their_answers_come_from_the_services_that_use_them_and_the_entry_of_that_name(tool, noon):
    found = seen(noon)
    said = discovering.evidence_of(found.values(), noon)
    pool = {name: each.answer for name, each in said[found["s3:pool/NAS-02"].job_id].items()}
    assert (pool["consumers"], pool["regulated"], pool["agreement"]) == ("yes", "yes", "unknown")
    assert scope.propose(pool).outcome == "listed"
    make_service("NAS-02", name="Pool NAS-02", at=noon - DAY)
    said = discovering.evidence_of(found.values(), noon)
    assert said[found["s3:pool/NAS-02"].job_id]["agreement"].answer == "no", "the entry of that name has neither"


def test_a_decided_repository_takes_its_later_jobs_with_it_and_comes_back_when_it_is_released(tool, noon, root):
    made = decide(seen(noon)["s3:pool/NAS-02"], root, noon)
    assert set(seen(noon)) == {"Attic", "alone"}
    push(tool, run_record("third", "success", noon, repository_name="s3:pool/NAS-02"), at=noon)
    assert set(seen(noon + HOUR)) == {"Attic", "alone"}
    assert {service for _, service in discovering.users_of([made.line_id], noon + HOUR)[made.line_id]} >= {0}
    claim = ScopeClaim.objects.get()
    scoping.release(row=claim, by=root, at=noon + 2 * HOUR, reason="Wrong pool")
    assert "s3:pool/NAS-02" in seen(noon + 3 * HOUR) and "s3:pool/NAS-02" not in seen(noon + HOUR), "then it belonged to it"
    with pytest.raises(NotReady, match="no longer"):
        scoping.release(row=claim, by=root, at=noon + 4 * HOUR, reason="Again")


def test_a_thing_belongs_to_one_backup_service(tool, noon, root):
    thing = seen(noon)["alone"]
    made = decide(thing, root, noon)
    with pytest.raises(NotReady, match="belongs to Pool already"):
        scoping.claim(line=made.line, thing=thing, by=root, at=noon, reason="Twice")
    other = seen(noon)["Attic"]
    with pytest.raises(NotAllowed):
        scoping.claim(line=made.line, thing=other, by=make_user("nobody"), at=noon, reason="x")
    scoping.claim(line=made.line, thing=other, by=root, at=noon, reason="Same attic")
    assert set(seen(noon)) == {"s3:pool/NAS-02"}
