"""restic command lines: operation, paths and host, however they are wrapped."""

from __future__ import annotations

import pytest

from monitoring.connectors.restic_command import backup_paths, parse


@pytest.mark.parametrize(
    ("command", "verb", "paths"),
    [
        ("restic backup --json /srv/data/app", "backup", ["/srv/data/app"]),
        ("restic -r /repo --password-file /etc/p backup -q /a", "backup", ["/a"]),
        ("/usr/local/bin/restic_0.18.0_linux_amd64 backup /a /b", "backup", ["/a", "/b"]),
        ("sudo RESTIC_REPOSITORY=/r nice -n 19 restic backup /a", "backup", ["/a"]),
        ("docker run --rm -v /srv:/srv restic/restic:0.18.0 backup --json /srv", "backup", ["/srv"]),
        ("restic backup --exclude /a/tmp -e '*.o' --tag=x --limit-upload 300 /a", "backup", ["/a"]),
        ("restic backup --time '2026-10-01 01:30:00' --host db01 /srv/data/app", "backup", ["/srv/data/app"]),
        ("sh -c 'pg_dump shop | restic backup --stdin --stdin-filename shop.sql'", "backup", ["/shop.sql"]),
        ("pg_dump shop | restic backup --stdin | tee /var/log/x", "backup", ["/stdin"]),
        ("restic backup --stdin-filename db.sql --stdin-from-command -- bash -c 'echo half; exit 1'", "backup", ["/db.sql"]),
        ("restic backup --files-from /etc/list /a", "backup", ["/a", "@/etc/list"]),
        ("restic backup -- -odd-name", "backup", ["-odd-name"]),
        ("restic backup /a && restic check", "backup", ["/a"]),
        ("restic backup /srv/data/app/ /srv//b/../c", "backup", ["/srv/data/app", "/srv/c"]),
        ("restic backup 'C:\\data'", "backup", ["C:\\data"]),
        ("restic check --read-data", "check", []),
        ("borg create /srv/backup/restic-0.14::a", None, None),
        ("/opt/restic-nightly.sh backup-now", None, None),
        ("restic backup 'unclosed", "backup", ["'unclosed"]),
        ("", None, None),
    ],
)
def test_it_finds_the_call_and_its_paths(command: str, verb: str | None, paths: list[str] | None) -> None:
    found = parse(command, "run")

    assert (found.verb if found else None) == verb
    if found:
        assert backup_paths(found) == paths


def test_it_trusts_the_name_of_a_step_only_without_a_command_that_tells() -> None:
    assert parse("/opt/nightly.sh", "backup").verb == "backup"  # type: ignore[union-attr]
    assert parse("restic check", "backup").verb == "check"  # type: ignore[union-attr]
    assert parse(None, "list-locks") is None


def test_it_reads_values_in_every_notation() -> None:
    for command in (
        "restic backup -H web01 /a",
        "restic backup --host=web01 /a",
        "restic backup -Hweb01 /a",
        "restic backup --host web01 /a",
    ):
        assert parse(command, "").value("-H", "--host") == "web01"  # type: ignore[union-attr]
