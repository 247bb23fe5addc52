"""Whatever goes wrong on the way to a tool becomes a sentence, keeps what was read, and the next poll loses and doubles nothing."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from itsm_backup.common.http import client
from itsm_backup.common.http.addresses import Allowed
from monitoring import polling
from monitoring.connectors import CONNECTORS, fetching, pbs, zabbix
from monitoring.connectors.base import Answer
from monitoring.models import BackupRun, RawAnswer, ToolState
from tests.factories import make_tool
from tests.standins import PAGE, STAND_INS
from tests.toolserver import Asked, Says, Waits, ask, own_certificate, tool_server

KINDS, CAP_BYTES = sorted(STAND_INS), 20_000
NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    for module in (pbs, zabbix):
        monkeypatch.setattr(module, "PAGE", PAGE)


def read(kind: str, stand_in, server, **how):
    connector = CONNECTORS[stand_in.kind]
    answer = ask(connector, settings=stand_in.reached(server.address), secrets=stand_in.secrets, **how)
    return answer, connector.read(answer)


def test_every_connector_that_is_asked_over_http_is_tried_here():
    assert {stand_in.kind for stand_in in STAND_INS.values()} == {
        kind for kind, one in CONNECTORS.items() if getattr(one, "over_http", False)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_it_reads_every_page_and_keeps_no_secret(kind):
    stand_in = STAND_INS[kind]()
    with tool_server(stand_in) as server:
        answer, told = read(kind, stand_in, server)
    assert told.problems == [] and told.rejects == [] and told.complete
    assert len(told.records) >= stand_in.records and len(server.asked) >= stand_in.questions
    assert len({record.identity for record in told.records}) == len(told.records)
    kept = repr(answer)
    assert [secret for secret in stand_in.secrets.values() if secret in kept] == []
    assert "access-token-number" not in kept


FAULTS = {
    "throttled": (Says(429, {"message": "slow down"}, {"Retry-After": "3600"}), "asks for fewer questions (429, after 3600 s)"),
    "unauthorised": (Says(401, {"message": "token expired"}), "refuses the sign-in (401)"),
    "forbidden": (Says(403, {"message": "role is missing"}), "does not permit this reading (403)"),
    "another version": (Says(404, "not here", kind="text/plain"), "(404). Check the address and the version"),
    "moved": (Says(302, "", {"Location": "http://169.254.169.254/"}), "answers with a redirect (302)"),
    "broken": (Says(500, {"message": "null reference"}), "an error of its own (500). It said: null reference"),
    "half": (Says(200, {"data": ["x" * 200]}, half=True), "broke off in the middle of its answer"),
    "slow": (Says(200, {"data": ["x" * 200]}, slow_s=0.05), "did not answer in full within 0.4 s"),
    "a sign-in page": (
        Says(200, "<html>Sign in</html>", kind="text/html; charset=utf-8"),
        "answers with text/html where JSON was expected",
    ),
    "cut JSON": (Says(200, '{"data": [{"id"'), "JSON that cannot be read: it is cut off or damaged"),
    "other JSON": (Says(200, ["hello"]), ""),
    "endless": (Says(200, {"data": ["x" * CAP_BYTES]}), f"answers with more than {CAP_BYTES:,} bytes"),
    "nothing": (Says(200, ""), "JSON that cannot be read"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_told_in_a_sentence(kind, fault, monkeypatch):
    monkeypatch.setattr(fetching, "CAP_BYTES", CAP_BYTES)
    says, words = FAULTS[fault]
    stand_in = STAND_INS[kind]()
    with tool_server(lambda asked: says) as server:
        _, told = read(kind, stand_in, server, timeout_s=0.4)
    assert not told.complete and told.problems and told.records == [] and told.cursor == {}
    assert words in " ".join(told.problems)
    assert all(sentence.endswith((".", "again", words)) or "It said" in sentence for sentence in told.problems)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tool_that_is_busy_for_a_moment_is_asked_again(kind):
    stand_in, waits, busy = STAND_INS[kind](), Waits(), iter([True] * 2)
    with tool_server(lambda asked: Says(429, "", {"Retry-After": "2"}) if next(busy, False) else stand_in(asked)) as server:
        _, told = read(kind, stand_in, server, waits=waits)
    assert told.complete and waits == [2, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrusted_certificate_gets_no_secret(kind, tmp_path):
    stand_in = STAND_INS[kind]()
    with tool_server(stand_in, own_certificate(tmp_path)) as server:
        _, told = read(kind, stand_in, server)
    assert server.asked == [] and "The certificate of 127.0.0.1 is not trusted" in told.problems[0]


SIGNED_IN = ("rubrik", "veeam")  # the others send what they were given with every question


@pytest.mark.parametrize("kind", SIGNED_IN)
def test_a_token_that_runs_out_in_the_middle_is_renewed(kind):
    stand_in, calls = STAND_INS[kind](), []

    def forgetful(asked: Asked) -> Says:
        calls.append(asked)
        if len(calls) == 3 and len(stand_in.tokens) == 1:
            return Says(401, {"message": "The token expired"})
        return stand_in(asked)

    with tool_server(forgetful) as server:
        answer, told = read(kind, stand_in, server)
    assert told.complete and len(stand_in.tokens) == 2 and "access-token-number" not in repr(answer)


BREAKS = ("throttled", "unauthorised", "moved", "broken", "half", "a sign-in page", "endless")


@pytest.mark.django_db
@pytest.mark.parametrize("fault", BREAKS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_next_poll_goes_on_without_loss_or_double(kind, fault, settings, monkeypatch):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    monkeypatch.setattr(fetching, "CAP_BYTES", CAP_BYTES)
    monkeypatch.setattr(client, "WAIT_S", 0)
    whole = STAND_INS[kind]()
    with tool_server(whole) as server:
        _, wanted = read(kind, whole, server)
    stand_in, calls, (says, words) = STAND_INS[kind](), [], FAULTS[fault]

    def breaks_off(asked: Asked) -> Says:
        calls.append(asked)
        return says if len(calls) >= stand_in.questions else stand_in(asked)

    with tool_server(breaks_off) as server:
        tool = make_tool(stand_in.kind, at=NOON, settings=stand_in.reached(server.address), secrets=stand_in.secrets)
        first = polling.poll(tool=tool, at=NOON)
        state = ToolState.objects.get(tool=tool)
        assert not first.complete and words in state.problem and state.consecutive_failures == 1
        server.replies = stand_in
        for turn in range(1, 4):
            later = polling.poll(tool=tool, at=NOON + dt.timedelta(minutes=15 * turn))
            assert later.complete
    state.refresh_from_db()
    assert (state.problem, state.consecutive_failures) == ("", 0) and bool(state.cursor) == stand_in.goes_on
    artefacts = sum(1 for one in wanted.records if one.evidence_kind == "artefact" and _has_task(one, wanted.records))
    assert BackupRun.objects.filter(tool=tool).count() == len(wanted.records) - artefacts
    assert RawAnswer.objects.count() == 4


def _has_task(artefact, records):
    return any(one.artefact_id == artefact.artefact_id and one is not artefact for one in records)


@pytest.mark.django_db
def test_an_address_that_was_not_allowed_is_never_asked(settings):
    settings.TOOL_ADDRESSES = Allowed("veeam.example.org")
    stand_in = STAND_INS["veeam"]()
    with tool_server(stand_in) as server:
        tool = make_tool("veeam", at=NOON, settings=stand_in.reached(server.address), secrets=stand_in.secrets)
        receipt = polling.poll(tool=tool, at=NOON)
        assert server.asked == []
    assert "TOOL_ADDRESSES" in " ".join(receipt.problems) and not receipt.complete


@pytest.mark.django_db
def test_certificates_given_in_the_settings_are_trusted(settings, tmp_path):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    stand_in, certificate = STAND_INS["pbs"](), own_certificate(tmp_path)
    with tool_server(stand_in, certificate) as server:
        own = {"certificates": Path(tmp_path / "certificate.pem").read_text()}
        tool = make_tool("pbs", at=NOON, settings={**stand_in.reached(server.address), **own}, secrets=stand_in.secrets)
        assert polling.poll(tool=tool, at=NOON).complete
        tool.settings["certificates"] = "nonsense"
        assert "PEM" in polling.poll(tool=tool, at=NOON).problems[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_answer_is_read_alike_ever_after(kind):
    stand_in = STAND_INS[kind]()
    with tool_server(stand_in) as server:
        answer, told = read(kind, stand_in, server)
    import msgspec

    again = msgspec.json.decode(msgspec.json.encode(answer), type=Answer)
    assert json.loads(msgspec.json.encode(CONNECTORS[stand_in.kind].read(again))) == json.loads(msgspec.json.encode(told))
