"""Several nodes on a company's own PostgreSQL (Debian's, an older version) and Redis; and the whole product moved by its dump."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from .conftest import Product
from .own_servers import BINARIES, OwnServers

pytestmark = pytest.mark.real_tool(str(BINARIES / "postgres"))


@pytest.fixture
def servers() -> Iterator[OwnServers]:
    servers = OwnServers()
    yield servers
    servers.stop()


@pytest.fixture
def nodes(tmp_path, copy_of_source) -> Iterator[list[Product]]:
    """Two machines with a clone each: here, two folders."""
    tmp_path.chmod(0o700)
    nodes = [Product(copy_of_source(tmp_path / name / "clone"), ITSM_BACKUP_VENV=sys.prefix) for name in ("one", "two")]
    yield nodes
    for node in nodes:
        node.end()


def ask(address: str, path: str, *, token: str = "", body: bytes | None = None) -> tuple[int, dict]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} if token else {}
    request = urllib.request.Request(address.rstrip("/") + path, data=body, headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return answer.status, json.loads(answer.read())


def ids_of_runs(address: str, token: str) -> list[str]:
    found = ask(address, "/api/v1/runs/?from=2026-07-01T00:00Z&to=2026-08-01T00:00Z", token=token)[1]
    return [run["external_id"] for run in found["results"]]


RECORDS = b"""[{"external_id": "n1", "job_external_id": "db01:nightly", "outcome": "success",
 "started_at": "2026-07-14T01:30:00Z", "ended_at": "2026-07-14T01:42:00Z"}]"""
MAKE_TOOL = """
from django.contrib.auth import get_user_model
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring.models import Tool
with because("Two nodes share it", by=get_user_model().objects.get(username="administrator")):
    Tool.objects.create(name="scripts", kind="push", monitored_from=now(), secrets={"password": "kept under the field keys"})
"""
READ_SECRET = "from monitoring.models import Tool; print('secret:', Tool.objects.get().secrets['password'])"


def test_two_nodes_share_one_database_and_one_broker(nodes, servers):
    one = nodes[0]
    shared = servers.environment()
    starts = [node.start("up", "--port", "0", "--empty", **shared) for node in nodes]  # both find an empty database
    addresses = [start.address() for start in starts]
    assert [set(node.children()) for node in nodes] == [{"worker", "beat", "poller", "web"}] * 2  # no server of their own

    one.run("shell", "-c", MAKE_TOOL, **shared)
    said = one.run("token", "--user", "administrator", "--scope", "write", **shared)
    token = max(said.split(), key=len)
    assert ask(addresses[0], "/api/v1/runs?tool=scripts", token=token, body=RECORDS)[0] == 200
    assert ids_of_runs(addresses[1], token) == ["n1"]

    starts[0].stop()
    status, health = ask(addresses[1], "/healthz")
    assert (status, health["status"]) == (200, "ok")
    again = ask(addresses[1], "/api/v1/runs?tool=scripts", token=token, body=RECORDS)[1]
    assert (again["stored"], again["unchanged"]) == (0, 1)


def test_the_product_is_restored_from_a_dump_and_its_keys(nodes, servers):
    node, other = nodes
    shared = servers.environment()
    start = node.up("--empty", **shared)
    node.run("shell", "-c", MAKE_TOOL, **shared)
    said = node.run("token", "--user", "administrator", "--scope", "write", **shared)
    token = max(said.split(), key=len)
    ask(start.address(), "/api/v1/runs?tool=scripts", token=token, body=RECORDS)
    servers.run("pg_dump", "-Fc", "-f", "product.dump", "itsm")  # while it runs
    start.stop()

    servers.run("dropdb", "itsm")
    servers.run("createdb", "itsm")
    servers.run("pg_restore", "--exit-on-error", "-d", "itsm", "product.dump")
    again = other.up("--empty", **shared)
    assert ids_of_runs(again.address(), token) == ["n1"]
    assert "secret: kept under the field keys" in other.run("shell", "-c", READ_SECRET, **shared)
    assert "append-only" in refused_update(servers)


def refused_update(servers: OwnServers) -> str:
    """The guards come back with the dump."""
    sql = "UPDATE monitoring_historicaltool SET history_change_reason = 'rewritten'"
    done = subprocess.run(
        [str(BINARIES / "psql"), servers.environment()["DATABASE_URL"], "-c", sql], capture_output=True, text=True, check=False
    )
    return done.stderr
