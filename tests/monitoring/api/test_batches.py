"""Many entries through the API: proposed, looked at, started, watched, stopped and gone on with; every refusal by name."""

import datetime as dt
import json

import pytest
from django.test import Client

from catalogue import comparing, publishing, working_through
from catalogue.models import Batch, ServiceVersion
from itsm_backup.common.time import now
from tests.catalogue.makers import make_approver, make_author, make_draft, make_service, make_user

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def call(user, method, address, body=None):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.generic(method.upper(), f"/api/v1/batches/{address}", json.dumps(body or {}), content_type="application/json")
    return answer.status_code, answer.json()


def worked(batch, **more):
    return working_through.work(batch=Batch.objects.get(pk=batch["id"]), clock=now, **more)


@pytest.fixture
def entries(db):
    return [make_service(f"SVC-{n}", at=now() - 2 * HOUR) for n in range(3)]


@pytest.mark.req("1.5")
def test_entries_are_changed_submitted_and_approved_by_two_people(entries):
    author, approver = make_author(), make_approver()
    changes = [{"code": "SVC-0", "rpo": "12 h"}, {"code": "SVC-1", "tier": 2}, {"code": "SVC-2", "tier": 3}, {"code": "gone", "tier": 9}]
    status, batch = call(author, "post", "", {"act": "draft", "reason": "Yearly check", "entries": changes})
    assert (status, batch["stage"], batch["total"], batch["waiting"], batch["nothing"], batch["refused"]) == (201, "proposed", 4, 2, 1, 1)
    assert batch["title"] == "Drafts of 4 entries"
    (bad,) = call(author, "get", f"{batch['id']}/items/?state=refused")[1]["results"]
    assert bad["code"] == "gone" and bad["problems"][0]["column"] == "code", bad
    words = [row["words"] for row in call(author, "get", f"{batch['id']}/items/?state=waiting")[1]["results"]]
    assert words == ["Recovery point (RPO) 26 h → 12 h", "Tier 3 → 2"]
    assert not ServiceVersion.objects.filter(state="draft").exists()
    status, told = call(author, "post", f"{batch['id']}/start")
    assert status == 409 and "1 of 4 cannot be done" in told["detail"]
    status, begun = call(author, "post", f"{batch['id']}/start", {"partly": True})
    assert (status, begun["stage"]) == (200, "running") and worked(batch) == 2
    assert call(author, "get", f"{batch['id']}/")[1]["stage"] == "finished"

    drafts = [{"code": code, "number": 2} for code in ("SVC-0", "SVC-1")]
    sent = call(author, "post", "", {"act": "submit", "reason": "Ready", "versions": drafts})[1]
    call(author, "post", f"{sent['id']}/start")
    worked(sent)
    etags = {row.service.code: comparing.hash_of(comparing.content_of(row)) for row in ServiceVersion.objects.filter(number=2)}
    read = [{**one, "etag": f'"{etags[one["code"]]}"'} for one in drafts]
    status, agreed = call(approver, "post", "", {"act": "approve", "reason": "Agreed", "versions": read})
    assert (status, agreed["waiting"]) == (201, 2)
    call(approver, "post", f"{agreed['id']}/start")
    worked(agreed, most=1)
    assert [call(approver, "get", f"{agreed['id']}/")[1][name] for name in ("stage", "done", "waiting")] == ["running", 1, 1]
    assert call(approver, "post", f"{agreed['id']}/stop")[1]["stage"] == "stopped"
    assert worked(agreed) == 0, "nothing happens while it is stopped"
    assert call(approver, "post", f"{agreed['id']}/stop")[0] == 409
    call(approver, "post", f"{agreed['id']}/start")
    worked(agreed)
    assert ServiceVersion.objects.approved().filter(number=2).count() == 2


