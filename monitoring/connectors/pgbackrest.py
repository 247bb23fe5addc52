"""The pgBackRest connector: asks a configured pgBackRest for its backups and reads what wrappers report about single runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Reading, Reject, Runner, SettingField, Step
from monitoring.connectors.capabilities import PROGRAM_LIMITS, declare, full, none, part
from monitoring.connectors.pgbackrest_info import read_info
from monitoring.connectors.pgbackrest_runs import OPERATIONS, parse, read_run
from monitoring.connectors.programs import failed, limit_s, masked, not_started, time_limit, unrecognised

_VERSION = re.compile(r"pgBackRest (\d{1,4}\.\d{1,4}\S{0,30})")
_STANZA = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,126}")


class PgBackRest:
    """PostgreSQL backups of pgBackRest. `info` shows what was finished and says ok after failures: let the wrapper report too."""

    kind = "pgbackrest"
    label = "pgBackRest"
    tested: Literal["live", "recorded", "documented"] = "live"
    polled = True
    settings_fields: tuple[SettingField, ...] = (
        SettingField(
            name="config",
            label="Configuration",
            help="Where it lies on this machine, if not at /etc/pgbackrest/pgbackrest.conf or /etc/pgbackrest.conf.",
        ),
        SettingField(name="stanza", label="Only this stanza", help="Empty reads every stanza."),
        SettingField(
            name="cipher_pass",
            label="Passphrase of repository 1",
            help="Only if the repository is encrypted and the configuration does not hold it.",
            secret=True,
        ),
        time_limit("one call of pgBackRest"),
    )
    capabilities = declare(
        read_runs=part("Backups that were finished and still exist; failures come by a wrapper's report."),
        read_schedules=none("pgBackRest has no schedule."),
        verify_data=part("Verifications, checks and restores that a wrapper reports."),
        incremental=none("Every backup is listed in every round."),
        authentication=full("Rights of the account on configuration and repositories; passphrase of a repository in the environment."),
        rate_limits=full(PROGRAM_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], run: Runner, cursor: Mapping[str, Any]) -> Answer:
        """Ask for every stanza and repository of the configuration. Reads only, takes no lock and writes no log."""
        config, stanza = settings.get("config", "").strip(), settings.get("stanza", "").strip()
        passphrase = secrets.get("cipher_pass", "")
        answer = Answer(kind="poll", steps=[], meta={"stanza": stanza} if stanza else {})
        wrong = "the whole path of its configuration" if config and not config.startswith("/") else ""
        wrong = wrong or ("the name of a stanza" if stanza and not _STANZA.fullmatch(stanza) else "")
        if wrong:
            reason = f"pgBackRest was not started: write {wrong} in the settings of this tool."
            return not_started(answer, name="info", command="pgbackrest info", reason=reason)
        options = [f"--config={config}"] * bool(config) + [f"--stanza={stanza}"] * bool(stanza)
        env = {"PGBACKREST_REPO1_CIPHER_PASS": passphrase} if passphrase else {}
        calls = {
            "version": ["pgbackrest", "version"],
            "info": ["pgbackrest", "info", "--output=json", "--log-level-file=off", *options],
        }
        timeout_s = limit_s(settings)
        for name, argv in calls.items():
            step = masked(run(name, argv, env=env, timeout_s=timeout_s), [passphrase] if passphrase else [])
            answer.steps.append(step)
            if match := _VERSION.search(step.stdout or ""):
                answer.tool_version = match.group(1)
            if step.exit_code != 0:
                break
        return answer

    def read(self, answer: Answer) -> Reading:
        """One record for each backup listed and for each backup, verify, check, restore, expire or archive-push that ran.

        A poll is complete when every stanza and each of its repositories could be read.
        """
        result = Reading()
        unknown: list[Reject] = []
        stanzas: set[str] = set()
        for index, step in enumerate(answer.steps):
            command = parse(step.command, step.name)
            if command is None:
                unknown.append(unrecognised(index, step, what="pgBackRest", example="pgbackrest --stanza=main backup"))
            elif command.verb in OPERATIONS:
                run = read_run(answer, step, command, index=index)
                result.rejects.append(run) if isinstance(run, Reject) else result.records.append(run)
            elif command.verb == "info":
                stanzas |= _read_info(result, answer, index)
            elif answer.kind == "poll" and step.exit_code != 0:
                result.problems.append(_problem(step))
        if len(unknown) == len(answer.steps):
            result.rejects = unknown or [Reject(index=0, reason="The answer holds no step: send the command that ran and what it printed.")]
        result.records = list({(record.evidence_kind, record.identity): record for record in result.records}.values())
        if answer.kind == "poll":
            if not stanzas and not result.problems:
                result.problems.append("pgBackRest knows no stanza. Check its configuration, or create one with pgbackrest stanza-create.")
            result.complete = not result.problems and not result.rejects
        result.job_ids = sorted({record.job_external_id for record in result.records} | stanzas)
        return result


def _problem(step: Step) -> str:
    return failed(step, program="pgBackRest", late="Check the connection to its repositories or raise the time limit of this tool.")


def _read_info(result: Reading, answer: Answer, index: int) -> set[str]:
    """Adds what `info` tells and returns its stanzas."""
    step, polled = answer.steps[index], answer.kind == "poll"
    if step.exit_code not in (0, None):
        if polled:
            result.problems.append(_problem(step))
        return set()
    try:
        info = read_info(step.stdout or "")
    except ValueError as error:
        if not polled and not reading.begins_json(step.stdout):
            return set()  # for people: nothing to take
        reason = (
            f"The answer of pgBackRest cannot be read: {error}.{' It was larger than the limit and was cut.' if step.truncated else ''}"
        )
        result.rejects.append(Reject(index=index, reason=reason, excerpt=reading.excerpt(step.stdout)))
        result.problems.append(reason)
        return set()
    result.records += info.records
    result.rejects += info.rejects
    result.problems += info.problems
    return set(info.stanzas)
