"""Mappings through the API: read with what they make of the last answer, drafted, and approved by somebody else."""

import json

import pytest
from django.test import Client

from itsm_backup.common.time import now
from monitoring import intake
from monitoring.models import BackupJob
from tests.factories import make_admin, make_rule, make_service, make_tool, make_user
from tests.monitoring.test_translating import DAY, RETENTION, answer

pytestmark = pytest.mark.django_db


def call(user, method, address, body=None):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.generic(method.upper(), f"/api/v1/{address}", json.dumps(body or {}), content_type="application/json")


@pytest.fixture
def tool():
    tool = make_tool("borg", name="vault", settings={"repository": "/srv/vault"})
    intake.receive(tool=tool, answer=answer(now(), alpha=(30, 1)), at=now())
    job = BackupJob.objects.get()
    job.service = make_service("pacs")
    make_rule(job.service, tool, job.external_id)
    job.save()
    return tool


def test_a_mapping_is_drafted_approved_by_somebody_else_and_read_with_its_values(tool):
    mona, olga = make_admin("mona"), make_admin("olga")
    before = call(mona, "get", "tools/vault/mapping/").json()
    assert before["version"] is None and "list.archives[].start" in {one["path"] for one in before["attributes"]}
    made = call(mona, "post", "tools/vault/mapping/", {"rows": [RETENTION], "reason": "As told"})
    assert (made.status_code, made.json()) == (201, {"tool": "vault", "version": 1, "state": "draft"}), made.content
    own = call(mona, "post", "tools/vault/mapping/1/approve", {"reason": "x"})
    assert own.status_code == 403 and "somebody else must approve it" in own.json()["detail"]
    assert call(olga, "post", "tools/vault/mapping/1/approve", {"reason": "Read"}).json()["state"] == "approved"
    assert call(olga, "post", "tools/vault/mapping/1/approve", {"reason": "Read"}).status_code == 409
    assert call(olga, "post", "tools/vault/mapping/9/approve", {"reason": "Read"}).status_code == 404
    found = call(olga, "get", "tools/vault/mapping/").json()
    (mapped,) = [one for one in found["attributes"] if one["field"]]
    assert (found["version"], found["author"], found["approver"], mapped["value"]) == (1, "mona", "olga", 30)
    assert call(olga, "get", f"tools/vault/mapping/?as_of={now() - DAY:%Y-%m-%dT%H:%MZ}").json()["version"] is None
    observed = call(olga, "get", "services/pacs/observed/").json()
    pairs = {one["field"]: one for one in observed["fields_compared"]}
    assert (pairs["retention_days"]["observed"], pairs["retention_days"]["agrees"], pairs["rpo_s"]["promised"]) == (30, None, 93_600)
    assert observed["sources"][0]["unmapped"] == len(found["attributes"]) - 1


def test_it_says_what_is_wrong_and_who_may(tool):
    root, reader = make_admin("root"), make_user("reader")
    bad = call(root, "post", "tools/vault/mapping/", {"rows": [{**RETENTION, "unit": "word"}], "reason": "x"})
    assert bad.status_code == 409 and "make no Retention" in bad.json()["detail"]
    assert call(root, "post", "tools/vault/mapping/", {"rows": [{**RETENTION, "field": "speed"}], "reason": "x"}).status_code == 400
    assert call(reader, "get", "tools/vault/mapping/").status_code == 404
    assert call(reader, "get", "services/pacs/observed/").status_code == 404
