"""What the wrappers of the demo's jobs report, and what its scripts ping: recordings with the demo's names, instants and sizes. Pure."""

from __future__ import annotations

import datetime as dt
import json
from typing import NamedTuple

from itsm_backup.demo import recordings
from itsm_backup.demo.answering import archive_name, figures, sizes, unreachable
from itsm_backup.demo.planning import Job, Run
from monitoring.connectors.base import Answer, Step


class Ping(NamedTuple):
    """One request to a ping address."""

    at: dt.datetime
    job: Job
    suffix: str
    body: str


def report(run: Run, *, repository: str, full_pool: bool) -> Answer:
    """What the wrapper around a run that failed, or that had something to remark, sends."""
    step = {"restic": _restic, "borg": _borg, "pgbackrest": _pgbackrest}[run.job.kind](run, repository, full_pool)
    step.started_at, step.finished_at = run.started_at, run.ended_at
    job = run.job.name
    return Answer(kind="push", steps=[step], host=run.job.host, job_external_id=job, meta={"repository": repository})


def _restic(run: Run, repository: str, full_pool: bool) -> Step:
    command = f"restic backup --json {run.job.place}"
    env = {"RESTIC_REPOSITORY": repository}
    if run.outcome == "warning":
        said = {**json.loads(recordings.text("restic-unreadable.json")), **figures(run), "snapshot_id": run.id}
        said["total_duration"] = (run.ended_at - run.started_at).total_seconds()
        stderr = recordings.text("restic-unreadable.txt").replace("/srv/data/app", run.job.place)
        return Step(name="backup", command=command, exit_code=3, stdout=json.dumps(said), stderr=stderr, env=env)
    if full_pool:
        stderr = recordings.text("restic-disk-full.txt").replace("/srv/tiny/repo", "/pool/nas-02/imaging")
    else:
        stderr = unreachable(repository)
    return Step(name="backup", command=command, exit_code=1, stdout="", stderr=stderr, env=env)


def _borg(run: Run, repository: str, full_pool: bool) -> Step:
    name = archive_name(run)
    command, env = f"borg create --json --log-json ::{name} /srv/{run.job.place}", {"BORG_REPO": repository}
    if run.outcome == "failed":
        stderr = recordings.text("borg-locked.txt").replace("/srv/backup/borg", repository)
        return Step(name="create", command=command, exit_code=2, stdout="", stderr=stderr, env=env)
    document = recordings.document("borg-create-changed.json")
    document["archive"] |= {"id": run.id, "name": name, "stats": sizes(run), "duration": (run.ended_at - run.started_at).total_seconds()}
    document["archive"] |= {side: f"{at:%Y-%m-%dT%H:%M:%S}.000000" for side, at in (("start", run.started_at), ("end", run.ended_at))}
    document["repository"]["location"] = repository
    stderr = recordings.text("borg-create-changed.txt").replace("/srv/data/mail", f"/srv/{run.job.place}")
    return Step(name="create", command=command, exit_code=1, stdout=json.dumps(document, indent=4), stderr=stderr, env=env)


def _pgbackrest(run: Run, repository: str, full_pool: bool) -> Step:
    recorded = recordings.text("pgbackrest-database-down.txt").replace("--stanza=shop", f"--stanza={run.job.name}")
    said = "\n".join(_moved(line, run.started_at) for line in recorded.splitlines())
    stderr = recordings.text("pgbackrest-database-down-errors.txt")
    return Step(name="backup", command=f"pgbackrest --stanza={run.job.name} backup", exit_code=56, stdout=said, stderr=stderr)


def _moved(line: str, at: dt.datetime) -> str:
    """A line of a log with its time moved to the run's."""
    return f"{at:%Y-%m-%d %H:%M:%S}{line[19:]}" if line[:2] == "20" else line


def pings(run: Run) -> list[Ping]:
    """What a script sends about a run: how it ended, with the summary of what it ran."""
    said = {**json.loads(recordings.text("restic-summary.json")), **figures(run), "snapshot_id": run.id}
    said["total_duration"] = (run.ended_at - run.started_at).total_seconds()
    suffix = {"success": "0", "warning": "3", "failed": "1"}[run.outcome]
    return [Ping(run.ended_at, run.job, suffix, json.dumps(said))]
