"""The borg connector: polls a repository with the real program and reads what wrappers report about single runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from monitoring.connectors import borg_archives, borg_failures, reading
from monitoring.connectors.base import Answer, Reading, Record, Reject, Runner, SettingField, Step
from monitoring.connectors.borg_command import parse
from monitoring.connectors.borg_runs import OPERATIONS, read_run
from monitoring.connectors.capabilities import PROGRAM_LIMITS, declare, full, none, part
from monitoring.connectors.programs import SIZES_OF, limit_s, masked, not_started, sizes_of, time_limit, unrecognised
from monitoring.connectors.redaction import redact, url_secrets

MAX_KNOWN_EMPTY = 200
# Such an address would be handed to ssh as an option, and its options can run programs.
_UNSAFE_ADDRESS = re.compile(r"-|ssh://(?:[^@/]*@)?-|[^/:@]*@-", re.DOTALL)
_VERSION = re.compile(r"borg (\d{1,4}\.\d{1,4}(?:\.\d{1,4})?\S{0,30})")
_FORMAT = "{name}{id}{start}{end}{hostname}{NL}"
_TROUBLE_FREE = {
    "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
    "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    "BORG_EXIT_CODES": "modern",
    "BORG_RSH": "ssh -oBatchMode=yes -oConnectTimeout=30",
}


class Borg:
    """Repositories of borg 1.x. Failed and missed runs leave nothing in a repository: let the wrapper report them too."""

    kind = "borg"
    label = "BorgBackup"
    tested: Literal["live", "recorded", "documented"] = "live"
    polled = True
    settings_fields: tuple[SettingField, ...] = (
        SettingField(
            name="repository",
            label="Repository",
            help="As borg's own REPOSITORY, e.g. /srv/backup/repo, ssh://user@host/./repo or user@host:repo. ssh uses this account's keys.",
            required=True,
        ),
        SettingField(
            name="passphrase",
            label="Passphrase",
            help="Of the repository's key. Leave it empty for a repository without encryption.",
            secret=True,
        ),
        SettingField(
            name="key_file",
            label="Key file",
            help="Only for keyfile repositories: where the exported key lies on this machine.",
        ),
        SettingField(name="archives", label="Only these archives", help="A pattern of archive names, e.g. wiki01-*. Empty reads all."),
        SIZES_OF,
        time_limit("one call of borg"),
    )
    capabilities = declare(
        read_runs=part("Archives that still exist; a failed run leaves nothing in a repository, so its wrapper reports it."),
        read_schedules=none("borg has no schedule."),
        verify_data=part("Checks and extractions that a wrapper reports."),
        incremental=none("Every archive is listed in every round; sizes are asked for the newest only."),
        authentication=full("Passphrase or key file, handed over in the environment; ssh by the account's keys."),
        rate_limits=full(PROGRAM_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], run: Runner, cursor: Mapping[str, Any]) -> Answer:
        """Ask the repository for its archives and the sizes of the newest. Takes no lock, so it never waits for a backup nor delays one."""
        address = settings.get("repository", "").strip()
        env, hidden = _environment(address, settings, secrets)
        shown = {"BORG_REPO": redact(address, hidden, data=True)}
        answer = Answer(kind="poll", steps=[], meta={"repository": shown["BORG_REPO"], "known_empty": _known_empty(cursor)})
        if _UNSAFE_ADDRESS.match(address):
            reason = "borg was not started: this address would pass options to another program. Write the repository's address alone."
            return not_started(answer, name="list", command="borg list", reason=reason)
        timeout_s = limit_s(settings)
        for name, argv in _calls(settings):
            step = masked(run(name, argv, env=env, timeout_s=timeout_s), hidden)
            step.env = shown
            answer.steps.append(step)
            if name == "version" and (match := _VERSION.search(step.stdout or "")):
                answer.tool_version = match.group(1)
            if step.exit_code != 0 or (answer.tool_version or "").startswith("2"):
                break
        return answer

    def read(self, answer: Answer) -> Reading:
        """One record for each archive listed and for each create, check, extract, prune, delete or compact that ran.

        A poll is complete when the repository told its id and every one of its archives, and the sizes that were asked for.
        """
        result = Reading()
        unknown: list[Reject] = []
        told_ids: list[str] = []
        for index, step in enumerate(answer.steps):
            command = parse(step.command, step.name)
            if command is None or command.verb == "version":
                if answer.kind == "poll":
                    _read_version(result, answer, step)
                else:
                    unknown.append(unrecognised(index, step, what="borg", example="borg create --json ::wiki-{now} /srv/data"))
            elif command.verb in ("list", "info"):
                told_ids += _read_listing(result, answer, index)
            elif command.verb in OPERATIONS and not command.has("--help", "-h"):
                run = read_run(answer, step, command, index=index)
                result.rejects.append(run) if isinstance(run, Reject) else result.records.append(run)
        if len(unknown) == len(answer.steps):
            result.rejects = unknown or [Reject(index=0, reason="The answer holds no step: send the command that ran and what it printed.")]
        result.records = _one_each(result.records)
        if answer.kind == "poll":
            _conclude_poll(result, answer, told_ids)
        result.job_ids = sorted({record.job_external_id for record in result.records})
        return result


def _environment(address: str, settings: Mapping[str, str], secrets: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What borg gets in its environment, and the texts in it that nobody may see. An empty passphrase keeps it from asking for one."""
    env = {**_TROUBLE_FREE, "BORG_REPO": address, "BORG_PASSPHRASE": secrets.get("passphrase", "")}
    if key_file := settings.get("key_file", "").strip():
        env["BORG_KEY_FILE"] = key_file
    return env, [text for text in (env["BORG_PASSPHRASE"], *url_secrets(address)) if text]


