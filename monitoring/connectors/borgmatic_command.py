"""What a borgmatic command line and its log say: which actions ran, and which call of borg failed in which way."""

from __future__ import annotations

import re
import shlex

import msgspec

from monitoring.connectors import borg_command
from monitoring.connectors.base import Operation
from monitoring.connectors.command_line import Command, Grammar, find

_VERBS = (
    "borg break-lock check compact config create delete export-tar extract generate-config import-key info init key list mount prune "
    "rcreate rdelete recreate repo-create repo-delete repo-info repo-list restore rinfo rlist transfer umount validate-config version"
)
_WITH_VALUE = (
    "-c --config -v --verbosity --syslog-verbosity --log-file-verbosity --monitoring-verbosity --log-file --log-file-format --override "
    "--repository --archive -e --encryption --path --destination --strip-components --only --match-archives -a --glob-archives --sort-by "
    "--first --last --oldest --newest --older --newer --format -P --prefix --find --mount-point --schema --database --data-source --hook "
    "--comment --threshold --repair-db"
)
BORGMATIC = Grammar(program=r"borgmatic", verbs=frozenset(_VERBS.split()), with_value=frozenset(_WITH_VALUE.split()), default_verb="create")
LISTINGS = frozenset(("rlist", "repo-list", "rinfo", "repo-info", "info", "list"))
# What a call is for when it does several things: a backup counts before what is done around it.
_OPERATIONS: tuple[tuple[str, Operation], ...] = (
    ("create", "backup"),
    ("extract", "restore"),
    ("restore", "restore"),
    ("export-tar", "restore"),
    ("check", "verify"),
    ("transfer", "copy"),
    ("prune", "prune"),
    ("compact", "prune"),
    ("delete", "prune"),
)
_STEP_NAME = re.compile(r"^(create|run|check|extract|restore|prune|compact|list|info|rlist|rinfo|version)")
FAILED = re.compile(r"Command '(.{1,20000}?)' (?:returned non-zero exit status (\d{1,3})|died with <Signals\.\w+: (\d{1,2})>)")


class FailedCall(msgspec.Struct):
    """A program that borgmatic started and that did not end with 0; `borg` is its call when it was borg."""

    exit_code: int
    borg: Command | None


def parse(command: str | None, step_name: str) -> Command | None:
    """The borgmatic call in a command line, else what the name of the step says. Without an action it does everything: create."""
    if command and (found := find(command, BORGMATIC)):
        return msgspec.structs.replace(found, verb="version") if found.has("--version") else found
    if match := _STEP_NAME.match(step_name):
        return Command(verb=match.group(1).replace("run", "create"), known=False)
    return None


def action(command: Command) -> tuple[str, Operation] | None:
    """The action a call counts as, and what that is; None for one that only shows or prepares something."""
    given = {command.verb, *command.arguments}
    return next((found for found in _OPERATIONS if found[0] in given), None)


def failed_calls(text: str) -> list[FailedCall]:
    """The programs whose failure the log tells, each once."""
    found: dict[str, FailedCall] = {}
    for call, code, signal in FAILED.findall(text):
        words = re.findall(r"'([^']*)'", call + "'") if call.startswith("('") else None  # written as a Python tuple
        told = shlex.join(words) if words else call
        found[told] = FailedCall(exit_code=int(code) if code else 128 + int(signal), borg=borg_command.parse(told, ""))
    return list(found.values())
