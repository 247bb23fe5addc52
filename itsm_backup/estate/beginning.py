"""The first start: what a new installation needs, and the first accounts."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from catalogue.shipping import ship_defaults
from incidents import choosing, rendering, targeting
from itsm_backup import granting
from itsm_backup.estate.loading import load
from itsm_backup.estate.reading import read
from monitoring.partitions import ensure_partitions
from monitoring.shipping import ship_rules
from reporting import templating

OWN_DATABASE = Path(__file__).with_name("own-database.yaml")
LOGINS_FILE = "demo-logins.txt"
ADMINISTRATOR = "administrator"
# Role → the person who shows what it can do; the role is the name to sign in with.
DEMO_PEOPLE = {
    "steward": "Hanna Brandt",
    "approver": "Peter Okafor",
    "operator": "Nia Watts",
    "incident-manager": "Ivo Marsh",
    "monitoring-admin": "Mona Lind",
    "requester": "Raj Patel",
    "change-manager": "Clara Moss",
    "auditor": "Alan Ives",
    "stakeholder": "Ines Serrano",
    "executive": "Evelyn Frost",
}
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
_LOCK = 7_315_004


class Login(NamedTuple):
    """`mark` is a hash of the stored password: it tells whether the person has changed it since."""

    username: str
    password: str
    mark: str


def begin(*, at: dt.datetime, data_dir: Path, empty: bool) -> list[Login]:
    """Make what is missing of a new installation; safe at every start. Returns the logins that still hold.

    Where nobody has an account yet: an administrator and, unless `empty`, a person for each role.
    Their passwords are written to `demo-logins.txt` in the data folder, readable by its owner alone. Raises OSError when
    that file cannot be written; nothing is kept then.
    """
    ensure_partitions(at=at)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        granting.ensure_roles(at=at)
        ship_rules(at=at)
        templating.templates()
        choosing.policies()
        targeting.targets()
        rendering.templates()
        ship_defaults()
        file = data_dir / LOGINS_FILE
        if not get_user_model().objects.exists():
            _make_people(file, at=at, empty=empty)
    return _holding(_logins(file))


def _make_people(file: Path, *, at: dt.datetime, empty: bool) -> None:
    names = {ADMINISTRATOR: "Administrator", **({} if empty else DEMO_PEOPLE)}
    passwords = {username: "".join(secrets.choice(_LETTERS) for _ in range(14)) for username in names}
    with ThreadPoolExecutor() as threads:  # hashing takes a quarter of a second each, and leaves the other cores free
        stored = dict(zip(passwords, threads.map(make_password, passwords.values()), strict=True))
    _write(file, [Login(username, passwords[username], _mark(stored[username])) for username in names])
    people = {}
    for username, name in names.items():
        first, _, last = name.rpartition(" ")
        known: dict[str, Any] = {"first_name": first, "last_name": last, "email": f"{username}@localhost"}
        rights = {"is_staff": True, "is_superuser": True} if username == ADMINISTRATOR else {}
        people[username] = get_user_model().objects.create(username=username, password=stored[username], **known, **rights)
    administrator = people.pop(ADMINISTRATOR)
    for role, person in people.items():
        granting.grant(user=person, role=role, by=administrator, at=at, reason="Made at the first start")
    if not empty:
        estate = read(OWN_DATABASE)
        load(estate=estate, steward="steward", monitoring_admin="monitoring-admin", approver="approver", at=at)


def _write(file: Path, logins: list[Login]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write("# Accounts made at the first start: name, password, mark. A line is shown until its password is changed.\n")
        out.writelines(f"{' '.join(login)}\n" for login in logins)
    draft.replace(file)


def _logins(file: Path) -> list[Login]:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return []
    parts = (line.split() for line in lines if not line.startswith("#"))
    return [Login(*words) for words in parts if len(words) == len(Login._fields)]


def _holding(logins: list[Login]) -> list[Login]:
    stored = dict(get_user_model().objects.filter(is_active=True).values_list("username", "password"))
    return [login for login in logins if login.username in stored and _mark(stored[login.username]) == login.mark]


def _mark(stored: str) -> str:
    return hashlib.sha256(stored.encode()).hexdigest()[:16]
