"""Deciding on what tools discovered: it becomes a backup service of the register, or a part of one that is there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from catalogue import scoping
from catalogue.declaring import Declared
from catalogue.models import ScopeDecision, ScopeLine
from catalogue.refusing import NotReady, problems_of
from itsm_backup.common.models import because
from monitoring.discovering import Thing
from monitoring.models import BackupJob, ScopeClaim, Tool


def decide_discovered(*, thing: Thing, name: str, by: Any, at: dt.datetime, reason: str, **decision: Any) -> ScopeDecision:
    """The discovered thing is a backup service of this name, decided on as `scoping.decide_scope` takes it. Raises what that raises."""
    with transaction.atomic():
        line = scoping.open_line(name=name, by=by, at=at, reason=reason)
        made = scoping.decide_scope(line=line, by=by, at=at, reason=reason, **decision)
        claim(line=line, thing=thing, by=by, at=at, reason=reason)
    return made


def claim(*, line: ScopeLine, thing: Thing, by: Any, at: dt.datetime, reason: str) -> ScopeClaim:
    """The thing belongs to this backup service. Raises NotAllowed for who may not decide on that one, NotReady when it belongs to one."""
    scoping.check_may_decide(line=line, by=by, at=at)
    where = {"repository_name": thing.repository} if thing.repository else {"job": BackupJob.objects.get(pk=thing.job_id)}
    return _claimed(line, Tool.objects.get(pk=thing.tool_id), where, by=by, at=at, reason=reason)


def release(*, row: ScopeClaim, by: Any, at: dt.datetime, reason: str) -> ScopeClaim:
    """It no longer belongs to its backup service, and waits for a decision again. Raises NotReady when that was done already."""
    scoping.check_may_decide(line=row.line, by=by, at=at)
    with transaction.atomic(), because(reason, by=by):
        held = ScopeClaim.objects.select_for_update().get(pk=row.pk)
        if held.ended_at is not None:
            raise NotReady([f"{held} belongs to {held.line} no longer. Nothing was changed."])
        held.ended_at = at
        held.save()
    return held


def declare_claim(
    *, line: ScopeLine, tool: Tool, where: Mapping[str, Any], by: Any, at: dt.datetime, reason: str
) -> Declared:  # fmt: skip
    """This repository (`repository_name`) or job of the tool belongs to the backup service; nothing is written when it does already."""
    held = ScopeClaim.objects.filter(tool=tool, ended_at=None, **({"job": None} | dict(where))).select_related("line").first()
    if held is not None and held.line_id == line.pk:
        return Declared(held)
    if held is not None:
        release(row=held, by=by, at=at, reason=reason)
    return Declared(_claimed(line, tool, where, by=by, at=at, reason=reason), made=True)


def _claimed(line: ScopeLine, tool: Tool, where: Mapping[str, Any], *, by: Any, at: dt.datetime, reason: str) -> ScopeClaim:
    held = ScopeClaim.objects.filter(tool=tool, ended_at=None, **({"job": None} | dict(where))).select_related("line").first()
    row = ScopeClaim(line=line, tool=tool, made_at=at, **where)
    problems = [f"{held} belongs to {held.line} already. Take it out there first."] if held else problems_of(row)
    if problems:
        raise NotReady(problems)
    with transaction.atomic(), because(reason, by=by):
        row.save()
    return row
