"""A PostgreSQL of Debian and a Valkey on loopback ports, as a company that runs its own servers has them."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nowhere"))
PASSWORD = "not a secret"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class OwnServers:
    """Both servers; `environment` names them as an operator would."""

    def __init__(self) -> None:
        from itsm_backup.launcher.accounts import program_folders, service_account

        self.folder = Path(tempfile.mkdtemp(prefix="own-servers-"))
        self.port, self.valkey_port = free_port(), free_port()
        self.who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.who:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._postgres()
        valkey = program_folders(service_account())[1] / "valkey-server"
        options = ["--port", str(self.valkey_port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        self.valkey = subprocess.Popen([str(valkey), *options], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, **self.who)

    def _postgres(self) -> None:
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "password").chmod(0o644)
        self.run("initdb", "-D", "data", "-U", "product", "-E", "UTF8", "-A", "scram-sha-256", "--pwfile=password")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self.run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", options, "start")
        self.run("createdb", "itsm")

    def run(self, program: str, *arguments: str) -> str:
        place = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "product", "PGPASSWORD": PASSWORD}
        done = subprocess.run(
            [str(BINARIES / program), *arguments], cwd=self.folder, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", **place},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, **self.who,
        )  # fmt: skip
        return done.stdout

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "DATABASE_URL": f"postgresql://product:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/itsm",
            "REDIS_URL": f"redis://127.0.0.1:{self.valkey_port}/0",
            "SECRET_KEY": "the same on every node",
            "FIELD_KEYS": "cKqRPSAVKIPDzR3cZ2XlHpbNKAUV-NVVc7BPrC0XgMo=",
            **more,
        }

    def stop(self) -> None:
        self.valkey.terminate()
        self.valkey.wait(timeout=20)
        self.run("pg_ctl", "-D", "data", "-m", "immediate", "stop")
        time.sleep(0.1)
        shutil.rmtree(self.folder, ignore_errors=True)
