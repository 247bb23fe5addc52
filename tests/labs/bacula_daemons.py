"""A Bacula of its own: the three daemons with their catalogue in a PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

from itsm_backup.common.http.addresses import Allowed
from monitoring.connectors.bacula import Bacula
from monitoring.connectors.base import Reading
from monitoring.connectors.querying import querying
from tests.labs.postgres import BINARIES, as_postgres, give

TABLES = Path("/usr/share/bacula-director/make_postgresql_tables")
DAEMONS = ("/usr/sbin/bacula-dir", "/usr/sbin/bacula-sd", "/usr/sbin/bacula-fd")
GRANT = "GRANT SELECT ON job, jobhisto, client, pool, fileset, log, jobmedia, media TO reader"
NEEDED = (*DAEMONS, "/usr/sbin/bconsole", str(BINARIES / "postgres"))
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


class Daemons:
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
        give(folder)

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
        self.run(*as_postgres(str(BINARIES / "initdb"), "-D", f"{self.folder}/pg", "-A", "trust", "-U", "postgres", "--no-sync"))
        told = f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.folder}'\nfsync = off\n"
        (self.folder / "pg/postgresql.auto.conf").write_text(told)
        with (self.folder / "log").open("w") as log:  # not a pipe: the server would keep it open
            argv = as_postgres(str(BINARIES / "pg_ctl"), "-D", f"{self.folder}/pg", "-w", "start")
            subprocess.run(argv, stdout=log, stderr=log, timeout=60, check=True)
        self.sql("CREATE DATABASE bacula ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'", "postgres")
        own = {"PATH": f"{BINARIES}:{os.environ['PATH']}", "PGPORT": str(self.port), "db_name": "bacula"}
        self.run("bash", str(TABLES), "-h", str(self.folder), "-U", "postgres", **own)
        self.sql("CREATE ROLE reader LOGIN; CREATE ROLE nobody LOGIN; " + GRANT)
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
        subprocess.run(as_postgres(str(BINARIES / "pg_ctl"), "-D", f"{self.folder}/pg", "-m", "immediate", "stop"), check=False)

    def poll(self, cursor: dict[str, object] | None = None, *, allowed: str = "127.0.0.1", **settings: str) -> Reading:
        given = {"host": "127.0.0.1", "port": str(self.port), "user": "reader", "zone": "UTC", **settings}
        with querying(allowed=Allowed(allowed), settings=given, secrets={}) as query:
            return Bacula().read(Bacula().ask(settings=given, secrets={}, query=query, cursor=cursor or {}))
