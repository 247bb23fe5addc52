"""What is read out of the documented payloads of tools that speak HTTP, case by case, and the same through `normalise`."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from monitoring.connectors import CONNECTORS
from monitoring.connectors.aws_signing import signed_headers
from monitoring.connectors.base import Answer, Step
from monitoring.normalising_files import normalised
from tests.recordings import RECORDED, SAMPLES
from tests.standins import STAND_INS
from tests.toolserver import Says, ask, tool_server

UTC = dt.UTC


def told(kind: str, case: str) -> dict[str, dict]:
    lines = list(normalised(kind, RECORDED / kind / case))
    assert [line for line in lines if "quarantined" in line] == []
    return {line["external_id"]: line for line in lines}


def outcomes(lines: dict[str, dict]) -> list[tuple]:
    return [(line["operation"], line["outcome"] or line["state"]) for line in lines.values()]


@pytest.mark.tested("documented", "veeam")
def test_veeam_sessions():
    lines = told("veeam", "sessions")
    assert outcomes(lines) == [
        ("backup", "success"), ("backup", "warning"), ("backup", "failed"), ("backup", "cancelled"), ("copy", "running"),
        ("restore", "success"),
    ]  # fmt: skip
    first = lines["0b6a5f10-0000-4000-8000-000000000001"]
    assert (first["started_at"], first["consistent_at"]) == ("2026-07-13T20:00:05.330000Z", "2026-07-13T20:00:05.330000Z")
    assert first["duration_s"] == 2472.58 and first["bytes_source"] is None and first["encrypted"] is None
    failed = lines["0b6a5f10-0000-4000-8000-000000000003"]
    assert failed["native_message"] == "Not enough free disk space on repository main" and failed["consistent_at"] is None
    assert lines["0b6a5f10-0000-4000-8000-000000000005"]["ended_at"] is None


@pytest.mark.tested("documented", "pbs")
def test_pbs_tasks_and_their_snapshots():
    lines = told("pbs", "tasks-and-snapshots")
    tasks = [line for line in lines.values() if line["evidence_kind"] == "run_log"]
    assert sorted((line["operation"], line["outcome"] or line["state"]) for line in tasks) == [
        ("backup", "failed"), ("backup", "running"), ("backup", "success"), ("backup", "unknown"), ("backup", "warning"),
        ("prune", "success"), ("replicate", "success"), ("verify", "failed"), ("verify", "success"),
    ]  # fmt: skip
    good = next(line for line in tasks if line["outcome"] == "success" and line["operation"] == "backup")
    assert (good["job_external_id"], good["bytes_source"], good["encrypted"]) == ("main:vm/100", 34359738368, True)
    assert good["artefact_id"] == "vm/100/2026-07-13T22:00:03Z" in lines and good["consistent_at"] == "2026-07-13T22:00:03Z"
    warned = next(line for line in tasks if line["outcome"] == "warning")
    assert warned["warnings_count"] == 2
    failed = next(line for line in tasks if line["operation"] == "backup" and line["outcome"] == "failed")
    assert failed["native_message"] == "connection error: connection reset" and failed["artefact_id"] is None
    plain = next(line for line in lines.values() if line["evidence_kind"] == "artefact" and line["target_name"] == "files01")
    assert plain["encrypted"] is False
    assert [line["verification_state"] for line in lines.values() if line["operation"] == "verify"] in (
        ["passed", "failed"],
        ["failed", "passed"],
    )


@pytest.mark.tested("documented", "velero")
def test_velero_backups_and_restores():
    lines = told("velero", "backups-and-restores")
    assert outcomes(lines) == [
        ("backup", "success"), ("backup", "warning"), ("backup", "failed"), ("backup", "failed"), ("backup", "failed"),
        ("backup", "running"), ("backup", "queued"), ("restore", "success"),
    ]  # fmt: skip
    first = lines["shop-nightly-20260713010000"]
    assert (first["job_external_id"], first["target_name"], first["files_total"]) == ("shop-nightly", "shop", 412)
    assert first["retention_until"] == "2026-08-12T01:00:02Z" and first["bytes_source"] is None
    assert lines["mail-20260714"]["native_message"].startswith("an existing backup storage location")
    steps = [Step(name="backups", exit_code=200, stdout=(RECORDED / "velero/backups-and-restores/00-backups.json").read_text())]
    lenient = CONNECTORS["velero"].read(Answer(kind="push", steps=steps, meta={"partially_failed": "warning"}))
    assert {one.outcome for one in lenient.records if one.native_status == "PartiallyFailed"} == {"warning"}


@pytest.mark.tested("documented", "zabbix")
def test_zabbix_events_are_alerts_and_never_copies():
    lines = told("zabbix", "events")
    assert [line["outcome"] for line in lines.values()] == ["failed", "warning", "success", "unknown", "success"]
    assert {(line["evidence_kind"], line["operation"], line["consistent_at"]) for line in lines.values()} == {("alert", "other", None)}
    assert lines["5001"]["job_external_id"] == lines["5003"]["job_external_id"] == "db01:22391"
    assert lines["5001"]["native_message"] == "Backup of db01 failed" and lines["5003"]["native_message"] is None


@pytest.mark.tested("documented", "aws-backup")
def test_aws_jobs():
    lines = told("aws-backup", "jobs")
    assert outcomes(lines) == [
        ("backup", "success"), ("backup", "warning"), ("backup", "failed"), ("backup", "missed"), ("backup", "cancelled"),
        ("backup", "running"),
        ("backup", "success"), ("backup", "warning"), ("copy", "success"), ("restore_test", "success"),
    ]  # fmt: skip
    jobs = list(lines.values())
    assert (
        jobs[0]["bytes_source"] == 10737418240
        and jobs[0]["encrypted"] is True
        and jobs[0]["consistent_at"] == "2026-07-13T22:00:00.123000Z"
    )
    assert jobs[6]["bytes_source"] is None  # this resource type tells 0, which means nothing
    assert jobs[9]["verification_state"] == "passed" and jobs[9]["artefact_id"] == jobs[0]["artefact_id"]
    assert jobs[8]["repository_name"] == "offsite"


@pytest.mark.skipif(not (SAMPLES / "aws-backup-moto").is_dir(), reason="the shared samples are not at hand")
def test_the_aws_payloads_have_the_shapes_of_the_service_model():
    shapes = json.loads((SAMPLES / "aws-backup-moto/vault-plan/service-model-shapes.json").read_text())
    for operation, file in (("ListBackupJobs", "00-backup-jobs"), ("ListCopyJobs", "01-copy-jobs"), ("ListRestoreJobs", "02-restore-jobs")):
        for key, rows in json.loads((RECORDED / f"aws-backup/jobs/{file}.json").read_text()).items():
            shape = shapes[operation]["output"][key][0]
            for row in rows:
                assert set(row) <= set(shape)
                state = "State" if "State" in row else "Status"
                assert row[state] in shape[state].partition(":")[2].split("|")


def test_aws_requests_are_signed_as_amazon_shows_it():
    """The vector `get-vanilla` of the published test suite of Signature Version 4."""
    headers = signed_headers(
        "https://example.amazonaws.com/", at=dt.datetime(2015, 8, 30, 12, 36, tzinfo=UTC), region="us-east-1", service="service",
        key_id="AKIDEXAMPLE", secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    )  # fmt: skip
    assert headers["x-amz-date"] == "20150830T123600Z"
    assert headers["Authorization"].endswith("Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")


BY_BOTOCORE = {
    "https://sts.eu-central-1.amazonaws.com/?Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Freader"
    "&RoleSessionName=itsm-backup&ExternalId=our%2Bside%2F1": ("", "f44a6f12e7e6034fad28c58c919f667bd0e3e56d714e17afc065eccd7a690a87"),
    "https://backup.eu-central-1.amazonaws.com/backup-jobs/?maxResults=1000&createdAfter=2026-07-13T10%3A00%3A00Z&nextToken=a%2Bb%2Fc%3D": (
        "token/of+the=role", "2d1796beab3215647d65cf5a51bf9d662e92329218b923d6dd6349b9f8fae07f",
    ),
    "https://vpce-1.backup.eu-central-1.vpce.amazonaws.com:8443/copy-jobs/?maxResults=1000&completeAfter=2026-07-13T10%3A00%3A00Z": (
        "", "e58ce0c3d47142332849fbb57215fd173b79e17384239311338f7c1addb4be50",
    ),
}  # fmt: skip


@pytest.mark.parametrize("url", BY_BOTOCORE)
def test_aws_requests_are_signed_as_botocore_signs_them(url):
    """Written down from botocore 1.44.5 (SigV4Auth, the same key and instant): a port, a token of a page, keys of a role."""
    token, signature = BY_BOTOCORE[url]
    headers = signed_headers(
        url, at=dt.datetime(2026, 7, 14, 12, tzinfo=UTC), region="eu-central-1", key_id="AKIDEXAMPLE",
        service="sts" if "//sts." in url else "backup", secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", session_token=token,
    )  # fmt: skip
    assert headers["Authorization"].endswith(f"Signature={signature}")


def test_aws_is_asked_in_the_words_of_its_service_model():
    """Written down from what botocore 1.44.5 makes of ListBackupJobs, ListCopyJobs and ListRestoreJobs."""
    stand_in = STAND_INS["aws-backup"]()
    with tool_server(stand_in) as server:
        settings = stand_in.reached(server.address)
        ask(CONNECTORS["aws-backup"], settings=settings, secrets=stand_in.secrets, at="2026-07-14T12:00:00+00:00")
    assert {(each.method, each.path) for each in server.asked} == {("GET", f"/{kind}-jobs/") for kind in ("backup", "copy", "restore")}
    assert {name for each in server.asked for name in each.query} == {"maxResults", "nextToken", "createdAfter", "completeAfter"}
    assert {each.query.get("createdAfter") or each.query["completeAfter"] for each in server.asked} == {"2026-06-14T12:00:00Z"}


def test_aws_takes_on_a_role_and_says_when_it_may_not():
    stand_in = STAND_INS["aws-backup by a role"]()
    with tool_server(stand_in) as server:
        settings = stand_in.reached(server.address)
        answer = ask(CONNECTORS["aws-backup"], settings=settings, secrets=stand_in.secrets)
        assert [each.path for each in server.asked].count("/sts/") == 1 and CONNECTORS["aws-backup"].read(answer).complete
        assert stand_in.secret_of_role not in repr(answer) and stand_in.token_of_role not in repr(answer)
        refused = ask(CONNECTORS["aws-backup"], settings={**settings, "external_id": "theirs"}, secrets=stand_in.secrets)
        server.replies = lambda asked: Says(200, {"AssumeRoleResponse": {}})
        empty = ask(CONNECTORS["aws-backup"], settings=settings, secrets=stand_in.secrets)
    told = CONNECTORS["aws-backup"].read(refused)
    assert not told.complete and "(403)" in told.problems[0] and "It said: not authorized to perform: sts:AssumeRole" in told.problems[0]
    assert CONNECTORS["aws-backup"].read(empty).problems == ["The sign-in was answered, but brought no token."]


@pytest.mark.parametrize("kind", ["veeam", "pbs", "velero", "zabbix", "aws-backup"])
def test_a_single_file_is_recognised(kind):
    files = list((RECORDED / kind).rglob("[0-9]*.json"))
    assert files
    for path in files:
        lines = list(normalised(kind, path))
        assert lines and not [line for line in lines if "quarantined" in line]
