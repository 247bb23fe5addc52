"""What a borg command line says: which operation, on which sources, in which repository, for which series of archives."""

from __future__ import annotations

import posixpath
import re

from monitoring.connectors import reading
from monitoring.connectors.command_line import Command, Grammar, find
from monitoring.connectors.redaction import redact

_VERBS = (
    "benchmark break-lock change-passphrase check compact config create debug delete diff export-tar extract help import-tar info init "
    "key list mount prune recreate rename serve umount upgrade with-lock"
)
# Options that take a value in the next word; everything else that starts with a dash stands alone.
_WITH_VALUE = (
    "--remote-path --remote-ratelimit --remote-buffer --upload-ratelimit --upload-buffer --umask --rsh --lock-wait --debug-topic "
    "--debug-profile -e --exclude --exclude-from --pattern --patterns-from --exclude-if-present --filter --comment --timestamp -c "
    "--checkpoint-interval --checkpoint-volume --chunker-params -C --compression --files-cache --files-changed --stdin-name --stdin-user "
    "--stdin-group --stdin-mode --paths-delimiter --format -P --prefix -a --glob-archives --first --last --sort-by --max-duration "
    "--keep-within --keep-last --keep-secondly --keep-minutely -H --keep-hourly -d --keep-daily -w --keep-weekly -m --keep-monthly "
    "--keep-13weekly --keep-3monthly -y --keep-yearly --strip-components --encryption --storage-quota --threshold --older --newer "
    "--oldest --newest"
)
_DRY = ("--dry-run", "-n")
BORG = Grammar(program=r"borg[\d.]*(?:-linux[\w.-]*|\.exe)?", verbs=frozenset(_VERBS.split()), with_value=frozenset(_WITH_VALUE.split()))
_STEP_NAME = re.compile(r"^(create|check|extract|prune|compact|delete|list|info|init|version)")
_PLACEHOLDER = re.compile(r"\{([a-z0-9-]{1,30})(?::[^{}]{0,100})?\}")
_NEAR_HOST = ("hostname", "fqdn")
# Dates and times as people put them into names: 2026-07-14, 20260714T0130, 2026-07-14_01.30.00+0200, seconds since 1970.
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d([-_.]?)[01]\d\1[0-3]\d(?:[T_ .-]{0,2}[0-2]\d[:._-]?[0-5]\d(?:[:._-]?[0-6]\d(?:[.,]\d{1,9})?)?)?"
    r"(?:Z|[+-]\d\d:?\d\d)?|1\d{9}(?:\.\d{1,6})?)(?!\d)"
)
CHECKPOINT = re.compile(r".*\.checkpoint(\.\d{1,9})?", re.DOTALL)


def parse(command: str | None, step_name: str) -> Command | None:
    """The borg call in a command line (sudo, pipes, `sh -c` around it are fine), else what the name of the step says."""
    if command and (found := find(command, BORG)):
        return found
    if match := _STEP_NAME.match(step_name):
        return Command(verb=match.group(1), known=False)
    return None


def dry_run(command: Command) -> bool:
    return command.has(*_DRY)


def _location(command: Command) -> tuple[str, str]:
    """Repository and archive of `repository::archive`; each empty when it is not told."""
    first = command.arguments[0] if command.arguments else ""
    repository, separator, archive = first.partition("::")
    return (repository, archive) if separator or command.verb not in ("create", "extract") else ("", "")


def repository(command: Command | None, env: dict[str, str] | None) -> str | None:
    """The address of the repository, passwords in it masked."""
    address = (_location(command)[0] if command else "") or (env or {}).get("BORG_REPO")
    return reading.name(redact(address)) if address else None


def archive(command: Command) -> str:
    """The name of the archive as the command writes it, placeholders and all."""
    return _location(command)[1]


def sources(command: Command) -> list[str]:
    """The paths a `create` was given."""
    return [posixpath.normpath(path) for path in command.arguments[1:] if path]


def series(host: str | None, name: str) -> str | None:
    """The stable name of a series of archives, `db01:home` for db01-home-2026-07-14: host, and the name without host, dates and times.

    Only the host where nothing else is in the name; None when neither is told.
    """
    stripped = _PLACEHOLDER.sub(lambda match: (host or "") if match.group(1) in _NEAR_HOST else "", name)
    stripped = _DATE.sub("", stripped)
    kept = re.sub(r"([-_.:@+ ])[-_.:@+ ]+", r"\1", stripped).strip("-_.:@+ ")
    if host and kept.startswith(host) and not kept[len(host) :][:1].isalnum():
        kept = kept[len(host) :].lstrip("-_.:@+ ")
    return reading.name(":".join(part for part in (host or "", kept) if part))
