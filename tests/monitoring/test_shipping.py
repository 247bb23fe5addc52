"""The cause rules of a new installation, against what real tools wrote."""

import pytest
import re2

from itsm_backup.common.models import because
from monitoring import causes
from monitoring.models import BackupRun, CauseRule, StatusWorkflow
from monitoring.normalising_files import normalised
from monitoring.shipping import CAUSES, ship_rules
from tests.factories import make_job, make_tool
from tests.recordings import RECORDED

# What other tools wrote, word for word, when this was done to them.
OTHERS = {
    "borg 1.2, disk full": ("storage-full", "/srv/data/mail/d01/file019.bin: read: [Errno 28] No space left on device"),
    "borg 1.4, disk full": ("storage-full", "No space left on device, cleaning up partial transaction to free space."),
    "borg, wrong passphrase": (
        "wrong-password", "passphrase supplied in BORG_PASSPHRASE, by BORG_PASSCOMMAND or via BORG_PASSPHRASE_FD is incorrect."),
    "borg, lock held": ("repository-locked", "Failed to create/acquire the lock /srv/backup/borg/lock.exclusive (timeout)."),
    "borg, no repository": ("repository-missing", "Repository /srv/backup/none does not exist."),
    "borg, source missing": ("source-missing", "/srv/data/gone: stat: [Errno 2] No such file or directory: '/srv/data/gone'"),
    "borg, unreadable": ("access-denied", "/srv/data/mail/d01/file001.bin: open: [Errno 13] Permission denied: 'file001.bin'"),
    "borg, damaged": ("repository-damaged", "Data integrity error: Segment entry checksum mismatch [segment 14, offset 28091345]"),
    "borg, stopped": ("interrupted", "Error: Got Ctrl-C / SIGINT."),
    "borgmatic 2.1, source missing": ("source-missing", "main: Source directories or root pattern paths do not exist: /srv/data/gone"),
    "pgBackRest, disk full": (
        "storage-not-writable",
        "ERROR: [064]: raised from local-1 protocol: unable to write '/srv/tiny/repo/backup/shop/20261123-053937F/pg_data/base/5/16389'"),
    "pgBackRest 2.45, lock held": (
        "repository-locked", "ERROR: [050]: unable to acquire lock on file '/srv/lock/shop-backup.lock': Resource temporarily unavailable"),
    "pgBackRest, database down": ("database-down", "ERROR: [027]: no database found"),
    "pgBackRest, database down, longer": (
        "database-down",
        "WARN: unable to check pg1: [DbConnectError] unable to connect to 'dbname='postgres' port=5432 host='/srv/run'': connection to"
        ' server on socket "/srv/run/.s.PGSQL.5432" failed: No such file or directory'),
    "pgBackRest, no stanza": (
        "repository-missing",
        "ERROR: [055]: unable to load info file '/srv/repo1/backup/shop/backup.info' or '/srv/repo1/backup/shop/backup.info.copy':"),
    "pgBackRest, wrong cipher": ("wrong-password", "FormatError: key/value found outside of section at line 1: *\ufffdW"),
    "pgBackRest, archiving broken": ("log-archive-broken", "ERROR: [068]: archive_command 'false' must contain pgbackrest"),
    "pgBackRest, stop file": ("switched-off", "ERROR: [062]: stop file exists for stanza shop"),
    "pgBackRest, damaged": ("repository-damaged", "ERROR: [029]: raised from local-1 protocol: zlib threw error: [-3] data error"),
    "restic over sftp": ("network-unreachable", "ssh: connect to host nas03 port 22: Connection refused"),
    "restic over rest": (
        "network-unreachable",
        'Fatal: unable to open config file: Head "http://nas03:8000/config": dial tcp 10.0.0.9:8000: connect: connection refused'
        " Is there a repository at the following location? rest:http://nas03:8000/"),
    "restic, not let in": ("access-denied", "Fatal: unable to open config file: stat /srv/backup/restic/config: permission denied"),
    "restic to a read-only mount": ("storage-not-writable", "Fatal: create repository failed: mkdir /mnt/nas: read-only file system"),
}  # fmt: skip
RESTIC = {
    "disk-full": "storage-full",
    "wrong-password": "wrong-password",
    "repo-locked": "repository-locked",
    "repo-missing": "repository-missing",
    "source-missing": "source-missing",
    "sources-missing": "source-missing",
    "warning-unreadable": "access-denied",
    "warning-unreadable-text": "access-denied",
    "check-corrupted": "repository-damaged",
    "interrupted-sigint": "interrupted",
    "interrupted-sigkill": "interrupted",
    "interrupted-sigterm-b": "interrupted",
    "stdin-from-command-fails": "dump-failed",
}


def cause_of(message):
    return next((cause.name for cause in CAUSES if re2.search("(?i)" + "|".join(cause.patterns), message)), None)


@pytest.mark.parametrize(("name", "message"), OTHERS.values(), ids=OTHERS)
def test_it_reads_what_tools_wrote(name, message):
    assert cause_of(message) == name


def recorded_failures():
    for case in sorted((RECORDED / "restic").iterdir()):
        told = next((cause for end, cause in RESTIC.items() if case.name.endswith(end)), None)
        if told:
            yield pytest.param(case, told, id=case.name)


@pytest.mark.parametrize(("case", "name"), list(recorded_failures()))
def test_it_reads_recorded_failures_of_restic(case, name):
    messages = [
        row["native_message"][:500] for row in normalised("restic", case) if row.get("native_message") and row["outcome"] != "success"
    ]
    assert messages
    assert {cause_of(message) for message in messages} == {name}


def test_every_kind_of_recorded_failure_is_there():
    assert {param.values[1] for param in recorded_failures()} == set(RESTIC.values())


@pytest.mark.django_db
def test_it_makes_them_once_and_leaves_alone_what_people_did(noon):
    assert set(ship_rules(at=noon)) == {cause.name for cause in CAUSES}
    assert StatusWorkflow.objects.get().pk == 1
    with because("Ours says it better"):
        rule = CauseRule.objects.get(name="storage-full")
        rule.title = "the pool is full"
        rule.save()
        CauseRule.objects.get(name="interrupted").delete()
    assert ship_rules(at=noon) == []
    assert CauseRule.objects.get(name="storage-full").title == "the pool is full"
    assert not CauseRule.objects.filter(name="interrupted").exists()
    for rule in CauseRule.objects.all():
        rule.full_clean()
    assert CauseRule.history.filter(history_change_reason="Shipped with the product").count() == len(CAUSES)


@pytest.mark.django_db
def test_a_run_gets_its_cause_by_them(noon):
    ship_rules(at=noon)
    job = make_job(make_tool(), repository_name="/srv/backup/a")
    run = BackupRun(message="Fatal: unable to save snapshot: write /srv/repo/data/88: no space left on device")
    found = causes.read_cause(run=run, job=job)
    assert (found.name, found.title, found.key) == ("storage-full", "the storage is full", "repository:/srv/backup/a")
