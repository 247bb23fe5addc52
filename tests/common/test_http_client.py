"""Where the product may be led, and how it speaks with a server that is slow, broken, busy or not what it says. Against real servers."""

from __future__ import annotations

import time

import pytest

from itsm_backup.common.http.addresses import Allowed, Forbidden, Unreachable
from itsm_backup.common.http.client import Client, trusting
from tests.toolserver import Says, Waits, own_certificate, tool_server


def test_it_speaks_only_to_what_is_listed():
    with tool_server(lambda asked: Says(body="secret of the metadata service")) as server:
        port = server.address.rpartition(":")[2]
        for listed in ("", "10.0.0.0/8", "localhost", "127.0.0.2", f"127.0.0.1:{int(port) - 1}", "*.localhost"):
            with Client(allowed=Allowed(listed)) as client, pytest.raises(Forbidden, match="TOOL_ADDRESSES"):
                client.send("GET", server.address)
        assert server.asked == []
        for listed in ("127.0.0.1", "127.0.0.0/8", f"127.0.0.1:{port}"):
            with Client(allowed=Allowed(listed)) as client:
                assert client.send("GET", server.address).status == 200


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0", "[::]", "[::1]"])
def test_no_other_spelling_of_the_own_machine_gets_through(host):
    with Client(allowed=Allowed("*.example.org, 10.0.0.0/8"), tries=1) as client, pytest.raises(Unreachable):
        client.send("GET", f"http://{host}:9/")


def test_a_name_that_turns_to_the_machine_itself_is_refused(monkeypatch):
    told = [(2, 1, 6, "", ("169.254.169.254", 80)), (2, 1, 6, "", ("127.0.0.1", 80)), (2, 1, 6, "", ("192.0.2.7", 80))]
    monkeypatch.setattr("itsm_backup.common.http.addresses.socket.getaddrinfo", lambda *args, **kwargs: told)
    assert Allowed("veeam.example.org").addresses("veeam.example.org", 80) == ["192.0.2.7"]
    assert Allowed("*.example.org:80").addresses("VEEAM.example.org.", 80) == ["192.0.2.7"]
    assert Allowed("192.0.2.0/24").addresses("other.example.org", 80) == ["192.0.2.7"]
    with pytest.raises(Forbidden):
        Allowed("*.example.org:443").addresses("veeam.example.org", 80)


@pytest.mark.parametrize("text", ["https://host", "ho st/x", "10.0.0.0/40", "host:99999", "300.1.2.3", "*", "[zz]"])
def test_a_bad_list_is_told(text):
    with pytest.raises(ValueError, match="neither a host name nor an address"):
        Allowed(text)


def test_proxies_of_the_environment_are_no_way_around(monkeypatch):
    with tool_server(lambda asked: Says(body="proxied")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        monkeypatch.setenv("ALL_PROXY", proxy.address)
        with Client(allowed=Allowed("127.0.0.1"), tries=1) as client, pytest.raises(Unreachable):
            client.send("GET", "http://127.0.0.1:9/")
        assert proxy.asked == []


def test_it_waits_as_long_as_the_server_asks():
    waits, turns = Waits(), iter([Says(429, headers={"Retry-After": "7"}), Says(503), Says(body="at last")])
    with tool_server(lambda asked: next(turns)) as server, Client(allowed=Allowed("127.0.0.1"), wait=waits) as client:
        assert client.send("GET", server.address).body == b"at last"
    assert waits[0] == 7 and 0.5 <= waits[1] <= 1.5


def test_a_long_wait_is_left_to_the_next_round():
    waits = Waits()
    with (
        tool_server(lambda asked: Says(429, headers={"Retry-After": "3600"})) as server,
        Client(allowed=Allowed("127.0.0.1"), wait=waits) as client,
    ):
        assert client.send("GET", server.address).status == 429
        assert len(server.asked) == 1 and waits == []


def test_a_body_that_drips_for_ever_ends_in_time():
    begun = time.monotonic()
    client = Client(allowed=Allowed("127.0.0.1"), timeout_s=0.5, tries=1)
    drips = tool_server(lambda asked: Says(body="x" * 500, slow_s=0.1))
    with drips as server, client, pytest.raises(Unreachable, match=r"within 0.5 s"):
        client.send("GET", server.address)
    assert time.monotonic() - begun < 5


def test_half_an_answer_is_none():
    with tool_server(lambda asked: Says(body="x" * 100, half=True)) as server:
        with Client(allowed=Allowed("127.0.0.1"), wait=Waits()) as client, pytest.raises(Unreachable, match="broke off"):
            client.send("GET", server.address)
        assert len(server.asked) == 3


def test_certificates_are_verified_and_may_be_trusted_one_by_one(tmp_path):
    certificate = own_certificate(tmp_path)
    with tool_server(lambda asked: Says(body="private"), certificate) as server:
        with Client(allowed=Allowed("127.0.0.1"), wait=Waits()) as client, pytest.raises(Unreachable, match="not trusted"):
            client.send("GET", server.address)
        assert server.asked == []
        with Client(allowed=Allowed("127.0.0.1"), verify=trusting((tmp_path / "certificate.pem").read_text())) as client:
            assert client.send("GET", server.address).body == b"private"
    with pytest.raises(ValueError, match="PEM"):
        trusting("nonsense")
