"""Any tool that answers JSON, read as a document says; the documents that come with the product on documented payloads."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.connectors.base import Answer, Step
from monitoring.connectors.map_document import BadDocument, filled, found, parsed, shipped
from monitoring.connectors.mapped import DOCUMENT, Mapped
from monitoring.normalising_files import normalised
from tests.monitoring.connectors.test_robustness import QUICK, check
from tests.recordings import RECORDED
from tests.standins import payload
from tests.toolserver import Asked, Says, ask, tool_server

BARE = """
map: 1
product: Test
list: {path: /runs, items: data}
runs: {id: id, job: job, status: state, started_at: begun, bytes_source: {at: size, unit: KB}}
statuses: {ok: success, bad*: failed, going: running}
"""
ROW = {"id": 7, "job": "nightly", "state": "OK", "begun": "2026-07-14T01:00:00Z", "size": 3}


def read(document: str, *rows: object, kind: str = "push"):
    step = Step(name="list", exit_code=200, stdout=json.dumps({"data": list(rows)}))
    return Mapped().read(Answer(kind=kind, steps=[step], meta={DOCUMENT: document}))


def told(name: str) -> list[tuple]:
    lines = list(normalised(name, RECORDED / "mapped" / name))
    assert [line for line in lines if "quarantined" in line] == []
    return [(line["operation"], line["outcome"] or line["state"]) for line in lines]


@pytest.mark.tested("documented", "mapped")
def test_netbackup():
    assert told("netbackup") == [
        ("backup", "success"), ("backup", "warning"), ("backup", "failed"), ("backup", "missed"), ("backup", "cancelled"),
        ("backup", "running"), ("restore", "success"),
    ]  # fmt: skip
    first = next(normalised("netbackup", RECORDED / "mapped/netbackup"))
    assert (first["bytes_transferred"], first["files_total"], first["level"]) == (2**30, 1200, "full")
    assert (first["job_external_id"], first["artefact_id"]) == ("nightly-db:db01:full", "db01_1784001")


@pytest.mark.tested("documented", "mapped")
def test_azure_backup():
    assert told("azure-backup") == [
        ("backup", "success"), ("backup", "warning"), ("backup", "failed"), ("backup", "cancelled"), ("backup", "running"),
        ("restore", "success"),
    ]  # fmt: skip
    lines = list(normalised("azure-backup", RECORDED / "mapped/azure-backup"))
    assert lines[2]["native_message"] == "The VM agent does not answer." and lines[4]["ended_at"] is None


@pytest.mark.tested("documented", "mapped")
def test_commvault():
    assert [outcome for _, outcome in told("commvault")] == [
        "success", "warning", "failed", "cancelled", "skipped", "running", "queued", "success",
    ]  # fmt: skip
    first = next(normalised("commvault", RECORDED / "mapped/commvault"))
    assert (first["bytes_source"], first["bytes_stored"], first["duration_s"]) == (5368709120, 1073741824, 3600)


@pytest.mark.tested("documented", "mapped")
def test_kopia():
    lines = list(normalised("kopia", RECORDED / "mapped/kopia"))
    found = [(line["job_external_id"], line["external_id"], line["outcome"]) for line in lines]
    assert found == [  # older copies than the newest, too
        ("backup:db01:/home", "k2a2b3c4", "warning"),
        ("backup:db01:/opt", "k4a2b3c4", "failed"),
        ("backup:db01:/srv", "k0a2b3c12", "success"),
        ("backup:db01:/srv", "k0a2b3c13", "success"),
        ("backup:db01:/srv", "k1a2b3c4", "success"),
        ("backup:db01:/var", "k3a2b3c4", "cancelled"),
    ]
    assert (lines[4]["bytes_source"], lines[4]["files_total"], lines[4]["target_name"]) == (734003200, 4211, "db01")


@pytest.mark.tested("documented", "mapped")
def test_duplicati():
    assert told("duplicati") == [
        ("backup", "success"), ("backup", "warning"), ("backup", "failed"), ("backup", "cancelled"), ("backup", "warning"),
        ("verify", "success"),
    ]  # fmt: skip


@pytest.mark.tested("documented", "mapped")
def test_rubrik():
    assert [outcome for _, outcome in told("rubrik")] == ["success", "warning", "failed", "cancelled", "running", "queued", "unknown"]


def test_every_document_of_the_product_is_good_and_has_payloads():
    assert set(shipped()) == {"azure-backup", "commvault", "duplicati", "kopia", "netbackup", "rubrik"}
    for name, text in shipped().items():
        assert parsed(text).product and (RECORDED / "mapped" / name / "case.json").exists()


def test_azure_signs_in_and_follows_links_of_its_own_address_only():
    pages = [payload("mapped", "azure-backup", file) for file in ("00-list.json", "01-list.json")]
    place = "/subscriptions/sub-1/resourceGroups/rg%20one/providers/Microsoft.RecoveryServices/vaults/v1/backupJobs"

    def azure(asked: Asked) -> Says:
        if asked.path == "/dir-1/oauth2/v2.0/token":
            assert "client_secret=a+very+secret+word" in asked.body and "grant_type=client_credentials" in asked.body
            return Says(body={"token_type": "Bearer", "access_token": "eyJ.token.of-azure"})
        assert asked.headers["authorization"] == "Bearer eyJ.token.of-azure"
        if "$skipToken" in asked.query:
            return Says(body=pages[1])
        assert asked.query["$filter"] == "startTime eq '2026-06-14 12:00:00 PM'" and asked.query["api-version"]
        return Says(body={**pages[0], "nextLink": azure.after})

    settings = {"map": "azure-backup", "user": "app", "values": "tenant=dir-1\nsubscription=sub-1\nresource_group=rg one\nvault=v1"}
    with tool_server(azure) as server:
        document = shipped()["azure-backup"].replace("https://login.microsoftonline.com", server.address)
        given = {**settings, "address": server.address, DOCUMENT: document}
        azure.after = f"{server.address}/next?$skipToken=abc"
        answer = ask(Mapped(), settings=given, secrets={"secret": "a very secret word"})
        whole = Mapped().read(answer)
        azure.after = "https://evil.example.org/next?$skipToken=abc"
        led = Mapped().read(ask(Mapped(), settings=given, secrets={"secret": "a very secret word"}))
    assert server.asked[1].path.replace(" ", "%20") == place
    assert whole.complete and len(whole.records) == 6 and "eyJ.token" not in repr(answer) and "very secret" not in repr(answer)
    assert whole.cursor == {"since": "2026-07-13T22:30:00.123456+00:00"}  # the run that goes on is asked for again
    assert not led.complete and "evil.example.org is not the tool's own address" in led.problems[0]


def test_commvault_and_kopia_are_asked_as_their_documents_say():
    def commvault(asked: Asked) -> Says:
        assert (asked.method, asked.path, asked.headers["authtoken"]) == ("POST", "/webconsole/api/Jobs", "QSDK-token")
        assert asked.json["pagingConfig"]["offset"] == 0 and asked.json["jobFilter"]["completedJobLookupTime"] == 30 * 86400
        return Says(body=payload("mapped", "commvault", "00-list.json"))

    def kopia(asked: Asked) -> Says:
        assert asked.headers["authorization"] == "Basic cmVhZGVyOnMzY3JldA=="
        if asked.path == "/api/v1/sources":
            return Says(body=payload("mapped", "kopia", "00-list.json"))
        assert asked.path == "/api/v1/snapshots" and {**asked.query, "path": ""} == {
            "all": "1", "userName": "backup", "host": "db01", "path": "",
        }  # fmt: skip
        number = ["/srv", "/home", "/var", "/opt", "/new"].index(asked.query["path"]) + 1
        return Says(body=payload("mapped", "kopia", f"{number:02}-each.json"))

    cases = [("commvault", commvault, "", "QSDK-token", "/webconsole/api"), ("kopia", kopia, "reader", "s3cret", "")]
    for name, replies, user, secret, path in cases:
        with tool_server(replies) as server:
            given = {"map": name, "address": server.address + path, "user": user, DOCUMENT: shipped()[name]}
            assert Mapped().read(ask(Mapped(), settings=given, secrets={"secret": secret})).complete


def test_a_run_keeps_its_key_from_the_queue_to_its_end():
    document = BARE.replace("started_at: begun", "started_at: begun, scheduled_at: due").replace(
        "going: running", "going: running, waits: queued"
    )
    due = {"due": "2026-07-14T00:55:00Z"}
    stages = [{**ROW, **due, "begun": None, "state": "waits"}, {**ROW, **due, "state": "going"}, {**ROW, **due}]
    assert len({(one.created_at, one.identity) for stage in stages for one in read(document, stage).records}) == 1
    assert read(document, {**stages[0], "due": None}).records == [] == read(document, {**stages[0], "due": None}).rejects


def test_a_page_that_names_itself_ends_the_round():
    document = BARE.replace("items: data", "items: data, query: {after: '{cursor}'}, next: {cursor: next}")
    with tool_server(lambda asked: Says(body={"data": [ROW], "next": "x"})) as server:
        answer = ask(Mapped(), settings={"map": "m", "address": server.address, DOCUMENT: document})
        assert len(server.asked) == 2
    assert "names itself as the next one" in Mapped().read(answer).problems[0]


def test_counting_pages_reads_every_row():
    rows = [{**ROW, "id": number} for number in range(7)]
    document = BARE.replace("items: data", "items: data, query: {from: '{offset}'}, next: {size: 3}")
    with tool_server(lambda asked: Says(body={"data": rows[(n := int(asked.query["from"])) : n + 3]})) as server:
        answer = ask(Mapped(), settings={"map": "m", "address": server.address, DOCUMENT: document})
    assert [one.external_id for one in Mapped().read(answer).records] == [str(number) for number in range(7)]


def test_it_says_for_how_long_a_copy_is_locked_and_kept_where_the_tool_does():
    document = BARE.replace("started_at: begun", "started_at: begun, immutable_until: lock, retention_until: keep")
    row = {**ROW, "lock": "2026-08-01T00:00:00Z", "keep": "2026-09-01T00:00:00Z"}
    told = read(document, row).records[0]
    assert (told.immutable_until, told.retention_until) == (dt.datetime(2026, 8, 1, tzinfo=dt.UTC), dt.datetime(2026, 9, 1, tzinfo=dt.UTC))
    assert read(document, {**row, "state": "bad"}).records[0].retention_until is None, "what failed keeps nothing"


def test_what_is_not_known_is_never_guessed():
    for change in ({"state": "Finished"}, {"state": None}, {"size": "three"}, {"size": -1}, {"begun": "yesterday", "state": "ok"}):
        result = read(BARE, {**ROW, **change})
        if "begun" in change:
            assert result.records == [] and "no usable time at begun" in result.rejects[0].reason
        else:
            assert result.records[0].outcome == ("success" if "size" in change else "unknown")
            assert result.records[0].bytes_source is None
    assert read(BARE, ROW).records[0].bytes_source == 3072


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("product: Test", "produkt: Test"), "unknown field produkt"),
        (("ok: success", "ok: fine"), "fine, which is none of success"),
        (("ok: success", "'*': success"), "failures too, into a good run"),
        (("path: /runs", "path: https://evil.example.org/"), "It begins with /".lower()),
        (("path: /runs", "path: '/{place}'"), "{place} is not known"),
        (("unit: KB", "unit: parsec"), "parsec"),
        (("map: 1", "map: 2"), "map"),
        (("product: Test", "product: [Test"), "no valid YAML in line"),
        (("product: Test", "product: &a Test\nabout: *a"), "alias"),
        (("items: data", "items: data, next: {cursor: a, url: b}"), "one of cursor, url and size"),
    ],
)
def test_a_bad_document_is_told_where_and_why(change, words):
    with pytest.raises(BadDocument) as caught:
        parsed(BARE.replace(*change))
    assert words in str(caught.value)


def test_without_a_map_or_its_values_nothing_is_asked():
    with tool_server(lambda asked: Says(body={"data": []})) as server:
        for settings, words in (
            ({"map": "none"}, "There is no map none in force"),
            ({"map": "m", DOCUMENT: "map: 3"}, "The map m cannot be used"),
            ({"map": "azure-backup", DOCUMENT: shipped()["azure-backup"]}, "tenant, subscription, resource_group, vault"),
        ):
            told = Mapped().read(ask(Mapped(), settings={**settings, "address": server.address}))
            assert not told.complete and words in " ".join(told.problems)
        assert server.asked == []


def test_a_tool_that_posts_by_itself_is_not_asked():
    with tool_server(lambda asked: Says()) as server:
        told = Mapped().read(ask(Mapped(), settings={"map": "duplicati", "address": server.address, DOCUMENT: shipped()["duplicati"]}))
        assert server.asked == [] and told.complete and told.records == []


def test_places_keep_the_type_of_their_value_and_fall_out_when_empty():
    assert filled({"a": "{offset}", "b": "{cursor}", "c": ["x{offset}y"]}, {"offset": 3, "cursor": None}) == {"a": 3, "c": ["x3y"]}
    assert found({"a": [{"b.c": 1, "b": 2}]}, "a.0.b") == 2 and found([], "9") is None and found({"a": 1}, "a.b") is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("2026-07-14T01:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PATHS = st.sampled_from(["id", "job", "a.b", "a.0.b", "", "begun", "state"])
MAPS = st.fixed_dictionaries(
    {
        "map": st.just(1),
        "product": st.text(max_size=8),
        "list": st.fixed_dictionaries({"path": st.just("/x"), "items": st.sampled_from(["", "data", "a.0"])}),
        "runs": st.fixed_dictionaries(
            {"id": PATHS, "job": PATHS, "status": PATHS, "started_at": PATHS, "bytes_source": PATHS, "ended_at": PATHS, "message": PATHS,
             "revision": PATHS, "artefact": PATHS, "files_total": PATHS, "times": st.sampled_from(["rfc3339", "epoch_s", "epoch_ms"])}
        ),
        "statuses": st.dictionaries(st.text(max_size=6), st.sampled_from(["success", "failed", "running", "ignored", "*"]), max_size=4),
    }
)  # fmt: skip


@QUICK
@given(MAPS, st.lists(st.dictionaries(st.sampled_from(["id", "job", "a", "begun", "state", "data"]), VALUES) | VALUES, max_size=4))
def test_it_never_raises(document, rows):
    check(read(json.dumps(document), *rows))


@QUICK
@given(st.text(max_size=200) | st.text("{}[]:&*!-\n ab1", max_size=60))
def test_no_text_breaks_the_reader_of_documents(text):
    for document in (text, BARE + text, BARE.replace("/runs", text)):
        try:
            parsed(document)
        except BadDocument as error:
            assert str(error).endswith(".")


def test_a_source_whose_copies_cannot_be_listed_leaves_the_round_incomplete():
    """What was told until then is stored, and nothing is called missing by it."""
    sources = payload("mapped", "kopia", "00-list.json")

    def kopia(asked: Asked) -> Says:
        if asked.path == "/api/v1/sources":
            return Says(body=sources)
        file = {"/srv": "01-each.json", "/home": "02-each.json"}.get(asked.query["path"])
        return Says(body=payload("mapped", "kopia", file)) if file else Says(status=500)

    with tool_server(kopia) as server:
        given = {"map": "kopia", "address": server.address, "user": "reader", DOCUMENT: shipped()["kopia"]}
        half = Mapped().read(ask(Mapped(), settings=given, secrets={"secret": "s3cret"}))
        del sources["sources"][0]["source"]["path"]
        odd = Mapped().read(ask(Mapped(), settings=given, secrets={"secret": "s3cret"}))
    assert (
        not half.complete and half.problems and {run.job_external_id for run in half.records} == {"backup:db01:/srv", "backup:db01:/home"}
    )
    assert not odd.complete and "lacks what is asked for next: path" in " ".join(odd.problems)
