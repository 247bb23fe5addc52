"""The addresses of pings, as Healthchecks answers them."""

from __future__ import annotations

import pytest

from monitoring.connectors.ping_paths import PingAddress, PingRefusal, read_address

UUID = "9f0e7c1a-5b1c-4a52-9d7e-aaaa00001111"
RID = "0b8a5c9e-2f0e-4f25-8b11-7c4f2f6a9d01"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/ping/{UUID}", PingAddress(uuid=UUID, suffix="")),
        (f"/ping/{UUID}/", PingAddress(uuid=UUID, suffix="")),
        (f"/{UUID}/start", PingAddress(uuid=UUID, suffix="start")),
        (f"/ping/{UUID.upper()}/fail", PingAddress(uuid=UUID, suffix="fail")),
        (f"/ping/{UUID}/log", PingAddress(uuid=UUID, suffix="log")),
        (f"/ping/{UUID}/0", PingAddress(uuid=UUID, suffix="0")),
        (f"/ping/{UUID}/003", PingAddress(uuid=UUID, suffix="3")),
        (f"/ping/{UUID}/255", PingAddress(uuid=UUID, suffix="255")),
        ("/ping/ping-key-0001/crm-nightly", PingAddress(ping_key="ping-key-0001", slug="crm-nightly", suffix="")),
        ("/ping/ping-key-0001/start/start", PingAddress(ping_key="ping-key-0001", slug="start", suffix="start")),
        ("/ping/ping-key-0001/crm_2/137", PingAddress(ping_key="ping-key-0001", slug="crm_2", suffix="137")),
    ],
)
def test_it_understands_an_address(path: str, expected: PingAddress) -> None:
    assert read_address(path) == expected


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/ping/{UUID}/256", 400),
        (f"/ping/{UUID}/99999999999999999999", 400),
        (f"/ping/{UUID}/begin", 404),
        (f"/ping/{UUID}/-1", 404),
        (f"/ping/{UUID}/²", 404),
        (f"/ping/{UUID}/start/start", 404),
        ("/ping/ping-key-0001/CRM", 400),
        ("/ping/ping-key-0001/crm nightly", 404),
        ("/ping/ping-key-0001", 404),
        ("/ping/short/slug", 404),
        ("/ping/", 404),
        ("/", 404),
        ("", 404),
        ("/ping/not-a-uuid-at-all!/x", 404),
    ],
)
def test_it_refuses_what_is_no_ping(path: str, status: int) -> None:
    found = read_address(path)

    assert isinstance(found, PingRefusal)
    assert found.status == status


def test_it_reads_run_id_and_create() -> None:
    found = read_address("/ping/ping-key-0001/crm", query={"rid": RID.upper(), "create": "1"})

    assert isinstance(found, PingAddress)
    assert (found.rid, found.create) == (RID, True)


def test_it_refuses_a_run_id_that_is_no_uuid() -> None:
    assert read_address(f"/ping/{UUID}", query={"rid": "7"}) == PingRefusal(status=400, text="invalid uuid format")


@pytest.mark.parametrize(("method", "taken"), [("HEAD", True), ("GET", True), ("POST", True), ("PUT", False), ("DELETE", False)])
def test_it_takes_three_methods(method: str, taken: bool) -> None:
    assert isinstance(read_address(f"/ping/{UUID}", method=method), PingAddress) is taken
