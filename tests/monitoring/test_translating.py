"""Mappings: versions that somebody else approves, tried on a real answer, and promised beside observed."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import DatabaseError, connection, transaction

from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup import journey
from itsm_backup.demo import recordings
from monitoring import intake, translating
from monitoring.attributes import told_by
from monitoring.beside import beside
from monitoring.connectors.base import Answer, Step
from monitoring.models import AttributeMapping, BackupJob
from tests.catalogue.makers import make_user
from tests.factories import make_rule, make_service, make_tool

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
RETENTION = {"path": "list.archives[].start", "field": "retention_days", "unit": "instant", "transform": "oldest_age"}
ENCRYPTION = {"path": "list.encryption.mode", "field": "encryption", "unit": "word", "transform": "words", "words": {"repokey": "at_rest"}}


@pytest.fixture
def mona():
    return make_user("mona", "monitoring.view_tool", "monitoring.change_tool")


@pytest.fixture
def peter():
    return make_user("peter", "monitoring.view_tool", "monitoring.approve_attributemapping")


def answer(at, **hosts):
    """What the real borg said, with the archives of these hosts: each so many days old."""
    listed = recordings.document("borg-list.json")
    template = listed["archives"][0]
    made = []
    for host, days in ((host, days) for host, ages in hosts.items() for days in ages):
        instant = f"{at - days * DAY:%Y-%m-%dT%H:%M:%S}"
        name = dict.fromkeys(("name", "archive", "barchive"), f"{host}-files-{instant}")
        times = dict.fromkeys(("start", "time", "end"), f"{instant}.000000")
        made.append({**template, **name, **times, "hostname": host, "id": f"{host}{days}".encode().hex().ljust(64, "0")})
    text = json.dumps({**listed, "archives": made, "encryption": {"mode": "repokey"}})
    steps = [Step(name="version", command="borg --version", exit_code=0, stdout="borg 1.4.0"),
             Step(name="list", command="borg list --json", exit_code=0, stdout=text)]  # fmt: skip
    return Answer(kind="poll", steps=steps)


@pytest.fixture
def tool(noon):
    tool = make_tool("borg", name="vault", at=noon - 60 * DAY, settings={"repository": "/srv/vault"})
    intake.receive(tool=tool, answer=answer(noon, alpha=(50, 1), beta=(20, 2)), at=noon)
    for code, job in zip(("PACS", "RIS"), BackupJob.objects.order_by("external_id"), strict=True):
        make_rule(make_service(code, at=noon - 60 * DAY), tool, job.external_id, at=noon - 60 * DAY)
    journey.advance(at=noon)
    return tool


def in_force(tool, mona, peter, at, *rows):
    row = translating.draft_mapping(tool=tool, rows=rows, by=mona, at=at, reason="As told")
    return translating.approve(row=row, by=peter, at=at, reason="Read")


def test_every_attribute_of_the_answer_is_there_and_knows_its_job(tool, noon):
    told = told_by(tool, noon)
    starts = told.attributes["list.archives[].start"]
    assert len(starts.values) == 4 and len({owner for _, owner in starts.values}) == 2
    assert {owner for _, owner in told.attributes["list.encryption.mode"].values} == {None}, "that speaks of the whole tool"
    assert told.attributes["version"].values == [("borg 1.4.0", None)]
    assert told_by(tool, noon - DAY) is None


def test_what_is_unmapped_or_unconvertible_is_listed_and_never_dropped(tool, noon):
    rows = [RETENTION, {**ENCRYPTION, "words": {"keyfile": "at_rest"}}, {**RETENTION, "path": "list.archives[].gone"}]
    told = told_by(tool, noon)
    found = {one.path: one for one in translating.observe(rows=rows, told=told, zone="UTC")}
    assert set(found) == {*told.attributes, "list.archives[].gone"}
    assert found["list.archives[].start"].value == 50 and not found["list.archives[].start"].problem
    assert "Nothing says what “repokey” means" in found["list.encryption.mode"].problem
    assert "said nothing" in found["list.archives[].gone"].problem
    assert found["list.archives[].hostname"].field == "", "listed as not mapped"


def test_promised_stands_beside_what_the_tool_says_of_the_entrys_own_jobs(tool, noon, mona, peter):
    in_force(tool, mona, peter, noon, RETENTION, ENCRYPTION)
    found = {}
    for job in BackupJob.objects.select_related("service"):
        version = job.service.version_at(noon)
        found[job.external_id] = beside(service=job.service, version=version, at=noon)
    pairs = {host: {pair.field: pair.observed for pair in one.pairs} for host, one in found.items()}
    assert sorted(one["retention_days"] for one in pairs.values()) == [20, 50], "each of its own job"
    assert all(one["encryption"] == "at_rest" for one in pairs.values())
    (source,) = next(iter(found.values())).sources
    assert source.mapping.number == 1 and source.unmapped == len(source.told.attributes) - 2 and source.problems == ()
    before = beside(service=job.service, version=version, at=noon - DAY)
    assert before.sources == (), "nothing was known then"


def test_a_version_counts_once_somebody_else_approves_it_and_then_never_changes(tool, noon, mona, peter):
    row = translating.draft_mapping(tool=tool, rows=[RETENTION], by=mona, at=noon, reason="First")
    assert translating.in_force(tool, noon) is None
    with pytest.raises(NotAllowed, match=r"You wrote the mapping of vault, version 1, so somebody else must approve it\. .*peter can"):
        translating.approve(row=row, by=mona, at=noon, reason="x")
    with pytest.raises(NotAllowed, match="You may not approve"):
        translating.approve(row=row, by=make_user("nobody"), at=noon, reason="x")
    assert translating.draft_mapping(tool=tool, rows=[RETENTION, ENCRYPTION], by=mona, at=noon, reason="Better") == row, "one draft"
    translating.approve(row=row, by=peter, at=noon + DAY, reason="Read")
    with pytest.raises(WrongState, match="already approved"):
        translating.approve(row=row, by=peter, at=noon + DAY, reason="Twice")
    second = translating.draft_mapping(tool=tool, rows=[ENCRYPTION], by=mona, at=noon + DAY, reason="Less")
    assert second.number == 2 and translating.in_force(tool, noon + 2 * DAY) == row
    assert translating.in_force(tool, noon) is None, "as of then"
    row.refresh_from_db()
    assert translating.changes(row.rows, second.rows) == ["list.archives[].start is no longer mapped."]
    translating.give_up(row=second, by=mona, at=noon + DAY, reason="No")
    sql = f"UPDATE monitoring_attributemapping SET rows = '[]' WHERE id = {row.pk}"
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    sql = "UPDATE monitoring_attributemapping SET approver_id = author_id WHERE state = 'cancelled'"
    with pytest.raises(DatabaseError, match="mapping_author_never_approves"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_who_may_write_and_what_must_be_said(tool, noon, mona):
    said = {"tool": tool, "at": noon, "reason": "x"}
    with pytest.raises(NotAllowed, match=r"You may not map the attributes of vault\. mona can"):
        translating.draft_mapping(rows=[RETENTION], by=make_user("nobody"), **said)
    with pytest.raises(NotReady, match="is mapped twice"):
        translating.draft_mapping(rows=[RETENTION, RETENTION], by=mona, **said)
    with pytest.raises(NotReady, match="make no Encryption"):
        translating.draft_mapping(rows=[{**ENCRYPTION, "unit": "d"}], by=mona, **said)
    translating.draft_mapping(rows=[RETENTION], by=mona, **said)
    with pytest.raises(NotReady, match="mona writes mapping of vault"):
        translating.draft_mapping(rows=[], by=make_user("max", "monitoring.view_tool", "monitoring.change_tool"), **said)


def test_declared_twice_it_is_one_version(tool, noon, mona, peter):
    said = {"tool": tool, "by": mona, "approver": peter, "at": noon, "reason": "Declared"}
    assert translating.declare_mapping(rows=[RETENTION], **said).made
    assert not translating.declare_mapping(rows=[RETENTION], **said).wrote
    assert translating.declare_mapping(rows=[ENCRYPTION], **said).wrote and AttributeMapping.objects.count() == 2
