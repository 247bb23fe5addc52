"""Versions through the API: nobody's work is overwritten, what changed is said, the past reads as it was, odd values get a sentence."""

import datetime as dt
import json

import pytest
from django.test import Client

from catalogue.models import ServiceVersion, TierDefault
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from tests.catalogue.makers import make_approver, make_author, make_service, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]
HOUR = dt.timedelta(hours=1)


def call(user, method, path, body=None, *, match=None):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    headers = {} if match is None else {"If-Match": match}
    sent = body if isinstance(body, str) else json.dumps(body or {})
    answer = client.generic(method.upper(), f"/api/v1/services/pacs/{path}", sent, content_type="application/json", headers=headers)
    return answer.status_code, answer.json(), answer.headers.get("ETag", "")


@pytest.fixture
def draft(db):
    for name in ("author", "approver", "helper"):  # who holds a role that works on entries may enter the administration, too
        make_user(name, is_staff=True)
    make_service(at=now() - 2 * HOUR)
    status, _, etag = call(make_author(), "post", "versions/", {"reason": "Tighter", "content": {"rpo_s": 7_200}})
    assert status == 201
    return etag


def test_a_further_version_says_nothing_that_nobody_asked_for():
    make_user("author", is_staff=True)
    make_service(at=now() - 2 * HOUR)
    levels = {"rpo_s": 14_400, "rto_s": 14_400, "success_rate": "0.99", "rpo_attainment_rate": "0.995"}
    with because("What tier 3 promises"):
        TierDefault.objects.create(tier=3, restore_test_days=90, copy_scheme="3-2-1-1-0", **levels)
    assert call(make_author(), "post", "versions/", {"reason": "Urgent", "content": {"summary": "Urgent fix"}})[0] == 201
    before, after = (call(make_author(), "get", f"versions/{number}/")[1]["content"] for number in (1, 2))
    assert {name: after[name] for name in after if after[name] != before[name]} == {"summary": "Urgent fix"}


def test_who_was_slower_is_told_what_the_first_one_changed_and_loses_nothing(draft):
    helper = make_user("helper", "catalogue.view_service", "catalogue.change_service")
    assert call(helper, "patch", "versions/2/", {"reason": "x", "content": {"tier": 2}})[0] == 428
    assert call(helper, "patch", "versions/2/", {"reason": "Raised", "content": {"tier": 2}}, match=draft)[0] == 200
    status, told, _ = call(make_author(), "patch", "versions/2/", {"reason": "x", "content": {"department": "A"}}, match=draft)
    assert status == 412 and "helper changed it on" in told["detail"] and "Tier 3 → 2. Nothing was changed" in told["detail"]
    status, kept, etag = call(make_author(), "get", "versions/2/")
    assert (kept["content"]["tier"], kept["content"]["rpo_s"], kept["authors"]) == (2, 7_200, ["author", "helper"])
    assert call(make_author(), "patch", "versions/2/", {"reason": "x", "content": {"department": "A"}}, match=etag)[0] == 200


def test_exactly_what_was_read_is_approved_by_somebody_else_and_the_past_stays(draft):
    author, approver = make_author(), make_approver()
    assert call(author, "post", "versions/2/submit", {"reason": "Ready"}, match=draft)[0] == 200
    status, told, _ = call(author, "post", "versions/2/approve", match=draft)
    assert status == 403 and "You wrote part of" in told["detail"] and "approver can." in told["detail"]
    assert call(approver, "post", "versions/2/approve", match='"' + "0" * 64 + '"')[0] == 412
    far = {"effective_from": "9999-12-31T23:59:59Z"}
    assert "more than two years ahead" in call(approver, "post", "versions/2/approve", far, match=draft)[1]["detail"]
    before = now()
    status, done, _ = call(approver, "post", "versions/2/approve", match=draft)
    assert (status, done["state"], done["approver"]) == (200, "approved", "approver")
    status, found, _ = call(approver, "get", "diff/?from=1&to=2")
    assert [(one["label"], one["before"], one["after"]) for one in found["changes"]] == [("Recovery point (RPO)", "26 h", "2 h")]
    then = f"as_of={before:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert [row["number"] for row in call(approver, "get", f"versions/?{then}")[1]["results"]] == [1]
    assert call(approver, "get", f"versions/2/?{then}")[0] == call(approver, "get", f"diff/?from=1&to=2&{then}")[0] == 404
    assert call(approver, "get", f"?{then}")[1]["commitment"]["rpo_s"] == 93_600


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("regions", [None], "regions: It cannot be null."), ("labels", [{"a": 1}], "labels: This is no value for it."),
        ("labels", "restricted", "labels: It is a list of texts."), ("offerings", [1], "offerings: It is a list of offerings"),
        ("offerings", "Gold", "offerings: It is a list of offerings"), ("regions", ["x" * 61], "at most 60 characters"),
        ("rpo_s", 10**14, "rpo_s: "), ("tier", True, "tier: This is no value for it."), ("tier", 2.5, "tier: It is a whole number."),
        ("colour", "red", "colour: There is no such field."), ("owner", "nobody", "owner: There is no owner nobody."),
        ("summary", "a\x00b", "summary: It holds a NUL."),
    ],
)  # fmt: skip
def test_an_odd_value_gets_a_sentence_and_changes_nothing(draft, field, value, words):
    status, told, _ = call(make_author(), "patch", "versions/2/", {"reason": "x", "content": {field: value}}, match=draft)
    assert status == 400 and words in told["detail"], told
    assert ServiceVersion.objects.get(number=2).revisions.count() == 1


def test_a_number_that_no_field_holds_gets_a_sentence_too(draft):
    status, told, _ = call(make_author(), "patch", "versions/2/", '{"reason": "x", "content": {"rpo_s": 1e400}}', match=draft)
    assert status == 400 and told["detail"].startswith("rpo_s: "), told


def test_marks_that_turn_the_direction_of_text_are_refused(draft):
    body = {"reason": "x", "content": {"summary": "Not \u202eedirrevo\u202c"}}
    status, told, _ = call(make_author(), "patch", "versions/2/", body, match=draft)
    assert status == 409 and "Summary: it holds invisible marks" in told["detail"]
    assert ServiceVersion.objects.get(number=2).revisions.count() == 1


def test_a_day_is_read_as_pages_read_it(draft):
    day = (now() - dt.timedelta(days=3)).date()
    assert call(make_author(), "get", f"versions/?as_of={day}")[1]["results"] == []
    assert [row["number"] for row in call(make_author(), "get", f"versions/?as_of={now().date()}")[1]["results"]] == [2, 1], "today is now"
    for wrong in ("2026-13-40", "0001-01-01", "9999-12-31", "10 letters"):
        status, told, _ = call(make_author(), "get", f"versions/?as_of={wrong}")
        assert status == 400 and told["detail"].startswith("as_of "), wrong
