"""What a restic command line says: which operation, on which paths, for which host, in which repository."""

from __future__ import annotations

import posixpath
import re
import shlex

import msgspec

from monitoring.connectors import reading
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
VERBS = frozenset(_VERBS.split())
WITH_VALUE = frozenset(_WITH_VALUE.split())
SEPARATORS = frozenset(("|", "||", "&&", ";", "&", ">", ">>", "<", "2>", "2>&1", "1>"))
_RESTIC = re.compile(r"(?:^|[\s;|&(\"'/])(restic[\w.-]*\s.*)", re.DOTALL)
_PROGRAM = re.compile(r"restic[\w.-]*(\.exe)?")
_STEP_NAME = re.compile(r"^(backup|check|forget|prune|restore|snapshots|copy|cat-config|init|stats|unlock|version)")


class Command(msgspec.Struct, kw_only=True):
    """A restic call taken apart. `options` holds every value given for an option, flags stand with an empty list."""

    verb: str
    arguments: list[str] = []
    options: dict[str, list[str]] = {}
    known: bool = True

    def has(self, *flags: str) -> bool:
        return any(flag in self.options for flag in flags)

    def value(self, *flags: str) -> str | None:
        return next((values[-1] for flag in flags if (values := self.options.get(flag))), None)


def parse(command: str | None, step_name: str) -> Command | None:
    """The restic call in a command line (sudo, pipes, `sh -c` around it are fine), else what the name of the step says."""
    words = _words(command or "")
    for position, word in enumerate(words):
        if _PROGRAM.fullmatch(posixpath.basename(word)) and (found := _read_words(words[position + 1 :])):
            return found
        if word != command and any(map(str.isspace, word)) and (inner := parse(word, "")):  # the script of `sh -c`
            return inner
    if command and (match := _RESTIC.search(command)) and match.group(1) != command:
        return parse(match.group(1), step_name)
    if match := _STEP_NAME.match(step_name):
        return Command(verb=match.group(1).replace("cat-config", "cat"), known=False)
    return None


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _read_words(words: list[str]) -> Command | None:
    verb: str | None = None
    arguments: list[str] = []
    options: dict[str, list[str]] = {}
    rest = iter(words)
    for word in rest:
        if word in SEPARATORS:
            break
        if word == "--" and verb:
            arguments += [] if "--stdin-from-command" in options else list(rest)
        elif word.startswith("--") and "=" in word:
            flag, _, value = word.partition("=")
            options.setdefault(flag, []).append(value)
        elif word in WITH_VALUE:
            options.setdefault(word, []).append(next(rest, ""))
        elif len(word) > 2 and word[0] == "-" and word[1] != "-" and word[:2] in WITH_VALUE:
            options.setdefault(word[:2], []).append(word[2:].removeprefix("="))
        elif word.startswith("--"):
            options.setdefault(word, [])
        elif word.startswith("-") and word != "-":
            for letter in word[1:]:
                options.setdefault(f"-{letter}", [])
        elif verb is None:
            if word not in VERBS:
                return None
            verb = word
        else:
            arguments.append(word)
    return Command(verb=verb, arguments=arguments, options=options) if verb else None


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
