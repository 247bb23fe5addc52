"""Refused attempts are on record in every door, and secrets change their key."""

from __future__ import annotations

import json

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from rest_framework.exceptions import ValidationError

from itsm_backup import refusing
from itsm_backup.api import problem_response
from itsm_backup.common.models import Refusal, because
from itsm_backup.common.time import now
from monitoring import tokens
from monitoring.models import ApiToken, Tool
from tests.admin_forms import change_url, make_staff, signed_in, url
from tests.catalogue.makers import make_user
from tests.factories import make_tool

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def tool():
    return make_tool("restic", name="vault", settings={"repository": "/srv/vault"}, secrets={"password": "a very secret word"})


def kept():
    return list(Refusal.objects.order_by("pk").values_list("who", "method", "path", "address"))


def signed(person):
    client = Client()
    client.force_login(person, backend=BACKEND)
    return client


def test_a_page_an_api_call_and_the_administration_keep_who_what_from_where_and_why(tool):
    reader = make_staff("monitoring.view_tool", name="reader")
    client = signed(reader)
    assert client.get("/tools/vault/").status_code == 200 and not Refusal.objects.exists(), "what is allowed is not kept"
    assert client.post("/tools/vault/test", REMOTE_ADDR="192.0.2.9").status_code == 403
    assert client.post("/api/v1/tools/vault/assessments/", content_type="application/json").status_code == 403
    assert signed_in(reader).post(url(Tool, "act", tool.pk, "poll"), {"change_reason": "x"}).status_code == 403
    assert kept() == [
        ("reader", "POST", "/tools/vault/test", "192.0.2.9"),
        ("reader", "POST", "/api/v1/tools/vault/assessments/", "127.0.0.1"),
        ("reader", "POST", f"/admin/monitoring/tool/{tool.pk}/act/poll/", "127.0.0.1"),
    ]
    whys = list(Refusal.objects.order_by("pk").values_list("why", flat=True))
    assert "may not test the connection" in whys[0] and "not poll it" in whys[1] and "may not poll" in whys[2]
    assert Refusal.objects.get(what=f"monitoring.tool:{tool.pk}").action == "poll"
    assert Refusal.objects.first().person == reader.pk


def test_what_one_may_not_see_is_kept_when_one_tries_to_change_it(tool):
    stranger = signed(make_user("stranger"))
    assert stranger.post("/tools/vault/words/draft", {"reason": "x"}).status_code == 404
    assert stranger.get("/tools/vault/").status_code == 404, "an address that is only read may be a slip"
    assert kept() == [("stranger", "POST", "/tools/vault/words/draft", "127.0.0.1")]


def test_keys_that_are_unknown_or_too_weak_are_kept_and_a_flood_is_not(tool, monkeypatch):
    monkeypatch.setattr(refusing, "NOBODY_A_MINUTE", 2)
    reader = tokens.issue(user=make_user("ida", "monitoring.view_tool"), scope=ApiToken.Scope.READ, tool=None, at=now(), days=1)
    for bearer in (reader, "itsmb_wrong", "itsmb_wrong", "itsmb_wrong"):
        key = {"Authorization": f"Bearer {bearer}"}
        sent = Client().post(
            "/api/v1/tools/vault/status-map/",
            json.dumps({}),
            content_type="application/json",
            headers=key,
        )
        assert sent.status_code == (403 if bearer == reader else 401)
    assert [who for who, *_ in kept()] == ["ida", "an unknown token", "an unknown token"]
    assert "needs write" in Refusal.objects.first().why and "wrong" not in str(list(Refusal.objects.values()))
    Client().get("/api/v1/tools/")
    assert Refusal.objects.count() == 3, "without a key it was no attempt"


def test_the_record_cannot_be_changed_and_is_read_by_those_whose_duty_it_is(tool):
    signed(make_user("reader", "monitoring.view_tool")).post("/tools/vault/test")
    for sql in ("UPDATE common_refusal SET who = 'x'", "DELETE FROM common_refusal", "TRUNCATE common_refusal"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    page = signed_in(make_staff("common.view_refusal", name="auditor")).get(url(Refusal, "changelist")).content.decode()
    assert "reader" in page and "/tools/vault/test" in page
    assert signed_in(make_staff("monitoring.view_tool", name="other")).get(url(Refusal, "changelist")).status_code == 403


def test_secrets_get_the_first_key_also_in_the_history_and_the_old_one_can_go(tool, settings, capsys):
    old = list(settings.FIELD_KEYS)
    with because("A new password"):
        tool.secrets = {"password": "another one"}
        tool.save()
    entries = tool.history.count()
    new = Fernet.generate_key().decode()
    settings.FIELD_KEYS = [new, *old]
    call_command("rotate_secrets")
    assert "3 secrets are encrypted" in capsys.readouterr().out
    settings.FIELD_KEYS = [new]
    assert Tool.objects.get().secrets == {"password": "another one"}
    assert [entry.secrets["password"] for entry in tool.history.order_by("history_id")] == ["a very secret word", "another one"]
    assert tool.history.count() == entries, "nothing was said anew"
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("rotate_secrets")
    settings.FIELD_KEYS = [new]
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_historicaltool SET name = 'x'")
    page = signed_in(make_staff("monitoring.view_tool", "monitoring.change_tool", name="mona")).get(change_url(tool)).content.decode()
    assert "another one" not in page and "a very secret word" not in page


def test_what_is_wrong_within_a_list_is_told_by_its_place_in_words():
    wrong = {
        "rows": {4: {"unit": ["No choice."], "words": {0: ["Empty."]}}},
        "also": [{}, {"name": ["Too long."]}],
        "reason": ["Needed.", "Short."],
    }
    told = problem_response(ValidationError(wrong), {})
    assert told.data["detail"] == "rows[4].unit: No choice. rows[4].words[0]: Empty. also[1].name: Too long. reason: Needed. Short."
    assert problem_response(ValidationError(["Send a list."]), {}).data["detail"] == "Send a list."
