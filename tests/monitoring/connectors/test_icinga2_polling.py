"""Icinga 2, live: the real daemon is asked about services whose results were really sent to it."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.http.client import Client, trusting
from monitoring.connectors.base import Reading
from monitoring.connectors.fetching import fetching
from monitoring.connectors.icinga2 import Icinga2
from tests.monitoring.connectors.test_bacula_polling import free_ports

PASSWORD = "correct horse 4711"
pytestmark = [pytest.mark.real_tool("/usr/sbin/icinga2"), pytest.mark.tested("live", "icinga2")]
CONFIGURATION = """
const NodeName = "here"
const ZoneName = "here"
object Endpoint "here" {{}}
object Zone "here" {{ endpoints = [ "here" ] }}
object ApiListener "api" {{ bind_host = "127.0.0.1"; bind_port = {port} }}
object ApiUser "reader" {{ password = "{password}"; permissions = [ "objects/query/Service" ] }}
object ApiUser "sender" {{ password = "{password}"; permissions = [ "actions/*" ] }}
object ApiUser "listener" {{
  password = "{password}"; permissions = [ "objects/query/Service", "events/CheckResult", "events/StateChange" ]
}}
object ApiUser "both" {{ password = "{password}"; permissions = [ "actions/process-check-result", "objects/query/Service" ] }}
object CheckCommand "passive" {{ command = [ "/bin/true" ] }}
object Host "db01" {{ check_command = "passive"; enable_active_checks = false }}
for (name in [ "backup-good", "backup-bad", "backup-never", "other" ]) {{
  object Service name {{ host_name = "db01"; check_command = "passive"; enable_active_checks = false; max_check_attempts = 1 }}
}}
"""


class Lab:
    """A daemon of Icinga with all its files in one folder."""

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        certificates = folder / "data/certs"
        for name in ("data/certs", "log", "cache", "run", "spool"):
            (folder / name).mkdir(parents=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", certificates / "here.key", "-out", certificates / "here.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
        shutil.copy(certificates / "here.crt", certificates / "ca.crt")
        self.certificate = (certificates / "here.crt").read_text()
        (folder / "icinga2.conf").write_text(CONFIGURATION.format(port=self.port, password=PASSWORD))
        places = {"DataDir": "data", "LogDir": "log", "CacheDir": "cache", "InitRunDir": "run", "SpoolDir": "spool", "PidPath": "run/pid"}
        places |= {"StatePath": "data/state", "ModAttrPath": "data/modified", "ObjectsPath": "cache/objects", "VarsPath": "cache/vars"}
        defined = {name: str(folder / place) for name, place in places.items()}
        defined |= {"RunAsUser": pwd.getpwuid(os.geteuid()).pw_name, "RunAsGroup": grp.getgrgid(os.getegid()).gr_name}
        argv = [
            "/usr/sbin/icinga2",
            "daemon",
            "-c",
            f"{folder}/icinga2.conf",
            *(f"-DConfiguration.{name}={to}" for name, to in defined.items()),
        ]
        self.daemon = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def poll(self, password: str = PASSWORD, certificate: str | None = None, **settings: str) -> Reading:
        given = {"address": f"https://127.0.0.1:{self.port}", "user": "reader", **settings}
        verify: ssl.SSLContext = trusting(self.certificate if certificate is None else certificate)
        with fetching(allowed=Allowed("127.0.0.1"), verify=verify, wait=lambda seconds: None) as fetch:
            return Icinga2().read(Icinga2().ask(settings=given, secrets={"password": password}, fetch=fetch, cursor={}))

    def poll_while(self, done: Callable[[], None], **settings: str) -> Reading:
        """A round that listens, while something is done a moment after it began."""
        later = threading.Timer(1.5, done)
        later.start()
        told = self.poll(user="listener", **settings)
        later.join()
        return told

    def send(self, service: str, status: int, output: str) -> None:
        with Client(allowed=Allowed("127.0.0.1"), verify=trusting(self.certificate)) as client:
            body = f'{{"exit_status": {status}, "plugin_output": "{output}"}}'.encode()
            address = f"https://sender:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/v1/actions/process-check-result"
            answer = client.send("POST", f"{address}?service=db01!{service}", headers={"Accept": "application/json"}, body=body)
        assert answer.status == 200, answer.body

    def stop(self) -> None:
        os.killpg(self.daemon.pid, signal.SIGTERM)
        try:
            self.daemon.wait(timeout=30)
        except subprocess.TimeoutExpired:  # it sometimes hangs while ending; what it had to show was shown
            os.killpg(self.daemon.pid, signal.SIGKILL)
            self.daemon.wait(timeout=30)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("icinga"))
    try:
        ends_at = time.monotonic() + 60
        while not lab.poll().complete:
            assert time.monotonic() < ends_at, lab.poll().problems
            time.sleep(0.3)
        yield lab
    finally:
        lab.stop()


def test_it_reads_what_was_sent(lab: Lab) -> None:
    nothing = lab.poll()
    lab.send("backup-good", 0, "OK - 12 GB")
    lab.send("backup-bad", 2, "CRITICAL - repository locked")
    lab.send("other", 0, "no backup")
    told, declared = lab.poll(), lab.poll(backups="*!backup-good")

    assert (nothing.complete, nothing.records) == (True, [])
    assert nothing.job_ids == ["db01!backup-bad", "db01!backup-good", "db01!backup-never"]
    found = {record.job_external_id: (record.operation, record.outcome, record.native_message) for record in told.records}
    assert found == {
        "db01!backup-good": ("other", "success", "OK - 12 GB"),
        "db01!backup-bad": ("other", "failed", "CRITICAL - repository locked"),
    }
    backups = [record for record in declared.records if record.operation == "backup"]
    assert [(record.job_external_id, record.outcome) for record in backups] == [("db01!backup-good", "success")]
    assert backups[0].consistent_at
    assert lab.poll() == told


def test_it_says_why_it_got_no_answer(lab: Lab) -> None:
    told = {
        "refuses the sign-in": lab.poll(password="wrong"),
        "permission objects/query/Service": lab.poll(user="sender"),
        "No service fits": lab.poll(filter='service.name == "nothing"'),
        "is not trusted": lab.poll(certificate=""),
    }

    assert {words: words in " ".join(each.problems) for words, each in told.items()} == dict.fromkeys(told, True), [
        each.problems for each in told.values()
    ]
    assert not any(each.complete for each in told.values())


def test_it_hears_every_result_while_it_listens_and_each_once(lab: Lab) -> None:
    def three() -> None:
        for number in range(3):
            lab.send("backup-good", number % 2, f"run {number}")
            time.sleep(0.7)  # what comes at once Icinga tells some seconds later
        lab.send("other", 2, "none of its business")

    told = lab.poll_while(three, backups="*!backup-*", listen_s="10", events='match("*", event.service)')
    after = lab.poll(backups="*!backup-*")

    assert told.complete, told.problems
    runs = [record for record in told.records if (record.native_message or "").startswith("run ")]
    assert [(run.native_message, run.outcome) for run in runs] == [("run 0", "success"), ("run 1", "warning"), ("run 2", "success")]
    assert {record.job_external_id for record in told.records} <= {"db01!backup-good", "db01!backup-bad"}
    latest = [record for record in after.records if record.native_message == "run 2"]
    assert [record.identity for record in latest] == [runs[-1].identity]  # asked again it is the same run


def test_a_failure_between_two_rounds_is_not_lost(lab: Lab) -> None:
    """Nobody listens: the failure is over when the next round asks, and one after it told the same of another moment."""
    before = {record.identity for record in lab.poll(backups="*!backup-*").records}
    lab.send("backup-good", 2, "CRITICAL - no space left")
    time.sleep(0.7)
    lab.send("backup-good", 0, "OK - again")
    told = lab.poll(backups="*!backup-*")

    fresh = [record for record in told.records if record.identity not in before and record.job_external_id == "db01!backup-good"]
    assert [record.outcome for record in sorted(fresh, key=lambda one: one.created_at)] == ["failed", "success"]


def test_it_says_that_it_may_not_hear_events(lab: Lab) -> None:
    told = lab.poll(listen_s="2")

    assert not told.complete
    assert "permissions events/CheckResult and events/StateChange" in " ".join(told.problems)
