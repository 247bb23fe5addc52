"""Each benchmark runs at its smallest size, tells a ratio for each of its goals, and leaves nothing behind. Nothing here is timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import psycopg
import pytest
import redis

from itsm_backup.bench import databases, keys, loading, peers, telling
from itsm_backup.bench.serving import REPOSITORY

GOALS = {"G1", "G2", "G3", "G4", "G6", "G7", "G8", "G9", "G10", "G11", "G12", "G13", "G15", "G16", "G17", "incidents", "poll"}


def left_behind() -> list[str]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"%{databases.SUFFIX}%"]).fetchall()
    with redis.from_url(os.environ["REDIS_URL"]) as client:
        return [name for (name,) in names] + [key.decode() for key in client.scan_iter(match=f"*{keys.KEY_PREFIX}*")]


def test_it_measures_every_goal_and_leaves_nothing_behind():
    command = [sys.executable, "manage.py", "bench", "all", "--size", "tiny", "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    results = json.loads(done.stdout)
    assert {one["goal"] for one in results["results"]} == GOALS
    assert all(one["ratio"] > 0 and one["product"]["least"] <= one["product"]["most"] for one in results["results"])
    assert {one["kept"] for one in results["results"] if one["goal"] == "G3"} == {True}  # statements are counted, not timed
    assert not [one["note"] for one in results["results"] if "NOT equal" in one["note"]]
    assert [one for one in results["results"] if one["what"] == "services list at 200 entries beside 20"]
    words = telling.told(results)
    assert all(f"\n{one['goal']} " in f"\n{words}" and one["what"] in words for one in results["results"])
    assert results["machine"]["postgresql"] in words
    assert left_behind() == []


def test_only_one_benchmark_runs_at_a_time_and_a_failed_one_is_cleared_away():
    url = os.environ["DATABASE_URL"]
    with pytest.raises(ZeroDivisionError), databases.throwaway(url) as made:
        assert databases.name_in(made).endswith(databases.SUFFIX)
        with pytest.raises(databases.Occupied), databases.throwaway(url):
            pass
        raise ZeroDivisionError
    assert left_behind() == []


@contextmanager
def pinged(*known: str) -> Iterator[tuple[str, list[str]]]:
    """A server that takes pings of these addresses, of all when none is named, and closes each connection; its address, and what came."""
    came: list[str] = []

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            came.append(self.path)
            self.send_response(200 if not known or self.path in known else 404)
            self.send_header("Content-Length", "2")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        server.server_close()


def test_pings_are_measured_beside_a_healthchecks_that_is_named():
    with pinged() as (address, came):
        command = [sys.executable, "manage.py", "bench", "ping", "--size", "tiny", "--json", "--healthchecks", address]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    told = {one["base_name"]: one for one in json.loads(done.stdout)["results"] if one["goal"] == "G1"}
    assert told["healthchecks itself, as shipped"]["limit"] == 7 and "healthchecks itself, connections kept" not in told
    assert set(came) >= {f"/ping/{code}" for code in peers.codes(40)}


def test_what_takes_no_pings_is_no_base():
    known = peers.codes(1)[0]
    with pinged(f"/ping/{known}") as (address, _), pytest.raises(peers.Unfit, match="is answered with 404"):
        peers.port_of(address)
    with pytest.raises(peers.Unfit, match=r"Nothing at .* answers a ping"):
        peers.port_of(address)
    for elsewhere in ("https://hc-ping.com", "http://192.0.2.1:8000", "127.0.0.1:8000"):
        with pytest.raises(peers.Unfit, match="must run on this machine"):
            peers.port_of(elsewhere)


def test_a_load_goes_on_where_the_server_closes_each_connection():
    with pinged() as (address, came):
        found = loading.load(peers.port_of(address), [loading.request("/a", b"one"), loading.request("/b", b"two")], seconds=0.3)
    assert found.errors == 0 and found.answers > 8 and {"/a", "/b"} <= set(came)
