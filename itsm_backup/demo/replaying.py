"""Replaying what the demo's tools say: the same ways in as real tools use, with recordings in place of programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from itsm_backup.demo import answering, stories, strays, telling
from itsm_backup.demo.world import World, begins_at
from monitoring import intake, pinging, polling
from monitoring.models import BackupJob, Tool, ToolState


def replay(*, tool: Tool, world: World, since: dt.datetime, at: dt.datetime, polled: bool = True) -> int:
    """Let a demo tool tell everything that happened after `since`, as a real one would at `at`; returns how many answers it gave.

    The same again changes nothing. With `polled` a tool that can be asked is asked, too.
    """
    if tool.kind == "ping":
        return _ping(tool, world, since, at)
    given = 0
    if not world.is_silent(tool.name, at):
        repository, full_pool = world.repositories[tool.name], tool.name == stories.FULL_POOL
        for run in sorted(world.runs(tool.name, since, at), key=lambda run: run.ended_at):
            if run.outcome != "success":
                intake.receive(tool=tool, answer=telling.report(run, repository=repository, full_pool=full_pool), at=at)
                given += 1
        tried = world.restore_tests(tool.name, max(since, begins_at(world.anchor_at)), at)
        for _, answer in sorted(tried, key=lambda test: test[0]):
            intake.receive(tool=tool, answer=answer, at=at)
            given += 1
        for answer in strays.unreadable(tool.name, world.anchor_at, since, at):
            intake.receive(tool=tool, answer=answer, at=at)
            given += 1
    if polled:
        ask(tool=tool, world=world, at=at)
        given += 1
    return given


def ask(*, tool: Tool, world: World, at: dt.datetime) -> None:
    """Poll a demo tool through its connector; a recording answers for the program, and holds everything since it was last read."""
    read_until = ToolState.objects.values_list("latest_complete_at", flat=True).get(tool=tool) or begins_at(world.anchor_at)
    runner = answering.runner(
        kind=tool.kind,
        repository=world.repositories[tool.name],
        jobs=world.of_tool(tool.name),
        copies=world.copies(tool.name, at=at, read_until=read_until),
        at=at,
        silent=world.is_silent(tool.name, at),
    )
    polling.poll(tool=tool, at=at, run=runner)


def _ping(tool: Tool, world: World, since: dt.datetime, at: dt.datetime) -> int:
    """Every request that the scripts made after `since`, each at its own instant."""
    jobs = {job.external_id: job for job in BackupJob.objects.filter(tool=tool).select_related("tool")}
    begun = since - dt.timedelta(hours=6)
    sent = [ping for run in world.runs(tool.name, begun, at + dt.timedelta(hours=6)) for ping in telling.pings(run)]
    due = sorted((ping for ping in sent if since < ping.at <= at), key=lambda ping: ping.at)
    for ping in due:
        pinging.take(job=jobs[ping.job.name], suffix=ping.suffix, rid=None, body=ping.body, user_agent="curl/7.88.1", at=ping.at)
    return len(due)


def demo_tools() -> Iterable[Tool]:
    """The tools of the demo that are still here, in a fixed order."""
    return Tool.objects.filter(replayed=True).order_by("pk")


def due_tools(*, at: dt.datetime) -> list[Tool]:
    """Demo tools whose next poll has come."""
    due = ToolState.objects.filter(tool__replayed=True, tool__enabled=True, next_poll_at__lte=at)
    return list(Tool.objects.filter(pk__in=due.values("pk")).order_by("pk"))
