"""The rules a new installation starts with. They are rows like any other: people change, switch off or delete them."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from itsm_backup.common.models import because
from monitoring import workflow
from monitoring.models import CauseRule

REASON = "Shipped with the product"


class Shipped(NamedTuple):
    name: str
    title: str
    component: str
    patterns: tuple[str, ...]


# Asked in this order: what names a cause most surely comes first. The words are those of restic 0.14 and 0.18, borg 1.2 and
# 1.4, borgmatic 1.7 and 2.1, pgBackRest 2.45 and 2.55, and of the systems below them.
CAUSES = (
    Shipped("storage-full", "the storage is full", "repository",
            ("no space left on device", "disk quota exceeded", "not enough (?:free )?space", "insufficient storage", "storage is full")),
    Shipped("storage-not-writable", "nothing can be written to the storage, which may be full", "repository",
            (r"\[064\]", "FileWriteError", "read-only file system")),
    Shipped("wrong-password", "the password does not open the repository", "repository",
            ("wrong password or no key found", "an empty password is not a password", r"passphrase supplied in .* is incorrect",
             "key/value found outside of section")),
    Shipped("repository-locked", "the repository is locked", "repository",
            ("repo(?:sitory)? (?:is )?already locked", "unable to create lock in backend", "failed to create/acquire the lock",
             "unable to acquire lock on file")),
    Shipped("repository-damaged", "the repository is damaged", "repository",
            ("repository contains errors", "data integrity error", "pack id does not match", "ciphertext verification failed",
             "checksum mismatch", "index object count mismatch", "zlib threw error")),
    Shipped("database-down", "the database cannot be reached", "job",
            ("no database found", "DbConnectError", "unable to find primary cluster", "could not connect to server",
             r"connection to server .* failed")),
    Shipped("network-unreachable", "the repository cannot be reached over the network", "repository",
            ("connection refused", "no such host", "network is unreachable", "no route to host", "connection reset",
             "connection timed out", "i/o timeout", "could not resolve host", "name or service not known",
             "temporary failure in name resolution", "tls handshake", "unable to start the sftp session", r"client\.timeout exceeded")),
    Shipped("source-missing", "what it should back up is not there", "job",
            ("all (?:target|source) directories/files do not exist", "does not exist, skipping", "do not exist: ",
             "the archive holds no file", r"stat: \[errno 2\]")),
    Shipped("access-denied", "access is denied", "job",
            ("permission denied", "access denied", "accessdenied", "403 forbidden", "401 unauthorized", "operation not permitted",
             "could not be read")),
    Shipped("repository-missing", "there is no repository at its address", "repository",
            (r"repository (?:\S+ )?does not exist", "unable to open config file", "is there a repository at the following location",
             "no such bucket", "missing stanza path", r"backup\.info' for read", r"unable to load info file")),
    Shipped("log-archive-broken", "the archive of database logs does not work", "job",
            (r"\[068\]", "archive_command .* must contain", "wal segment .* was not archived")),
    Shipped("dump-failed", "the command that delivers the data failed", "job", (r"command failed: exit status \d+",)),
    Shipped("switched-off", "backups are switched off by a stop file", "job", ("stop file exists",)),
    Shipped("interrupted", "it was interrupted", "job",
            ("interrupted by a signal", r"killed by signal \d+", "context canceled", "got ctrl-c", "received sigterm")),
)  # fmt: skip


def ship_rules(*, at: dt.datetime) -> list[str]:
    """Make the thresholds and the shipped cause rules that never were here; returns their names.

    A rule that somebody changed or deleted stays as they left it.
    """
    workflow.current()
    known = set(CauseRule.history.filter(name__in=[cause.name for cause in CAUSES]).values_list("name", flat=True))
    made = []
    with because(REASON):
        for position, cause in enumerate(CAUSES, start=1):
            if cause.name not in known:
                CauseRule.objects.create(
                    name=cause.name, title=cause.title, component=cause.component, position=position * 10, pattern="|".join(cause.patterns)
                )
                made.append(cause.name)
    return made
