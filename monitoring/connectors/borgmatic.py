"""The borgmatic connector: polls the repositories of a configuration and reads what wrappers report about single runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from monitoring.connectors import borg_archives, borg_failures, reading
from monitoring.connectors.base import Answer, Reading, Record, Reject, Runner, SettingField, Step
from monitoring.connectors.borg import MAX_KNOWN_EMPTY
from monitoring.connectors.borgmatic_command import LISTINGS, action, parse
from monitoring.connectors.borgmatic_log import essence
from monitoring.connectors.borgmatic_runs import read_run
from monitoring.connectors.capabilities import LOCK_LIMITS, declare, full, none, part
from monitoring.connectors.programs import SIZES_OF, limit_s, masked, not_started, sizes_of, time_limit, unrecognised

_VERSION = re.compile(r"^(\d{1,4}\.\d{1,4}(?:\.\d{1,4})?\S{0,30})$", re.MULTILINE)
_CONFIG = re.compile(r"(?i)error parsing configuration file|no valid configuration files found")
_UNREADABLE = (
    "borgmatic cannot read its configuration. Check the path in the settings of this tool, that this account may read the file, and"
    " what is written in it: borgmatic config validate (before 1.8: validate-borgmatic-config) names the line."
)
_RENAMED = (1, 9)  # rlist and rinfo became repo-list and repo-info
_FORMAT = "{name}{id}{start}{end}{hostname}{NL}"
_ENV = {
    "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
    "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    "BORG_RSH": "ssh -oBatchMode=yes -oConnectTimeout=30",
}


class Borgmatic:
    """The repositories of one borgmatic configuration. Failed and missed runs leave nothing in them: let its hook ping too."""

    kind = "borgmatic"
    label = "borgmatic"
    tested: Literal["live", "recorded", "documented"] = "live"
    polled = True
    settings_fields: tuple[SettingField, ...] = (
        SettingField(
            name="config",
            label="Configuration",
            help="Where it lies on this machine, e.g. /etc/borgmatic/config.yaml. This product must be able to read it.",
            required=True,
        ),
        SettingField(
            name="passphrase",
            label="Passphrase",
            help="Only if the configuration does not hold it.",
            secret=True,
        ),
        SIZES_OF,
        time_limit("one call of borgmatic"),
    )
    capabilities = declare(
        read_runs=part("Archives that still exist; failures come by its healthchecks hook or a wrapper's report."),
        read_schedules=none("borgmatic's timer is not read."),
        verify_data=part("Checks and extractions that a wrapper reports."),
        incremental=none("Every archive is listed in every round."),
        authentication=full("Passphrase in the environment or in borgmatic's own configuration."),
        rate_limits=part(LOCK_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], run: Runner, cursor: Mapping[str, Any]) -> Answer:
        """Ask for the archives of every repository in the configuration and the sizes of the newest."""
        config = settings.get("config", "").strip()
        passphrase = secrets.get("passphrase", "")
        env = {**_ENV, "BORG_PASSPHRASE": passphrase} if passphrase else dict(_ENV)
        told = cursor.get("known_empty")
        known_empty = " ".join(each for each in told if isinstance(each, str)) if isinstance(told, list) else ""
        answer = Answer(kind="poll", steps=[], meta={"config": config, "known_empty": known_empty})
        if not config.startswith("/"):
            reason = "borgmatic was not started: write the whole path of its configuration, like /etc/borgmatic/config.yaml."
            return not_started(answer, name="list", command="borgmatic rlist", reason=reason)
        timeout_s = limit_s(settings)
        sizes = sizes_of(settings)
        common = ["borgmatic", "--config", config, "--no-color"]
        for name in ("version", "list", "info"):
            rest = ["--json", f"--format={_FORMAT}"] if name == "list" else ["--json", f"--last={sizes}"]
            verb = _listing_verb(answer.tool_version) if name == "list" else "info"
            if name == "info" and not sizes:
                break
            argv = ["borgmatic", "--version"] if name == "version" else [*common, verb, *rest]
            step = masked(run(name, argv, env=env, timeout_s=timeout_s), [passphrase] if passphrase else [])
            answer.steps.append(step)
            if name == "version" and (match := _VERSION.search(step.stdout or "")):
                answer.tool_version = match.group(1)
            if step.exit_code != 0:
                break
        return answer

    def read(self, answer: Answer) -> Reading:
        """One record for each archive listed and for each call that backed up, checked, restored or pruned.

        A poll is complete when every repository told its id, every one of its archives, and the sizes that were asked for.
        """
        result = Reading()
        unknown: list[Reject] = []
        listed_ids: set[str] = set()
        for index, step in enumerate(answer.steps):
            command = parse(step.command, step.name)
            if command is None:
                unknown.append(unrecognised(index, step, what="borgmatic", example="borgmatic create --json"))
            elif action(command) and not command.has("--help", "-h"):
                run = read_run(answer, step, command, index=index)
                result.rejects.append(run) if isinstance(run, Reject) else result.records.append(run)
            elif command.verb in LISTINGS:
                listed_ids |= _read_listing(result, answer, index)
            elif answer.kind == "poll" and step.exit_code != 0:
                result.problems.append(_problem(step))
        if len(unknown) == len(answer.steps):
            result.rejects = unknown or [Reject(index=0, reason="The answer holds no step: send the command that ran and what it printed.")]
        result.records = list({(record.evidence_kind, record.identity): record for record in result.records}.values())
        if answer.kind == "poll":
            if not listed_ids and not result.problems:
                result.problems.append("borgmatic named no repository, so nothing was taken over. Check its configuration.")
            empty = [record.external_id for record in result.records if record.outcome == "failed"]
            result.cursor = {"known_empty": empty[-MAX_KNOWN_EMPTY:]}
            result.complete = bool(listed_ids) and not result.problems
        result.job_ids = sorted({record.job_external_id for record in result.records})
        return result


def _listing_verb(version: str | None) -> str:
    parts = tuple(int(part) for part in re.findall(r"\d{1,6}", version or "")[:2])
    return "repo-list" if parts >= _RENAMED else "rlist"


def _problem(step: Step) -> str:
    """One sentence about why a call failed and what to do, with borgmatic's own words behind it."""
    said = essence(step.stderr)
    if _CONFIG.search(said):
        return f"{_UNREADABLE} It said: {reading.plain(' '.join(said.split()))[:300]}"
    told = borg_failures.problem(msgspec.structs.replace(step, stderr=essence(step.stderr)))
    return told.replace("borg failed. borg said:", "borgmatic failed. It said:")


