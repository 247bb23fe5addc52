"""What a restic command line says: which operation, on which paths, for which host, in which repository."""

from __future__ import annotations

import posixpath
import re

from monitoring.connectors import reading
from monitoring.connectors.command_line import Command, Grammar, find
from monitoring.connectors.redaction import redact

_VERBS = (
    "backup cache cat check copy diff dump features find forget generate init key list ls migrate mount options prune rebuild-index "
    "recover repair restore rewrite self-update snapshots stats tag unlock version"
)
# Options that take a value in the next word; everything else that starts with a dash stands alone.
_WITH_VALUE = (
    "-r --repo --repository-file -p --password-file --password-command --key-hint -o --option --cacert --cache-dir --compression "
    "--http-user-agent --limit-download --limit-upload --pack-size --retry-lock --stuck-request-timeout --tls-client-cert "
    "-H --host --tag --path --time --parent -g --group-by -e --exclude --iexclude --exclude-file --iexclude-file --exclude-if-present "
    "--exclude-larger-than --files-from --files-from-raw --files-from-verbatim --stdin-filename --read-concurrency --read-data-subset "
    "--mode --latest --keep-last -l --keep-hourly --keep-daily -d --keep-weekly -w --keep-monthly -m --keep-yearly -y --keep-within "
    "--keep-within-hourly --keep-within-daily --keep-within-weekly --keep-within-monthly --keep-within-yearly --keep-tag --max-unused "
    "--max-repack-size -t --target -i --include --iinclude --include-file --iinclude-file --overwrite --from-repo --repo2"
)
RESTIC = Grammar(program=r"restic[\w.:-]*", verbs=frozenset(_VERBS.split()), with_value=frozenset(_WITH_VALUE.split()))
_STEP_NAME = re.compile(r"^(backup|check|forget|prune|restore|snapshots|copy|cat-config|init|stats|unlock|version)")


def parse(command: str | None, step_name: str) -> Command | None:
    """The restic call in a command line (sudo, pipes, `sh -c` around it are fine), else what the name of the step says."""
    if command and (found := find(command, RESTIC)):
        return found
    if match := _STEP_NAME.match(step_name):
        return Command(verb=match.group(1).replace("cat-config", "cat"), known=False)
    return None


def backup_paths(command: Command) -> list[str]:
    """The paths as restic will write them into the snapshot, as far as the command tells; lists in files stand as `@file`."""
    if command.has("--stdin", "--stdin-from-command"):
        return [posixpath.join("/", command.value("--stdin-filename") or "stdin")]
    lists = [f"@{file}" for flag in ("--files-from", "--files-from-raw", "--files-from-verbatim") for file in command.options.get(flag, [])]
    return [_clean(path) for path in command.arguments] + lists


def _clean(path: str) -> str:
    return path if "\\" in path or not path else posixpath.normpath(path)


def series(host: str | None, paths: list[str]) -> str | None:
    """The stable name of a series of backups: `db01:/srv/data/app`, several paths sorted and joined with commas."""
    return reading.name(f"{host}:{','.join(sorted(set(paths)))}") if host and paths else None


def protected(command: Command) -> bool | None:
    """Whether the data is protected by a password: restic always encrypts, but --insecure-no-password leaves the key open."""
    if not command.known:
        return None
    return not command.has("--insecure-no-password")


def repository(command: Command | None, env: dict[str, str] | None) -> str | None:
    """The address of the repository, passwords in it masked."""
    address = (command.value("-r", "--repo") if command else None) or (env or {}).get("RESTIC_REPOSITORY")
    return reading.name(redact(address)) if address else None
