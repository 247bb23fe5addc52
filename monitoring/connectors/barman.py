"""The Barman connector: asks a configured Barman for its backups and reads what wrappers report about single runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.connectors import reading
from monitoring.connectors.barman_listing import Listing, read_listing
from monitoring.connectors.barman_runs import LISTINGS, OPERATIONS, parse, read_runs
from monitoring.connectors.base import Answer, Reading, Reject, Runner, SettingField, Step, Tested
from monitoring.connectors.capabilities import PROGRAM_LIMITS, declare, full, none, part
from monitoring.connectors.programs import failed, limit_s, masked, not_started, time_limit, unrecognised

MOST_SHOWN, SHOW_TIMEOUT_S = 10, 30.0  # with the listing they stay within the quarter of an hour for which a poll is claimed
_VERSION = re.compile(r"^(\d{1,4}\.\d{1,4}(?:\.\d{1,4})?\S{0,30})")
_SERVER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}")
_ENDED = ("DONE", "FAILED")


class Barman:
    """PostgreSQL backups of Barman. Its catalogue keeps what failed while copying, not what was refused: let the wrapper report too."""

    kind = "barman"
    label = "Barman"
    tested: Tested = "live"
    polled = True
    settings_fields: tuple[SettingField, ...] = (
        SettingField(name="config", label="Configuration", help="Where it lies on this machine, if not at /etc/barman.conf."),
        SettingField(name="server", label="Only this server", help="Empty reads every server of the configuration."),
        time_limit("the listing of Barman"),
    )
    capabilities = declare(
        read_runs=part("Backups, also such that failed while they were copied; one refused at its start is reported by a wrapper."),
        read_schedules=none("Barman has no schedule."),
        verify_data=part("Checks and recoveries that a wrapper reports."),
        incremental=part("The list is read in full; details are asked only for backups that were never shown."),
        authentication=part("Rights of the account on this machine; Barman asks for no secret."),
        rate_limits=full(PROGRAM_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], run: Runner, cursor: Mapping[str, Any]) -> Answer:
        """List the backups of every server, and show the newest that were not shown yet. Reads only."""
        config, server = settings.get("config", "").strip(), settings.get("server", "").strip()
        known = cursor.get("shown") if isinstance(cursor.get("shown"), list) else []
        answer = Answer(kind="poll", steps=[], zone=settings.get("zone", "UTC"), meta={"shown": json.dumps(known)})
        wrong = "the whole path of its configuration" if config and not config.startswith("/") else ""
        wrong = wrong or ("the name of a server" if server and not _SERVER.fullmatch(server) else "")
        if wrong:
            reason = f"Barman was not started: write {wrong} in the settings of this tool."
            return not_started(answer, name="list-backup", command="barman list-backup", reason=reason)
        own = ["barman", *(["-c", config] if config else [])]
        timeout_s = limit_s(settings)
        calls = [("version", ["barman", "--version"], SHOW_TIMEOUT_S)]
        calls.append(("list-backup", [*own, "-f", "json", "list-backup", server or "all"], timeout_s))
        for name, argv, within_s in calls:
            step = _call(run, name, argv, within_s, answer)
            if step.exit_code != 0:
                return answer
            if name == "version" and (match := _VERSION.match((step.stdout or "").strip())):
                answer.tool_version = match.group(1)
        for about, backup_id in list(_not_shown(answer.steps[-1], known, answer.zone))[:MOST_SHOWN]:
            if _call(run, "show-backup", [*own, "-f", "json", "show-backup", about, backup_id], SHOW_TIMEOUT_S, answer).exit_code != 0:
                break
        return answer

    def read(self, answer: Answer) -> Reading:
        """One record for each backup listed, for each backup and restore that ran, and for each server that was checked.

        A poll is complete when the backups of every server could be listed.
        """
        result = Reading()
        unknown: list[Reject] = []
        servers: set[str] = set()
        for index, step in enumerate(answer.steps):
            command = parse(step.command, step.name)
            if command is None and answer.kind != "poll":
                unknown.append(unrecognised(index, step, what="Barman", example="barman backup main"))
            elif command is not None and command.verb in OPERATIONS:
                for run in read_runs(answer, step, command, index=index):
                    result.rejects.append(run) if isinstance(run, Reject) else result.records.append(run)
            elif command is not None and command.verb in LISTINGS:
                servers |= _read_listing(result, answer, index)
            elif answer.kind == "poll" and step.exit_code != 0:
                result.problems.append(_problem(step))
        if len(unknown) == len(answer.steps):
            result.rejects = unknown or [Reject(index=0, reason="The answer holds no step: send the command that ran and what it printed.")]
        result.records = list({(record.evidence_kind, record.identity): record for record in result.records}.values())
        if answer.kind == "poll":
            if not servers and not result.problems:
                result.problems.append("Barman knows no server. Check its configuration with barman list-servers.")
            result.complete = not result.problems and not result.rejects
            result.cursor = _cursor(answer)
        result.job_ids = sorted({record.job_external_id for record in result.records} | servers)
        return result


def _call(run: Runner, name: str, argv: list[str], timeout_s: float, answer: Answer) -> Step:
    step = masked(run(name, argv, env={}, timeout_s=timeout_s))
    answer.steps.append(step)
    return step


def _listing(step: Step, zone: str) -> Listing:
    try:
        return read_listing(step.stdout or "", zone=zone)
    except ValueError:
        return Listing()


def _not_shown(step: Step, known: Any, zone: str) -> Iterator[tuple[str, str]]:
    """Server and id of the finished backups that were never shown, newest first."""
    records = [record for record in _listing(step, zone).records if record.ended_at and record.artefact_id not in known]
    for record in sorted(records, key=lambda record: record.created_at, reverse=True):
        if _SERVER.fullmatch(record.job_external_id):
            yield record.job_external_id, record.external_id


def _cursor(answer: Answer) -> dict[str, Any]:
    """The backups that were shown and are still listed: their sizes never change, so they need not be shown again."""
    listed: set[str | None] = set()
    shown = {each for each in json.loads(answer.meta.get("shown") or "[]") if isinstance(each, str)} if _is_json(answer) else set()
    for step in answer.steps:
        found = {record.artefact_id for record in _listing(step, answer.zone).records}
        if step.name == "list-backup":
            listed |= found
        elif step.name == "show-backup" and step.exit_code == 0:
            shown |= {each for each in found if each}
    return {"shown": sorted(each for each in shown if each in listed)} if listed else {}


def _is_json(answer: Answer) -> bool:
    try:
        return isinstance(json.loads(answer.meta.get("shown") or "[]"), list)
    except (ValueError, RecursionError):
        return False


def _problem(step: Step) -> str:
    return failed(step, program="Barman", late="Check the machine it runs on or raise the time limit of this tool.")


def _read_listing(result: Reading, answer: Answer, index: int) -> set[str]:
    """Adds what a listing tells and returns its servers."""
    step, polled = answer.steps[index], answer.kind == "poll"
    if step.exit_code not in (0, None):
        if polled and step.name != "show-backup":  # a backup may be deleted between the listing and the look at it
            result.problems.append(_problem(step))
        return set()
    try:
        listing = read_listing(step.stdout or "", zone=answer.zone)
    except ValueError as error:
        if not polled and not reading.begins_json(step.stdout):
            return set()  # for people: nothing to take
        cut = " It was larger than the limit and was cut." if step.truncated else ""
        reason = f"The answer of Barman cannot be read: {error}.{cut}"
        result.rejects.append(Reject(index=index, reason=reason, excerpt=reading.excerpt(step.stdout)))
        result.problems.append(reason)
        return set()
    result.records += listing.records
    result.rejects += listing.rejects
    result.problems += [f"Barman said: {error[:300]}" for error in listing.errors] if polled else []
    return set(listing.servers)
