"""Bacula, live: real daemons run real jobs, and their catalogue is read in a real PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from itsm_backup.common.http.addresses import Allowed
from monitoring.connectors.bacula import Bacula
from monitoring.connectors.base import Reading
from monitoring.connectors.querying import querying

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path("/nowhere/initdb")).parent
TABLES = Path("/usr/share/bacula-director/make_postgresql_tables")
DAEMONS = ("/usr/sbin/bacula-dir", "/usr/sbin/bacula-sd", "/usr/sbin/bacula-fd")
pytestmark = [
    pytest.mark.real_tool(*DAEMONS, "/usr/sbin/bconsole", str(BINARIES / "postgres")),
    pytest.mark.tested("live", "bacula"),
]
DIRECTOR = """
Director {{ Name=d; DIRport={dir}; QueryFile="/dev/null"; WorkingDirectory="{w}"; PidDirectory="{w}"; Password="x"; Messages=M
  DirAddress=127.0.0.1; FD Connect Timeout=2 sec; SD Connect Timeout=2 sec; Maximum Concurrent Jobs=5 }}
Catalog {{ Name=C; dbname=bacula; dbuser=postgres; dbaddress="{sockets}"; dbport={pg} }}
Messages {{ Name=M; catalog=all }}
Storage {{ Name=S; Address=127.0.0.1; SDPort={sd}; Password="x"; Device=D; Media Type=File }}
Pool {{ Name=P; Pool Type=Backup; Label Format="V-" }}
FileSet {{ Name=F; Include {{ Options {{ signature=MD5 }}
 File="{data}" }} }}
Client {{ Name=here; Address=127.0.0.1; FDPort={fd}; Catalog=C; Password="x" }}
Client {{ Name=gone; Address=127.0.0.1; FDPort={none}; Catalog=C; Password="x" }}
JobDefs {{ Name=J; Type=Backup; Level=Full; FileSet=F; Storage=S; Messages=M; Pool=P }}
Job {{ Name=good; JobDefs=J; Client=here }}
Job {{ Name=bad; JobDefs=J; Client=gone }}
Job {{ Name=slow; JobDefs=J; Client=here; Client Run Before Job="sleep 60" }}
"""
STORAGE = """
Storage {{ Name=s; SDPort={sd}; SDAddress=127.0.0.1; WorkingDirectory="{w}"; Pid Directory="{w}" }}
Director {{ Name=d; Password="x" }}
Device {{ Name=D; Media Type=File; Archive Device="{w}"
  LabelMedia=yes; Random Access=yes; AutomaticMount=yes; RemovableMedia=no; AlwaysOpen=no }}
