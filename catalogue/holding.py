"""Which duties people hold, and by which way: roles, own rights, rights on one row, and rights that reach them through a group."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

from django.db import connection

from catalogue.models.duties import Duty, DutyException


def _writing(app: str, names: str) -> list[str]:
    return [f"{app}.{action}_{name}" for name in names.split() for action in ("add", "change", "delete")]


# A right that makes up a duty, also where it was given outside the role of that name: what one role alone may write or decide.
POWERS = {
    **dict.fromkeys(
        [*_writing("catalogue", "agreement agreementversion commitment deviation impactanalysis label offering relation scopedecision"
                   " scopeline service serviceversion team teammember tierdefault"),
         *_writing("monitoring", "scopeclaim"), *_writing("reporting", "reportschedule reporttemplate")],
        "steward",
    ),
    **dict.fromkeys(
        ["catalogue.approve_service", "monitoring.approve_attributemapping", "monitoring.approve_ruleversion",
         "monitoring.approve_statusmap", "reporting.override_report"],
        "approver",
    ),
    **dict.fromkeys(
        [*_writing("catalogue", "cmdb externalcatalogue fieldmaster"),
         *_writing("incidents", "audiencetemplate channel escalationpolicy escalationstep responsetarget rota rotamember workinghours"),
         *_writing("monitoring", "attributemapping attributionrule backupjob capabilityweights causerule externalmonitoring jobschedule"
                   " pollingpolicy requestbudget ruleversion statusworkflow tool toolmap"),
         "incidents.change_rotaswap", "incidents.delete_rotaswap", "monitoring.delete_repository"],
        "monitoring-admin",
    ),
    **dict.fromkeys(
        ["catalogue.override_service", "incidents.change_incident", "incidents.resolve_incident",
         *_writing("incidents", "knownerror problem")],
        "operator",
    ),
}  # fmt: skip

# A right of two duties: nobody gets it who may hold neither.
SHARED = {"monitoring.poll_tool": ("monitoring-admin", "operator")}

_HELD = """
WITH powers AS (
  SELECT p.id, t.app_label || '.' || p.codename AS name, w.duty
  FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
  JOIN unnest(%(rights)s::text[], %(duties)s::text[]) AS w(name, duty) ON w.name = t.app_label || '.' || p.codename
), groups AS (
  SELECT m.user_id, g.id, g.name, split_part(g.name, ' ', 1) = ANY(%(roles)s) AS is_role
  FROM auth_user_groups m JOIN auth_group g ON g.id = m.group_id WHERE %(everybody)s OR m.user_id = ANY(%(people)s)
)
SELECT user_id, split_part(name, ' ', 1), 'role ' || name FROM groups WHERE is_role
UNION SELECT u.user_id, p.duty, 'own right ' || p.name FROM auth_user_user_permissions u JOIN powers p ON p.id = u.permission_id
  WHERE %(everybody)s OR u.user_id = ANY(%(people)s)
UNION SELECT o.user_id, p.duty, 'right ' || p.name || ' on row ' || o.object_pk
  FROM guardian_userobjectpermission o JOIN powers p ON p.id = o.permission_id WHERE %(everybody)s OR o.user_id = ANY(%(people)s)
UNION SELECT g.user_id, p.duty, 'through the group ' || g.name
  FROM groups g JOIN auth_group_permissions r ON r.group_id = g.id JOIN powers p ON p.id = r.permission_id WHERE NOT g.is_role
UNION SELECT g.user_id, p.duty, 'through the group ' || g.name || ' on row ' || o.object_pk
  FROM groups g JOIN guardian_groupobjectpermission o ON o.group_id = g.id JOIN powers p ON p.id = o.permission_id WHERE NOT g.is_role
ORDER BY 1, 2, 3
"""


def held(people: Collection[int] | None = None) -> dict[int, dict[str, list[str]]]:
    """Person → duty → the ways by which they hold it; of these people, or of all. One query."""
    values: dict[str, Any] = {
        "rights": list(POWERS), "duties": list(POWERS.values()), "roles": Duty.values,
        "everybody": people is None, "people": list(people or ()),
    }  # fmt: skip
    found: dict[int, dict[str, list[str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_HELD, values)
        for person, duty, way in cursor.fetchall():
            found.setdefault(person, {}).setdefault(duty, []).append(way)
    return found


def duties_of(person: Any) -> dict[str, list[str]]:
    """Duty → the ways by which this person holds it."""
    return held([person.pk]).get(person.pk, {}) if person.pk else {}


def is_everywhere(way: str, duty: str) -> bool:
    """Whether the duty held by this way reaches every object."""
    return way == f"role {duty}" if way.startswith("role ") else " on row " not in way


def duties_of_rights(rights: Iterable[str]) -> set[str]:
    """The duties that these rights ("monitoring.change_tool") make up."""
    return {POWERS[right] for right in rights if right in POWERS}


def excepted(person: Any, pair: Any, at: dt.datetime) -> bool:
    """Whether an exception lets this person hold the two duties of the conflict at `at`."""
    sides = {pair.one, pair.other}
    rows = DutyException.objects.holding(at).filter(person=person.pk, one__in=sides, other__in=sides)
    return rows.exists()
