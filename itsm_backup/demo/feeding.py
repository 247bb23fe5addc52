"""Keeping the demo alive: while time passes, its tools go on telling what the replay has for them, stories included."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from itsm_backup.demo import inventorying, replaying
from itsm_backup.demo.models import Replay
from itsm_backup.demo.world import world

LONG_AWAY = dt.timedelta(minutes=10)


def feed(*, at: dt.datetime) -> int:
    """Replay what the demo's tools have to tell by now; returns how many answers they gave. Nothing without a loaded demo.

    Tools that can be asked are asked when they are due; what runs and scripts report comes at once.
    """
    with transaction.atomic():
        mark = Replay.objects.select_for_update(skip_locked=True).filter(loaded_at__isnull=False, fed_until__lt=at).first()
        return _tell(mark, at=at) if mark else 0


def catch_up(*, at: dt.datetime) -> int:
    """After a time away, let the tools tell what happened meanwhile before anything is judged; returns how many answers they gave.

    Who comes second waits for the first: a judgement in between would take the nights of that time for missed.
    """
    with transaction.atomic():
        away = Replay.objects.filter(loaded_at__isnull=False, fed_until__lt=at - LONG_AWAY)
        mark = away.select_for_update().first() if away.exists() else None
        return _tell(mark, at=at) if mark else 0


def _tell(mark: Replay, *, at: dt.datetime) -> int:
    due = {tool.pk for tool in replaying.due_tools(at=at)}
    away = at - mark.fed_until > LONG_AWAY
    given = 0
    for tool in replaying.demo_tools():
        polled = tool.connector.polled and (tool.pk in due or away)
        given += replaying.replay(tool=tool, world=world(mark.anchor_at), since=mark.fed_until, at=at, polled=polled)
    given += inventorying.read(at=at)
    mark.fed_until = at
    mark.save(update_fields=["fed_until"])
    return given
