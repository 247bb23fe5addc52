"""The restic connector: polls a repository with the real program and reads what wrappers report about single runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from monitoring.connectors import reading, restic_failures
from monitoring.connectors.base import Answer, Reading, Record, Reject, Runner, SettingField, Step
from monitoring.connectors.capabilities import PROGRAM_LIMITS, declare, full, none, part
from monitoring.connectors.command_line import Command
from monitoring.connectors.programs import limit_s, masked, not_started, time_limit, unrecognised
from monitoring.connectors.redaction import redact, url_secrets
from monitoring.connectors.restic_command import parse, protected, repository
from monitoring.connectors.restic_output import SNAPSHOT_ID
from monitoring.connectors.restic_runs import OPERATIONS, read_run
from monitoring.connectors.restic_snapshots import read_listing

# What a backend may be given; nothing that names a program to run, so that editing a tool is not a way to run commands.
_ALLOWED_ENV = re.compile(r"(?:AWS|AZURE|B2|GOOGLE|OS|ST|SWIFT|RESTIC_REST)_[A-Z0-9_]{1,60}|RCLONE_CONFIG|(?:HTTPS?|NO)_PROXY")
_FORBIDDEN_ENV = re.compile(r"COMMAND|EXECUTABLE")
# Such an address would be handed to ssh or rclone as an option, and their options can run programs.
_UNSAFE_ADDRESS = re.compile(r"sftp:(?://)?(?:[^@/]*@)?-|rclone:(?![A-Za-z0-9_][A-Za-z0-9_.+@ -]*:)|-", re.DOTALL)
_VERSION = re.compile(r"restic (\d{1,4}\.\d{1,4}(?:\.\d{1,4})?\S{0,30})")


class Restic:
    """restic repositories of any backend. Failed and missed runs leave nothing in a repository: let the wrapper report them too."""

    kind = "restic"
    label = "restic"
    tested: Literal["live", "recorded", "documented"] = "live"
    polled = True
    settings_fields: tuple[SettingField, ...] = (
        SettingField(
            name="repository",
            label="Repository",
            help="As restic's own -r, e.g. /srv/backup/repo, sftp:user@host:/repo, rest:https://host/repo or s3:https://host/bucket.",
            required=True,
        ),
        SettingField(
            name="password",
            label="Repository password",
            help="A key of its own for this product can be added with restic key add.",
            required=True,
            secret=True,
        ),
        SettingField(
            name="environment",
            label="Access to the backend",
            help="One KEY=VALUE a line, e.g. AWS_ACCESS_KEY_ID=… or RESTIC_REST_PASSWORD=…; kept secret as a whole.",
            secret=True,
            lines=True,
        ),
        SettingField(name="host", label="Only this host", help="Reads only snapshots of this host name."),
        SettingField(name="tag", label="Only these tags", help="Reads only snapshots that carry all of these tags, separated by commas."),
        SettingField(name="path", label="Only this path", help="Reads only snapshots that hold this path."),
        time_limit("one call of restic"),
    )
    capabilities = declare(
        read_runs=part("Copies that still exist; a failed run leaves nothing in a repository, so its wrapper reports it."),
        read_schedules=none("restic has no schedule."),
        verify_data=part("Checks and restores that a wrapper reports."),
        incremental=none("Every snapshot is listed in every round."),
        authentication=full("Password of the repository and access to the backend, handed over in the environment."),
        rate_limits=full(PROGRAM_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], run: Runner, cursor: Mapping[str, Any]) -> Answer:
        """Ask the repository for its id and its snapshots. Takes no lock, so it works while a prune runs and never delays one."""
        address = settings.get("repository", "").strip()
        env, hidden, refused = _environment(address, secrets)
        shown = {"RESTIC_REPOSITORY": redact(address, hidden, data=True)}
        timeout_s = limit_s(settings)
        filters = [f"--{key}={value.strip()}" for key in ("host", "tag", "path") if (value := settings.get(key)) and value.strip()]
        answer = Answer(kind="poll", steps=[], meta={"repository": shown["RESTIC_REPOSITORY"]})
        if refused:
            answer.meta["refused_environment"] = ", ".join(refused)
        if _UNSAFE_ADDRESS.match(address):
            reason = "restic was not started: this address would pass options to another program. Write the repository's address alone."
            return not_started(answer, name="cat-config", command="restic cat config", reason=reason)
        calls = {
            "version": ["restic", "version"],
            "cat-config": ["restic", "cat", "config", "--no-lock"],
            "snapshots": ["restic", "snapshots", "--json", "--no-lock", *filters],
        }
        for name, argv in calls.items():
            step = _masked(run(name, argv, env=env, timeout_s=timeout_s), hidden)
            step.env = shown
            answer.steps.append(step)
            if name == "version" and (match := _VERSION.search(step.stdout or "")):
                answer.tool_version = match.group(1)
            if step.exit_code != 0:
                break
        return answer

    def read(self, answer: Answer) -> Reading:
        """One record for each snapshot listed and for each backup, check, restore, prune, forget or copy that ran.

        A poll is complete when the repository told its id and every one of its snapshots.
        """
        result = Reading()
        found_id = _repository_id(answer)
        listed_in_full = False
        unknown: list[Reject] = []
        for index, step in enumerate(answer.steps):
            command = parse(step.command, step.name)
            if command is None:
                unknown.append(unrecognised(index, step, what="restic", example="restic backup --json /srv/data"))
                continue
            if command.verb == "snapshots":
                listed_in_full = _read_snapshots(result, answer, index, command=command, repository_id=found_id)
            elif command.verb in OPERATIONS and not command.has("--help"):
                run = read_run(answer, step, command, index=index)
                result.rejects.append(run) if isinstance(run, Reject) else result.records.append(run)
            elif answer.kind == "poll" and step.exit_code != 0:
                result.problems.append(restic_failures.problem(step))
        if len(unknown) == len(answer.steps):
            result.rejects = unknown or [Reject(index=0, reason="The answer holds no step: send the command that ran and what it printed.")]
        if answer.kind == "poll":
            _conclude_poll(result, answer, found_id, listed_in_full)
        result.records = _one_each(result.records)
        result.job_ids = sorted({record.job_external_id for record in result.records})
        return result


def _environment(address: str, secrets: Mapping[str, str]) -> tuple[dict[str, str], list[str], list[str]]:
    """What restic gets in its environment, the texts in it that nobody may see, and the names that were refused."""
    env = {"RESTIC_REPOSITORY": address, "RESTIC_PASSWORD": secrets.get("password", "")}
    hidden, refused = [env["RESTIC_PASSWORD"], *url_secrets(address)], []
    for line in filter(None, map(str.strip, secrets.get("environment", "").splitlines())):
        key, separator, value = line.partition("=")
        if separator and _ALLOWED_ENV.fullmatch(key) and not _FORBIDDEN_ENV.search(key):
            env[key] = value
        else:
            refused.append(reading.name(key) if separator and len(key) <= 60 else "a line without KEY=VALUE")
        hidden.append(value)
    return env, [text for text in hidden if text], [text for text in refused if text]


def _masked(step: Step, hidden: list[str]) -> Step:
    step.command = redact(step.command or "", hidden)
    return masked(step, hidden)


def _repository_id(answer: Answer) -> str | None:
    """The id in `cat config` or in the message of `init`, wherever one of them stands in the answer."""
    for step in answer.steps:
        command = parse(step.command, step.name)
        if command is None or command.verb not in ("cat", "init") or step.exit_code not in (0, None):
            continue
        try:
            told = reading.document(step.stdout or "")
        except ValueError:
            continue
        if isinstance(told, dict) and isinstance(found := told.get("id"), str) and SNAPSHOT_ID.fullmatch(found):
            return found
    return None


def _read_snapshots(result: Reading, answer: Answer, index: int, *, command: Command, repository_id: str | None) -> bool:
    """Adds what a listing holds; True when it held everything."""
    step = answer.steps[index]
    if step.exit_code not in (0, None):
        if answer.kind == "poll":
            result.problems.append(restic_failures.problem(step))
        return False
    name = repository(command, step.env) or reading.name(redact(answer.meta.get("repository", "")))
    try:
        records, rejects = read_listing(
            step.stdout or "",
            repository_id=repository_id or name or "",
            repository_name=name,
            encrypted=protected(command),
            zone=answer.zone,
        )
    except ValueError as error:
        hint = " It was larger than the limit and was cut." if step.truncated else "" if command.has("--json") else " List with --json."
        reason = f"The listing of snapshots cannot be read: {error}.{hint}"
        result.rejects.append(Reject(index=index, reason=reason, excerpt=reading.excerpt(step.stdout)))
        result.problems.append(reason)
        return False
    result.records += records
    result.rejects += rejects
    skipped = [line for line in reading.lines(step.stderr) if "could not load snapshot" in line or line.startswith("Ignoring ")]
    if skipped:
        told = f"It said: {skipped[0][:300]}"
        result.problems.append(f"restic could not read {len(skipped)} snapshot(s) of this repository; run restic check. {told}")
    return not (rejects or skipped or step.truncated)


def _conclude_poll(result: Reading, answer: Answer, found_id: str | None, listed_in_full: bool) -> None:
    if refused := answer.meta.get("refused_environment"):
        result.problems.append(
            f"These lines of the access settings were not given to restic: {refused}. Allowed are the variables of its backends "
            "(AWS_…, AZURE_…, B2_…, GOOGLE_…, OS_…, ST_…, SWIFT_…, RESTIC_REST_…, RCLONE_CONFIG, HTTPS_PROXY)."
        )
    if found_id is None:
        # without the id the same snapshots would be stored twice once it is known
        result.records = []
        if not result.problems:
            result.problems.append("The repository did not tell its id (restic cat config), so its snapshots were not taken over.")
    else:
        result.cursor = {"repository_id": found_id}
    result.complete = listed_in_full and found_id is not None and not result.problems


def _one_each(records: list[Record]) -> list[Record]:
    """The records without repeats: the same snapshot may stand in several listings of one answer."""
    return list({(record.evidence_kind, record.identity): record for record in records}.values())