def _read_listing(result: Reading, answer: Answer, index: int) -> set[str]:
    """Adds what a listing holds and returns the ids of its repositories; a poll learns of everything that kept it from being whole."""
    step, polled = answer.steps[index], answer.kind == "poll"
    if step.exit_code not in (0, None):
        if polled:
            result.problems.append(_problem(step))
        return set()
    known_empty = answer.meta.get("known_empty", "").split()
    known_empty += [record.artefact_id for record in result.records if record.outcome == "failed" and record.artefact_id]
    try:
        listed = borg_archives.read_listing(
            step.stdout or "", host=reading.name(answer.host), zone=answer.zone, exact=polled, known_empty=known_empty
        )
    except ValueError as error:
        if not polled and not reading.begins_json(step.stdout):
            return set()  # a listing for people: nothing to take
        reason = f"The listing of archives cannot be read: {error}.{' It was larger than the limit and was cut.' if step.truncated else ''}"
        result.rejects.append(Reject(index=index, reason=reason, excerpt=reading.excerpt(step.stdout)))
        result.problems.append(reason)
        return set()
    records: list[Record] = [record for record in listed.records if record.identity[0]]
    result.records += records
    result.rejects += listed.rejects
    if polled and (listed.rejects or step.truncated or len(records) < len(listed.records)):
        result.problems.append("Some archives of these repositories could not be read; the others were taken over.")
    return set(listed.repository_ids)
