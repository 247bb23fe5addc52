"""A catalogue of any size inside the database: entries with people, departments and long names, and six relations for each.

Whatever an entry needs has a smaller number than itself, so no way leads back, over relations of whatever kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from catalogue.models import Team
from itsm_backup import granting
from itsm_backup.bench import multiplying
from itsm_backup.bench.pattern import REASON, Pattern
from itsm_backup.common.models import because

PEOPLE, TEAMS = 40, 12
LARGE, SMALL = "Clinical services and diagnostics", "Department 7"  # a tenth of all entries, and one of eighteen usual departments
LIMITED = "limited"  # a person who may see the small department alone, by rights on its entries
DEEPEST = "SVC-00039"  # the end of a chain: forty services below it, one needing the next


def _any_before(salt: int) -> str:
    """SQL of some smaller number than `g`, always the same one."""
    return f"1 + (hashint4(g + {salt}) & 65535) %% (g - 1)"


# Read from the consumer `g`: kind → (SQL of its provider's number, SQL that is true when the consumer stops with it).
RELATIONS = {
    "part_of": ("1 + (g - 2) / 3", "false"),  # one tree, three below each
    "hosted_on": ("1 + CASE WHEN g > %(platforms)s THEN (hashint4(g) & 65535) %% %(platforms)s ELSE 0 END", "true"),  # a hundred share one
    "stores_to": ("1 + g %% least(g - 1, 3)", "true"),  # three pools take everything
    "protects": ("1 + g %% least(g - 1, 10)", "true"),
    "depends_on": (f"CASE WHEN g %% 100 BETWEEN 2 AND 39 THEN g - 1 ELSE {_any_before(2)} END", "g %% 100 < 40"),  # chains of forty
    "supplied_by": (_any_before(3), "g %% 3 = 0"),
}
_CODE = "'SVC-' || lpad({}::text, 5, '0')"
_RELATE = f"""
INSERT INTO catalogue_relation (consumer_id, provider_id, kind, strength, origin)
SELECT consumer.id, provider.id, %(kind)s, CASE WHEN {{stops}} THEN 'hard' ELSE 'soft' END, 'declared'
FROM generate_series(2, %(entries)s) g
JOIN catalogue_service consumer ON consumer.code = {_CODE.format("g")}
JOIN catalogue_service provider ON provider.code = {_CODE.format("({provider})")}
"""  # noqa: S608 - our own words
_REMEMBERED = "id, consumer_id, provider_id, kind, strength, origin, valid_from, valid_until, confirmed_at, confirmed_by_id"
_REMEMBER = f"""
INSERT INTO catalogue_historicalrelation ({_REMEMBERED}, history_date, history_type, history_change_reason, history_user_id)
SELECT {_REMEMBERED}, %(at)s, '+', %(reason)s, %(person)s FROM catalogue_relation
"""  # noqa: S608 - our own words
_NAME = """
CASE WHEN g %% 100 = 0 THEN repeat('Laboratoriumsinformationssystem', 4) || ' ' || g
WHEN g %% 10 = 0 THEN 'Reading room, archive and exchange of pictures between all hospitals of the region, as the wards order, number ' || g
ELSE (ARRAY['Imaging archive', 'Laboratory results', 'Ward list', 'Pharmacy orders', 'Time sheets'])[1 + g %% 5] || ' ' || g END
"""


def fill(pattern: Pattern, *, entries: int) -> None:
    """So many published entries more, and about six times as many relations between them; then the statistics are fresh."""
    people, teams = _people(pattern)
    version = "catalogue_serviceversion"
    own = {
        f"{version}.name": _NAME,
        f"{version}.short_name": "CASE WHEN g %% 10 = 0 THEN 'Reading rooms WW' || g ELSE 'service ' || g END",
        f"{version}.department": f"CASE WHEN g %% 10 = 0 THEN '{LARGE}' ELSE 'Department ' || 1 + g %% 18 END",
        f"{version}.owner_id": _one_of(people, "g"),
        f"{version}.steward_id": _one_of(people, "g / 7"),
        f"{version}.operations_team_id": _one_of(teams, "g"),
        f"{version}.kind": "CASE WHEN g <= 10 THEN 'backup_service' WHEN g %% 4 = 0 THEN 'supporting_service' ELSE 'business_service' END",
    }
    multiplying.multiply(pattern, services=entries, own=own)
    with transaction.atomic(), _unasked("catalogue_relation"):  # it would ask row by row for circles that cannot be
        for kind, (provider, stops) in RELATIONS.items():
            _relate(kind, provider, stops, entries)
    _execute(_REMEMBER, {"at": pattern.at, "reason": REASON, "person": pattern.person})
    _limit(pattern)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


@contextmanager
def _unasked(table: str) -> Iterator[None]:
    """Without the product's own triggers on the table."""
    _execute(f"ALTER TABLE {table} DISABLE TRIGGER USER", {})
    yield
    _execute(f"SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE {table} ENABLE TRIGGER USER", {})


def _people(pattern: Pattern) -> tuple[list[int], list[int]]:
    people = [get_user_model().objects.create_user(f"person-{n}", first_name="Person", last_name=str(n)).pk for n in range(1, PEOPLE + 1)]
    with because(REASON, by=get_user_model().objects.get(pk=pattern.person)):
        teams = [Team.objects.create(name=f"Team {n}", email=f"team-{n}@example.org").pk for n in range(1, TEAMS + 1)]
    return people, teams


def _one_of(ids: list[int], number: str) -> str:
    return f"(ARRAY{ids})[1 + ({number}) %% {len(ids)}]"


def _relate(kind: str, provider: str, stops: str, entries: int) -> None:
    statement = _RELATE.replace("{provider}", provider).replace("{stops}", stops)
    _execute(statement, {"kind": kind, "entries": entries, "platforms": max(1, entries // 100)})


def _limit(pattern: Pattern) -> None:
    """A person with rights on the entries of the small department, and no other."""
    root = get_user_model().objects.get(pk=pattern.person)
    person = get_user_model().objects.create_user(LIMITED)
    granting.grant(user=person, role="steward", departments=[SMALL], by=root, at=pattern.at, reason=REASON)


def _execute(statement: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
