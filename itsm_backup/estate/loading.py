"""Loading an estate: everything through the acts of the screens, by three different people, in one transaction or not at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from catalogue.declaring import Declared
from catalogue.publishing import NotReady, Refused
from itsm_backup import granting
from itsm_backup.estate import amounts, entries, people, scopes, sources
from itsm_backup.estate.reading import Estate, Follows, Place, Problem, Unusable
from monitoring import waking

_LOCK = 7_315_003
KEYS = {"teams": "name", "users": "username", "services": "code", "tools": "name"}


class Loading:
    """One load: what it reads, who stands for what, and what it has found so far."""

    def __init__(self, estate: Estate, at: dt.datetime, *, dry_run: bool) -> None:
        self.estate, self.at, self.dry_run = estate, at, dry_run
        self.reason = f"Declared in {estate.path.name}"
        self.differences: list[str] = []
        self.notes: list[str] = []
        self.problems: list[Problem] = []
        self.steward: Any = None
        self.monitoring_admin: Any = None
        self.approver: Any = None

    def each(self, section: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Every entry of a section with its place."""
        for index, wish in enumerate(self.estate.data.get(section) or []):
            yield (section, index), wish

    @contextmanager
    def item(self, place: Place) -> Iterator[None]:
        """What fails inside is undone and becomes a problem of this place; the load goes on, to find the others too."""
        try:
            with transaction.atomic():
                yield
        except Follows:
            pass
        except NotReady as error:
            for sentence in error.problems:
                self.wrong(place, sentence)
        except (Refused, granting.NotGranted, ValueError) as error:
            self.wrong(place, str(error))

    def find(self, model: Any, section: str, *names: str) -> list[Any]:
        """The rows of these names, each once and in order. Raises ValueError naming those that do not exist.

        Of those that the file declares itself a problem has been told already; that raises Follows.
        """
        key = KEYS[section]
        wanted = list(dict.fromkeys(names))
        rows = {getattr(row, key): row for row in model._default_manager.filter(**{f"{key}__in": wanted})}
        missing = [name for name in wanted if name not in rows]
        unknown = [name for name in missing if name not in {wish[key] for _, wish in self.each(section)}]
        if unknown:
            raise ValueError(f"There is no {section[:-1]} {', '.join(unknown)}. Declare it under {section}, or correct the name.")
        if missing:
            raise Follows
        return [rows[name] for name in wanted]

    def wrong(self, place: Place, sentence: str) -> None:
        self.problems.append(self.estate.problem(place, sentence))

    def tell(self, what: str, declared: Declared, labels: dict[str, str]) -> None:
        """Put the difference on record, in words; nothing when there is none."""
        if not declared.wrote:
            return
        told = []
        for name, (before, after) in declared.changed.items():
            label = labels.get(name, name.replace("_", " "))
            if name == "secrets":
                told.append(f"{label} set: {', '.join(sorted(key for key in after if declared.made or before.get(key) != after[key]))}")
            elif not declared.made:
                told.append(f"{label} {amounts.words(name, before)} → {amounts.words(name, after)}")
            elif after not in (None, "", [], {}):
                told.append(f"{label} {amounts.words(name, after)}")
        self.differences.append(f"{'new ' if declared.made else ''}{what}{': ' if told else ''}{'; '.join(told)}")


def load(
    *, estate: Estate, steward: str, monitoring_admin: str, approver: str, at: dt.datetime, dry_run: bool = False,
    show: Callable[[Loading], None] = lambda loading: None,
) -> Loading:  # fmt: skip
    """Bring the estate in line with the file; returns differences and notes in words.

    `show` is called with them before anything is kept. With `dry_run` nothing is kept. What the file does not name stays
    as it is. Raises Unusable with every problem, and keeps nothing then.
    """
    loading = Loading(estate, at, dry_run=dry_run)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        granting.ensure_roles(at=at)
        people.declare_people(loading, {"steward": steward, "monitoring-admin": monitoring_admin, "approver": approver})
        for section in (
            entries.declare_catalogue,
            sources.declare_monitoring,
            scopes.declare_scope,
            scopes.declare_mappings,
            people.give_limited_roles,
        ):
            section(loading)
        if loading.problems:
            raise Unusable(loading.problems)
        _compare_organisation(loading)
        granting.refresh_scopes(at=at)
        show(loading)
        if dry_run:
            transaction.set_rollback(True)
        elif loading.differences:
            transaction.on_commit(waking.wake)
    return loading


def _compare_organisation(loading: Loading) -> None:
    named = loading.estate.data.get("organisation")
    if named and named != settings.ORGANISATION:
        loading.notes.append(
            f"Pages and mails say “{settings.ORGANISATION}”: the name comes from the environment."
            f" To change it, start with ORGANISATION='{named}'."
        )
