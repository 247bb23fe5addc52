"""The Bacula connector: reads the jobs of a Director from its catalogue in PostgreSQL. Bareos keeps the same tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitoring.connectors import reading
from monitoring.connectors.bacula_jobs import off_by_s, read_job, rows_of, whole
from monitoring.connectors.base import Answer, Held, Query, Reading, Reject, SettingField, Step, Tested
from monitoring.connectors.capabilities import declare, full
from monitoring.connectors.querying import SETTINGS

PAGE, MOST_PAGES, MOST_OPEN, HISTORY_DAYS = 1000, 20, 500, 100
_COLUMNS = (
    "jobid job name type level clientid jobstatus schedtime starttime endtime realendtime jobtdate jobfiles jobbytes readbytes joberrors "
    "jobmissingfiles poolid filesetid priorjobid"
)
_JOBS = f"""
SELECT j.*, c.name AS client, p.name AS pool, f.fileset AS fileset FROM (
  SELECT {", ".join(_COLUMNS.split())} FROM job
  UNION ALL
  SELECT {", ".join(f"h.{name}" for name in _COLUMNS.split())} FROM jobhisto h
  WHERE NOT EXISTS (SELECT 1 FROM job WHERE job.jobid = h.jobid)
) AS j LEFT JOIN client c ON c.clientid = j.clientid LEFT JOIN pool p ON p.poolid = j.poolid
LEFT JOIN fileset f ON f.filesetid = j.filesetid
WHERE (j.jobid > %(after)s AND coalesce(j.schedtime, j.starttime, now()) > now() - %(days)s * interval '1 day') OR j.jobid = ANY(%(open)s)
ORDER BY j.jobid LIMIT {PAGE}
"""  # noqa: S608 - our own columns
_LATEST = "SELECT max(jobid) AS jobid, (SELECT job FROM job WHERE jobid = %(after)s) AS job FROM job"
# Pruning and recycling take a job out of the table; of one whose volume waits to be written over, the copy is as good as gone.
_HELD = """
SELECT min(jobid) AS first, max(jobid) AS last FROM (
  SELECT jobid, jobid - row_number() OVER (ORDER BY jobid) AS stretch FROM job WHERE NOT EXISTS (
    SELECT 1 FROM jobmedia m JOIN media v ON v.mediaid = m.mediaid WHERE m.jobid = job.jobid AND v.volstatus IN ('Purged', 'Recycle'))
) AS there GROUP BY stretch ORDER BY 1
"""
# What a job said about what went wrong; the summary at its end repeats it in many lines.
_LOGS = """
SELECT jobid, left(string_agg(left(logtext, 1000), '' ORDER BY logid), 8000) AS logtext FROM log
WHERE jobid = ANY(%(ids)s)
  AND logtext ~* '(error|fatal|warning|cancel|differ|could not|cannot)' AND logtext !~ 'Termination:' GROUP BY jobid