def _calls(settings: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    pattern = settings.get("archives", "").strip()
    only = [f"--glob-archives={pattern}"] if pattern else []
    calls = [
        ("version", ["borg", "--version"]),
        ("list", ["borg", "list", "--bypass-lock", "--json", f"--format={_FORMAT}", *only]),
    ]
    if sizes := sizes_of(settings):
        calls.append(("info", ["borg", "info", "--bypass-lock", "--json", f"--last={sizes}", *only]))
    return calls


def _known_empty(cursor: Mapping[str, Any]) -> str:
    told = cursor.get("known_empty")
    return " ".join(each for each in told if isinstance(each, str)) if isinstance(told, list) else ""


def _read_version(result: Reading, answer: Answer, step: Step) -> None:
    if step.exit_code != 0:
        result.problems.append(borg_failures.problem(step))
    elif (answer.tool_version or "").startswith("2"):
        result.problems.append(
            f"borg {answer.tool_version} keeps its archives in another way, which this product cannot read. Use borg 1.x."
        )


def _read_listing(result: Reading, answer: Answer, index: int) -> list[str]:
    """Adds what a listing holds and returns the repository's id; a poll learns of everything that kept it from being whole."""
    step, polled = answer.steps[index], answer.kind == "poll"
    if step.exit_code not in (0, None):
        if polled:
            result.problems.append(borg_failures.problem(step))
        return []
    known_empty = answer.meta.get("known_empty", "").split()
    known_empty += [record.artefact_id for record in result.records if record.outcome == "failed" and record.artefact_id]
    try:
        listed = borg_archives.read_listing(
            step.stdout or "", host=reading.name(answer.host), zone=answer.zone, exact=polled, known_empty=known_empty
        )
    except ValueError as error:
        if not polled and not reading.begins_json(step.stdout):
            return []  # a listing for people: nothing to take
        reason = f"The listing of archives cannot be read: {error}.{' It was larger than the limit and was cut.' if step.truncated else ''}"
        result.rejects.append(Reject(index=index, reason=reason, excerpt=reading.excerpt(step.stdout)))
        result.problems.append(reason)
        return []
    result.records += listed.records
    result.rejects += listed.rejects
    if polled and (listed.rejects or step.truncated):
        result.problems.append(f"{len(listed.rejects)} archive(s) of this repository could not be read; the others were taken over.")
    return listed.repository_ids


def _conclude_poll(result: Reading, answer: Answer, told_ids: list[str]) -> None:
    if not told_ids:
        # without the id the same archives would be stored twice once it is known
        result.records = []
        if not result.problems:
            result.problems.append("The repository did not tell its id, so its archives were not taken over.")
    else:
        empty = [record.external_id for record in result.records if record.outcome == "failed"]
        result.cursor = {"repository_id": told_ids[0], "known_empty": empty[-MAX_KNOWN_EMPTY:]}
    result.complete = bool(told_ids) and not result.problems


def _one_each(records: list[Record]) -> list[Record]:
    """The records without repeats: an archive stands in the list and, with its sizes and its real duration, again in what follows."""
    return list({(record.evidence_kind, record.identity): record for record in records}.values())
