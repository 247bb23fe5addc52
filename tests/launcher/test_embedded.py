from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from itsm_backup import embedded
from itsm_backup.launcher.accounts import service_account
from itsm_backup.launcher.children import Children, clear_leftovers
from itsm_backup.launcher.data_folder import DataFolder
from itsm_backup.launcher.trouble import Trouble

from .conftest import REPOSITORY, alive, small_disk


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch):
    for name in embedded.SERVICE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


@pytest.fixture
def data(tmp_path: Path):
    data = DataFolder(tmp_path / "data", account=service_account(), is_default=False)
    yield data
    clear_leftovers(data / "children.json")
    data.remove()


def test_it_speaks_utf8_sorts_bytewise_and_keeps_utc():
    with embedded.throwaway_services() as environment, psycopg.connect(environment["DATABASE_URL"]) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'), datlocprovider, datlocale,"
            " current_setting('TimeZone'), 'Ä' > 'a', lower('ÄÖ') FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == (18, "UTF8", "b", "C.UTF-8", "UTC", True, "äö")


def test_it_listens_on_sockets_in_a_private_folder_only():
    with embedded.throwaway_services() as environment, psycopg.connect(environment["DATABASE_URL"]) as connection:
        listening = connection.execute("SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')").fetchone()
        broker = redis.from_url(environment["REDIS_URL"])
        assert broker.config_get("port") == {"port": "0"}
    assert listening is not None
    assert listening[0] == ""


def test_it_removes_everything_afterwards():
    with embedded.throwaway_services() as environment:
        folder = Path(environment["DATA_DIR"])
        services = (folder / "services").resolve()
        assert stat.S_IMODE((services / "sockets").stat().st_mode) == 0o700
        broker = redis.from_url(environment["REDIS_URL"])
        server = broker.info("server")["process_id"]
    assert not folder.exists()
    assert not services.exists()
    assert not alive(server)


def test_it_starts_only_what_is_not_configured(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    with embedded.throwaway_services() as environment:
        assert "DATABASE_URL" not in environment
        assert redis.from_url(environment["REDIS_URL"]).ping()


def test_what_was_committed_outlives_a_kill_of_both_servers(data):
    children = Children(data / "children.json")
    urls = embedded.start_services(data, children)
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    broker = redis.from_url(urls["REDIS_URL"])
    broker.set("kept", "yes")
    broker.waitaof(1, 0, 2000)
    for child in children:
        assert child.process
        child.process.kill()
        child.process.wait()
    again = Children(data / "children.json")
    assert embedded.start_services(data, again) == urls
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)
    assert redis.from_url(urls["REDIS_URL"]).get("kept") == b"yes"
    again.stop()


def test_it_starts_beside_the_servers_of_a_killed_supervisor_that_it_does_not_know(data):
    """The supervisor was killed between starting PostgreSQL and putting it on record."""
    lost = Children(data / "children.json")
    urls = embedded.start_services(data, lost)
    (data / "children.json").unlink()
    children = Children(data / "children.json")
    assert embedded.start_services(data, children) == urls
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert all(child.ending() for child in lost)
    children.stop()


@pytest.mark.parametrize("lock", ["postgres/postmaster.pid", "sockets/.s.PGSQL.5432.lock"])
def test_it_ignores_the_lock_of_a_server_whose_id_somebody_else_has_now(data, lock):
    children = Children(data / "children.json")
    embedded.start_services(data, children)
    children.stop()
    account = {"user": data.account.uid} if data.account else {}
    innocent = subprocess.Popen(["sleep", "60"], cwd="/", **account)
    (data.services() / lock).write_text(f"{innocent.pid}\n{data.services()}/postgres\n1795808394\n5432\n{data.sockets()}\n")
    embedded.start_services(data, children)
    assert innocent.poll() is None
    children.stop()
    innocent.kill()
    innocent.wait()


def test_it_begins_the_cluster_anew_when_initdb_was_interrupted(data):
    half = data.services() / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    children = Children(data / "children.json")
    embedded.start_services(data, children)
    assert not half.exists()
    children.stop()


def test_it_refuses_data_of_another_postgresql_version(data):
    (data.services() / "postgres").mkdir()
    (data.services() / "postgres/PG_VERSION").write_text("15\n")
    with pytest.raises(Trouble, match="written by PostgreSQL 15; this is PostgreSQL 18"):
        embedded.start_services(data, Children(data / "children.json"))


def test_it_works_below_a_path_with_spaces_and_signs(tmp_path):
    data = DataFolder(tmp_path / "it's, a %20 folder", account=None, is_default=False)
    place = embedded.Place(services=data.services(), sockets=data.sockets(), logs=data / "logs", account=None)
    url = embedded.PostgreSQL(place, programs=Path("/usr/bin")).url
    assert psycopg.conninfo.conninfo_to_dict(url)["host"] == str(data.sockets())
    valkey = embedded.Valkey(place, programs=Path("/usr/bin"))
    assert redis.connection.parse_url(valkey.url)["path"] == str(valkey.socket)
    data.remove()


def test_it_names_the_full_disk_before_anything_is_half_written(tmp_path):
    with small_disk("20m") as disk:
        data = DataFolder(disk / "data", account=service_account(), is_default=False)
        with pytest.raises(Trouble, match="The disk is almost full") as trouble:
            embedded.start_services(data, Children(data / "children.json"))
        assert "--data DIR" in str(trouble.value)
        assert not (data.services() / "postgres.new").exists()


def test_it_names_the_full_disk_when_initdb_runs_out_of_room(tmp_path, monkeypatch):
    monkeypatch.setattr("itsm_backup.launcher.data_folder.FIRST_START_BYTES", 0)
    with small_disk("20m") as disk:
        data = DataFolder(disk / "data", account=service_account(), is_default=False)
        with pytest.raises(Trouble, match="because the disk is full"):
            embedded.start_services(data, Children(data / "children.json"))
        assert not (data.services() / "postgres").exists()


def test_it_says_so_when_a_quota_is_used_up(tmp_path):
    """The same without a disk of its own: no file may grow beyond 64 KiB."""
    script = (
        "import resource, sys\nfrom pathlib import Path\nfrom itsm_backup import embedded\n"
        "from itsm_backup.launcher import accounts, children, data_folder, trouble\n"
        "data = data_folder.DataFolder(Path(sys.argv[1]), account=accounts.service_account(), is_default=False)\n"
        "accounts.program_folders(data.account)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "try:\n    embedded.start_services(data, children.Children(data / 'children.json'))\n"
        "except trouble.Trouble as error:\n    print(error)\n"
        "data.remove()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "data"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "because the disk is full" in done.stdout, done.stdout + done.stderr


def test_a_killed_test_run_is_cleared_by_the_next(tmp_path):
    script = (
        "from itsm_backup.embedded import throwaway_services\nimport time\n"
        "with throwaway_services() as environment:\n    print(environment['DATA_DIR'], flush=True)\n    time.sleep(60)\n"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert killed.stdout
    folder = Path(killed.stdout.readline().strip())
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    services = (folder / "services").resolve()
    assert (services / "postgres/postmaster.pid").exists()
    two_minutes_ago = time.time() - 120
    os.utime(folder, (two_minutes_ago, two_minutes_ago))
    subprocess.run(
        [sys.executable, "-c", "from itsm_backup import embedded; embedded._remove_abandoned()"],
        cwd=REPOSITORY, check=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert not folder.exists()
    assert not services.exists()