"""


class Bacula:
    """Jobs of a Bacula or Bareos Director. Its catalogue keeps failed and cancelled jobs, too; missed ones follow from the schedule."""

    kind = "bacula"
    label = "Bacula and Bareos"
    tested: Tested = "live"
    polled = True
    over_sql = True
    settings_fields: tuple[SettingField, ...] = (
        *SETTINGS,
        SettingField(
            name="history_days", label="Days of history", help="How far back the first reading goes, 1 to 3650.", default=str(HISTORY_DAYS)
        ),
    )
    capabilities = declare(
        read_runs=full("Every job of the catalogue with every outcome that it keeps."),
        read_schedules=full("The time for which each job was scheduled."),
        verify_data=full("Jobs that verify and restore; which copies were recycled."),
        incremental=full("Goes on after the job that was read last; open ones are read again."),
        authentication=full("A database user that can read and nothing else; TLS as set."),
        rate_limits=full("A few statements a round, read-only, each within a minute."),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], query: Query, cursor: Mapping[str, Any]) -> Answer:
        """Ask for the jobs after those that were read, and again for those that had not ended. Reads only."""
        answer = Answer(kind="poll", steps=[], zone=settings.get("zone", "UTC"))
        after, still_open = _place(cursor)
        answer.meta["seen"] = str(after)
        if _keep(answer, query("latest", _LATEST, {"after": after})).exit_code != 0:
            return answer
        told = next(iter(rows_of(answer.steps[-1])), {})
        if (whole(told.get("jobid")) or 0) < after or told.get("job") not in (None, cursor.get("job")):
            after, still_open = 0, []  # the catalogue was made anew: it is read from its beginning
        answer.meta |= {"after": str(after), "job": str(cursor.get("job") or "") if after else ""}
        for _ in range(MOST_PAGES):
            jobs = _keep(answer, query("jobs", _JOBS, {"after": after, "open": still_open, "days": _days(settings)}))
            ids = [job_id for row in rows_of(jobs) if (job_id := whole(row.get("jobid"))) is not None]
            if jobs.exit_code != 0 or (ids and _keep(answer, query("logs", _LOGS, {"ids": ids})).exit_code != 0):
                break
            if len(ids) < PAGE and not jobs.truncated:
                answer.meta["ended"] = "yes"
                break
            after, still_open = max([after, *ids]), []
        if all(step.exit_code == 0 for step in answer.steps):
            _keep(answer, query("held", _HELD, {}))
        return answer

    def read(self, answer: Answer) -> Reading:
        """One record for every job but those of the Director itself. A poll is complete when the end of the catalogue was reached."""
        result, messages = Reading(), _messages(answer)
        rows = [row for step in answer.steps if step.name == "jobs" for row in rows_of(step)]
        for row in rows:
            told = read_job(row, zone=answer.zone, message=messages.get(str(row.get("jobid"))))
            if isinstance(told, str):
                index = len(result.records) + len(result.rejects)
                result.rejects.append(Reject(index=index, reason=f"A job of the catalogue {told}.", excerpt=reading.excerpt(row)))
            elif told is not None:
                result.records.append(told)
        result.records = list({record.identity: record for record in result.records}.values())
        result.job_ids = sorted({record.job_external_id for record in result.records})
        if answer.kind != "poll" and not any(step.name == "jobs" for step in answer.steps):
            reason = "What a command of Bacula printed is not read here: its catalogue tells every job. Connect the catalogue as a tool."
            result.rejects.append(Reject(index=0, reason=reason, excerpt=reading.excerpt(answer.steps[0].command if answer.steps else "")))
        if answer.kind == "poll":
            result.problems = [step.stderr or "The catalogue did not answer." for step in answer.steps if step.exit_code != 0]
            result.problems += _zone_problem(rows, answer.zone)
            if answer.meta.get("ended") != "yes" and not result.problems:
                result.problems.append("The catalogue holds more jobs than one poll reads. The next one goes on.")
            result.complete = not result.problems and not result.rejects
            result.cursor = _cursor(answer, rows, result)
            result.held = _held(answer, rows)
        return result


def _place(cursor: Mapping[str, Any]) -> tuple[int, list[int]]:
    """The last job that was read, and those up to it that had not ended then."""
    told = cursor.get("open")
    return whole(cursor.get("after")) or 0, [one for one in told if whole(one)] if isinstance(told, list) else []


def _days(settings: Mapping[str, str]) -> int:
    told = whole(settings.get("history_days")) or 0
    return told if 0 < told <= 3650 else HISTORY_DAYS


def _cursor(answer: Answer, rows: list[dict[str, Any]], result: Reading) -> dict[str, Any]:
    """Where the next poll goes on; none after an answer that broke off, which is then asked for again."""
    if not answer.steps or any(step.exit_code != 0 for step in answer.steps):
        return {}
    after, job = whole(answer.meta.get("after")) or 0, answer.meta.get("job") or None
    for row in rows:
        if (number := whole(row.get("jobid")) or 0) > after:
            after, job = number, reading.name(row.get("job"))
    waiting = sorted(int(record.external_id) for record in result.records if record.state != "finished")
    return {"after": after, "job": job, "open": waiting[-MOST_OPEN:]} if after else {}


def _zone_problem(rows: list[dict[str, Any]], zone: str) -> list[str]:
    """The catalogue has the end of every job as local time and in seconds since 1970: together they tell the zone."""
    told = [off for row in rows if (off := off_by_s(row, zone)) is not None]
    if not told or told.count(0) * 2 >= len(told):
        return []
    minutes = max(told, key=told.count) // 60
    told_so = f"The times in the catalogue are {minutes} minutes off from {zone}."
    return [f"{told_so} Set the time zone of this tool to that of the Director's machine."]


def _keep(answer: Answer, step: Step) -> Step:
    answer.steps.append(step)
    return step


def _held(answer: Answer, rows: list[dict[str, Any]]) -> Held | None:
    """The numbers of the jobs that can still be restored; None when that was not told in full."""
    told = next((step for step in answer.steps if step.name == "held" and step.exit_code == 0 and not step.truncated), None)
    if told is None:
        return None
    found = [(whole(row.get("first")), whole(row.get("last"))) for row in rows_of(told)]
    stretches = [(first, last) for first, last in found if first is not None and last is not None and first <= last < 2**63]
    until = max([whole(answer.meta.get("seen")) or 0, *(whole(row.get("jobid")) or 0 for row in rows)])
    lines = [line for line in (told.stdout or "").split("\n") if line]
    return Held(stretches=stretches, until=until) if len(stretches) == len(lines) else None


def _messages(answer: Answer) -> dict[str, str]:
    """What the log says of each job, by its number."""
    return {
        str(row.get("jobid")): reading.plain(text)
        for step in answer.steps
        if step.name == "logs" and step.stdout
        for row in rows_of(step)
        if isinstance(text := row.get("logtext"), str)
    }
