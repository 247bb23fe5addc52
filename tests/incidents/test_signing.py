"""Signatures: the same failure has one, whatever names, places, times and versions stand in its message."""

from __future__ import annotations

import pytest

from incidents.clustering import agreement, failures
from incidents.management.commands.signatures import TOOLS
from incidents.signing import masked, signature_of, words_of
from tests.recordings import RECORDED, SAMPLES


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Error: pool 17 at /mnt/a/b is odd since 2026-01-02 03:04:05", "ERROR: pool 3 at /srv/x is odd since 2025-11-30T01:02:03.5Z"),
        ("job 4f2a9c01d7 of 'alpha' ended oddly.", 'Job 00c0ffee77 of "beta" ended oddly'),
        ("asked https://a.example/x?y=1 in vain", "asked http://10.0.0.7:8080/z in vain"),
        ("C:\\data\\x is odd", "D:\\other is odd"),
        ("Fatal: write /srv/a/88/8818: no space left on device", "OSError: [Errno 28] No space left on device"),
    ],
)
def test_what_differs_each_time_does_not_count(one, other):
    assert signature_of(one) == signature_of(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [("the lamp is odd", "the pump is odd"), ("Fatal: wrong password or no key found", "no space left on device")],
)
def test_what_is_another_failure_is_told_apart(one, other):
    assert signature_of(one) != signature_of(other)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (
            'Fatal: unable to open config file: Head "http://a:8000/config": dial tcp 10.0.0.1:8000: connect: connection refused',
            "unreachable",
        ),
        ('Fatal: unable to open config file: Head "http://a/config": dial tcp: lookup a: no such host', "unreachable"),
        ("Fatal: unable to open config file: stat /srv/r/config: no such file or directory", "repository-missing"),
        ("Fatal: unable to open config file: stat /srv/r/config: permission denied", "permission"),
        ("Fatal: unable to open config file: unexpected HTTP response (401): 401 Unauthorized", "permission"),
        ('Fatal: unable to open config file: Head "https://a/config": x509: certificate signed by unknown authority', "certificate"),
        ("Remote: ssh: connect to host a port 22: Connection refused\nConnection closed by remote host.", "unreachable"),
        ("Remote: Permission denied (publickey).\nConnection closed by remote host. Is borg working on the server?", "permission"),
        ("Failed to create/acquire the lock /srv/r/lock.exclusive (timeout).", "repository-locked"),
        ("could not connect to server: Connection refused", "source-down"),
        ("[082]: WAL segment 000000010000000000000003 was not archived before the 60000ms timeout", "log-archiving"),
    ],
)
def test_a_repository_that_nobody_answers_for_is_not_missing(message, kind):
    told = f"{message}\nIs there a repository at the following location?" if "config file" in message else message
    assert signature_of(told) == kind


def test_an_empty_message_has_none_and_a_long_one_fits():
    assert signature_of("") == signature_of("\n <n> \n") == ""
    assert len(signature_of("odd " * 500)) <= 160
    assert masked("Fatal: error: it is odd.") == "it is odd"


def test_kinds_have_words():
    assert words_of("job_failed: disk-full") == "No space left"
    assert words_of("source_stale") == "Tool silent"


@pytest.mark.req("5.4")
def test_one_reason_has_one_signature_over_tools_and_versions(capsys):
    """Measured over every pair of recorded failures, against the reasons for which they were made to fail."""
    folder = SAMPLES if SAMPLES.is_dir() else RECORDED
    found = failures(folder, TOOLS)
    told = agreement(found)
    with capsys.disabled():
        print(f"\n{len(found)} failures, {told.pairs} pairs: precision {told.precision:.3f}, recall {told.recall:.3f}")
    assert len(found) > 50
    assert told.precision >= 0.98
    assert told.recall >= 0.87