Messages {{ Name=M; director=d=all }}
"""
FILES = """
Director {{ Name=d; Password="x" }}
FileDaemon {{ Name=f; FDPort={fd}; FDAddress=127.0.0.1; WorkingDirectory="{w}"; Pid Directory="{w}" }}
Messages {{ Name=M; director=d=all }}
"""


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class Lab:
    """The three daemons of a Bacula, with a catalogue of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.children = folder, list[subprocess.Popen[bytes]]()
        names = dict(zip(("pg", "dir", "sd", "fd", "none"), free_ports(5), strict=True))
        self.port = names["pg"]
        (folder / "data").mkdir()
        (folder / "data/file").write_text("something to save")
        (folder / "work").mkdir()
        told = {**names, "w": folder / "work", "sockets": folder, "data": folder / "data"}
        for name, text in (("dir", DIRECTOR), ("sd", STORAGE), ("fd", FILES)):
            (folder / f"{name}.conf").write_text(text.format(**told))
        (folder / "console.conf").write_text(f'Director {{ Name=d; DIRport={names["dir"]}; address=127.0.0.1; Password="x" }}\n')
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.prefix:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, pwd.getpwnam("postgres").pw_gid)

    def run(self, *argv: str, said: str = "", **env: str) -> str:
        done = subprocess.run(
            argv, input=said, capture_output=True, text=True, env={**os.environ, "TZ": "UTC", **env}, timeout=120, check=False
        )
        assert done.returncode == 0, (argv, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def sql(self, statement: str, database: str = "bacula") -> str:
        argv = [
            str(BINARIES / "psql"),
            "-h",
            str(self.folder),
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-qAtX",
            "-d",
            database,
            "-c",
            statement,
        ]
        return self.run(*argv).strip()

    def start(self) -> None:
        self.run(*self.prefix, str(BINARIES / "initdb"), "-D", f"{self.folder}/pg", "-A", "trust", "-U", "postgres", "--no-sync")
        told = f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.folder}'\nfsync = off\n"
        (self.folder / "pg/postgresql.auto.conf").write_text(told)
        with (self.folder / "log").open("w") as log:  # not a pipe: the server would keep it open
            argv = [*self.prefix, str(BINARIES / "pg_ctl"), "-D", f"{self.folder}/pg", "-w", "start"]
            subprocess.run(argv, stdout=log, stderr=log, timeout=60, check=True)
        self.sql("CREATE DATABASE bacula ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'", "postgres")
        own = {"PATH": f"{BINARIES}:{os.environ['PATH']}", "PGPORT": str(self.port), "db_name": "bacula"}
        self.run("bash", str(TABLES), "-h", str(self.folder), "-U", "postgres", **own)
        self.sql("CREATE ROLE reader LOGIN; CREATE ROLE nobody LOGIN; GRANT SELECT ON job, jobhisto, client, pool, fileset, log TO reader")
        env = {**os.environ, "TZ": "UTC"}
        for daemon, name in zip(DAEMONS, ("dir", "sd", "fd"), strict=True):
            argv = [daemon, "-f", "-c", f"{self.folder}/{name}.conf"]
            self.children.append(subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        self.until("the Director answers", lambda: "Version" in self.console("version"))

    def console(self, *lines: str) -> str:
        argv = ["/usr/sbin/bconsole", "-c", f"{self.folder}/console.conf"]
        done = subprocess.run(argv, input="\n".join([*lines, "quit", ""]), capture_output=True, text=True, timeout=60, check=False)
        return done.stdout

    def until(self, what: str, holds: object) -> None:
        ends_at = time.monotonic() + 60
        while not holds():  # type: ignore[operator]
            assert time.monotonic() < ends_at, what
            time.sleep(0.2)

    def stop(self) -> None:
        for child in self.children:
            child.kill()
            child.wait()
        subprocess.run([*self.prefix, str(BINARIES / "pg_ctl"), "-D", f"{self.folder}/pg", "-m", "immediate", "stop"], check=False)

    def poll(self, cursor: dict[str, object] | None = None, *, allowed: str = "127.0.0.1", **settings: str) -> Reading:
        given = {"host": "127.0.0.1", "port": str(self.port), "user": "reader", "zone": "UTC", **settings}
        with querying(allowed=Allowed(allowed), settings=given, secrets={}) as query:
            return Bacula().read(Bacula().ask(settings=given, secrets={}, query=query, cursor=cursor or {}))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="bacula-"))
    folder.chmod(0o755)
    lab = Lab(folder)
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_it_reads_every_outcome_that_the_catalogue_keeps(lab: Lab) -> None:
    nothing = lab.poll()
    lab.console("run job=good yes", "run job=bad yes")
    lab.until("both jobs ended", lambda: lab.sql("SELECT count(*) FROM job WHERE jobstatus IN ('T', 'f', 'E')") == "2")
    lab.console("run job=slow yes")
    lab.until("a job runs", lambda: lab.sql("SELECT count(*) FROM job WHERE jobstatus = 'R'") == "1")
    running = lab.poll()
    lab.console("cancel jobid=3 yes")
    lab.until("it is cancelled", lambda: lab.sql("SELECT count(*) FROM job WHERE jobstatus = 'A'") == "1")
    cancelled = lab.poll(running.cursor)

    assert (nothing.complete, nothing.records, nothing.problems) == (True, [], [])
    assert (running.complete, running.problems, running.rejects) == (True, [], [])
    told = {record.job_external_id: record for record in running.records}
    assert {name: (record.state, record.outcome) for name, record in told.items()} == {
        "good": ("finished", "success"),
        "bad": ("finished", "failed"),
        "slow": ("running", None),
    }
    assert (told["good"].files_total, told["good"].target_name, told["good"].repository_name) == (2, "here", "P")
    assert told["good"].bytes_stored
    assert told["good"].consistent_at == told["good"].started_at
    assert "Unable to connect to Client" in (told["bad"].native_message or "")
    assert [(record.job_external_id, record.outcome) for record in cancelled.records] == [("slow", "cancelled")]
    assert cancelled.cursor == {"after": 3, "job": told["slow"].identity[1], "open": []}


def test_it_says_why_it_got_no_answer(lab: Lab) -> None:
    told = {
        "may not read": lab.poll(user="nobody"),
        "is no catalogue": lab.poll(database="postgres", user="postgres"),
        "does not let stranger in": lab.poll(user="stranger"),
        "cannot be reached": lab.poll(port=str(free_ports(1)[0])),
        "not among the addresses": lab.poll(allowed="192.0.2.1"),
        "name or address": lab.poll(host=str(lab.folder)),
        "the port": lab.poll(port="x"),
        "TLS": lab.poll(tls="maybe"),
    }

    assert {words: words in " ".join(each.problems) for words, each in told.items()} == dict.fromkeys(told, True)
    assert not any(each.complete or each.cursor for each in told.values())


def test_it_can_only_read(lab: Lab) -> None:
    given = {"host": "127.0.0.1", "port": str(lab.port), "user": "postgres"}
    with querying(allowed=Allowed("127.0.0.1"), settings=given, secrets={}) as query:
        step = query("write", "SELECT nextval('job_jobid_seq') AS number", {})

    assert step.exit_code is None
    assert "read-only" in (step.stderr or "")


def test_it_survives_names_that_are_no_text(lab: Lab) -> None:
    told = "'odd.1', E'n\\xff', 'B', 'F', 1, now(), now(), 'f'"
    lab.sql(f"INSERT INTO job (job, name, type, level, clientid, schedtime, starttime, jobstatus) VALUES ({told})")

    assert any(record.job_external_id == "n\ufffd" for record in lab.poll().records)