def test_what_changed_since_it_was_read_and_ones_own_is_refused_by_name(entries):
    boss = make_user("boss", "catalogue.view_service", "catalogue.change_service", "catalogue.approve_service")
    own, other = make_draft("SVC-0", at=now() - HOUR, department="A"), make_draft("SVC-1", at=now() - HOUR, department="B")
    publishing.edit_draft(version=own, content={"department": "Mine"}, commitment={}, by=boss, at=now(), reason="x")
    for version in (own, other):
        publishing.submit(version=version, by=make_author(), at=now(), announce=False)
    draft = make_draft("SVC-2", at=now() - HOUR, department="C")
    asked = [{"code": "SVC-0", "number": 2}, {"code": "SVC-1", "number": 2, "etag": "0" * 64}, {"code": "SVC-2", "number": draft.number},
             {"code": "SVC-2", "number": 7}]  # fmt: skip
    status, batch = call(boss, "post", "", {"act": "approve", "reason": "x", "versions": asked})
    assert (status, batch["refused"]) == (201, 4)
    told = [row["problems"][-1]["told"] for row in call(boss, "get", f"{batch['id']}/items/")[1]["results"]]
    assert told[0].startswith("You wrote part of it") and "not what you read any more" in told[1]
    assert told[2] == "Version 2 is draft, not in review." and told[3] == "There is no version 7 of SVC-2 that you may approve."


def test_who_may_not_is_told_so_and_others_see_nothing_of_it(entries):
    author, stranger = make_author(), make_user("stranger")
    batch = call(author, "post", "", {"act": "draft", "reason": "x", "entries": [{"code": "SVC-0", "tier": 2}]})[1]
    assert call(stranger, "get", f"{batch['id']}/")[0] == 404 and call(stranger, "get", f"{batch['id']}/items/")[0] == 404
    assert call(stranger, "post", f"{batch['id']}/start")[0] == 404 and call(stranger, "get", "")[1]["count"] == 0
    assert call(make_user("reader", "catalogue.view_service", is_staff=True), "post", f"{batch['id']}/start")[0] == 403
    assert call(stranger, "post", "", {"act": "draft", "reason": "x", "entries": [{"code": "SVC-0", "tier": 2}]})[0] == 403
    made = make_draft("SVC-1", at=now() - HOUR, department="Secret")
    assert made.number == 2
    hidden = call(stranger, "post", "", {"act": "approve", "reason": "x", "versions": [{"code": "SVC-1", "number": 2}]})[1]
    (row,) = call(stranger, "get", f"{hidden['id']}/items/")[1]["results"]
    assert row["words"] == "" and row["problems"][0]["told"] == "There is no version 2 of SVC-1 that you may approve."


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"act": "draft", "entries": []}, "Name the entries"),
        ({"act": "draft", "entries": [{"code": "SVC-0", "colour": "red"}]}, "There is no column colour"),
        ({"act": "draft", "entries": [{"code": "SVC-0", "tier": {"a": 1}}]}, "neither a value nor a list"),
        ({"act": "approve", "versions": []}, "Name the versions"),
        ({"act": "approve", "versions": [{"code": "SVC-0", "number": 2}] * 2}, "stands there twice"),
        ({"act": "approve", "versions": [{"code": "SVC-0", "number": 2}], "reason": " "}, "reason"),
        ({"act": "burn", "entries": [{"code": "SVC-0"}]}, "act"),
    ],
)
def test_what_cannot_be_understood_is_refused_whole(entries, body, words):
    status, told = call(make_author(), "post", "", {"reason": "x", **body})
    assert status == 400 and words in told["detail"] and not Batch.objects.exists()


def test_what_could_not_hold_is_told_of_each_before_the_start(entries):
    changes = [{"code": "SVC-0", "retention": "5 d", "retention_min": "30 d"}, {"code": "SVC-1", "retention": "90 d"}]
    _, batch = call(make_author(), "post", "", {"act": "draft", "reason": "Yearly check", "entries": changes})
    rows = call(make_author(), "get", f"{batch['id']}/items/")[1]["results"]
    told = {row["code"]: [one["code"] for one in row["stops"]] for row in rows}
    assert told == {"SVC-0": ["RETENTION_BELOW_MINIMUM"], "SVC-1": []} and "5 d" in rows[0]["stops"][0]["sentence"]
    assert batch["refused"] == 0, "a draft of it can be made"
