"""Every setting that the environment gives: one row each, from which settings are read and docs/configuration.md is written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# Commands that need no database (normalise, measure, …) run with OFFLINE set, so that they work before anything is configured.
OFFLINE = os.environ.get("ITSM_BACKUP_OFFLINE") == "1"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One variable of the environment. Without `default` it is needed: `needed_for` says by what, in the sentence of a refused start.

    `made` says what `manage.py up` makes when it is not given; `shown` stands in the documentation for a default that differs by place.
    """

    meaning: str
    default: str | None = None
    needed_for: str = ""
    made: str = ""
    shown: str = ""


SETTINGS: dict[str, Setting] = {
    "DATABASE_URL": Setting(
        meaning="`postgresql://user:password@host/name`; PostgreSQL 15 or newer",
        needed_for="It names the PostgreSQL database, e.g. postgresql://user:password@host/name.",
        made="embedded PostgreSQL 18",
    ),
    "REDIS_URL": Setting(
        meaning="`redis://host:6379/0`, `rediss://…` or `unix:///path/to/socket`",
        needed_for="It names the Redis or Valkey server, e.g. redis://host:6379/0.",
        made="embedded Valkey",
    ),
    "SECRET_KEY": Setting(meaning="signs sessions; changing it signs everybody out", needed_for="It signs sessions.", made="random"),
    "FIELD_KEYS": Setting(
        meaning="keys for the secrets of tools, separated by commas: the first encrypts, all decrypt",
        needed_for="They encrypt the secrets of tools.",
        made="random",
    ),
    "DATA_DIR": Setting(
        meaning="embedded services, typefaces, logs",
        default=str(Path(__file__).resolve().parent.parent / "var"),
        shown="`var` beside the code, or below `/var/lib/itsm-backup` as root",
    ),
    "BASE_URL": Setting(
        meaning="the address that people use; `https://` turns on secure cookies and HSTS", default="http://127.0.0.1:8000"
    ),
    "ALLOWED_HOSTS": Setting(meaning="host names that are answered, separated by commas", default="localhost,127.0.0.1,[::1]"),
    "ORGANISATION": Setting(meaning="shown in the masthead and in mails", default="Your organisation"),
    "TIME_ZONE": Setting(meaning="IANA zone in which pages show times of no particular service", default="UTC"),
    "EMAIL_URL": Setting(meaning="`smtp://user:password@host:25` or `smtp+tls://host:587`", default="smtp://127.0.0.1:25"),
    "MAIL_FROM": Setting(meaning="sender of mails", default="itsm-backup <backup-assurance@localhost>"),
    "REPLIES_AUTHENTICATED_BY": Setting(
        meaning="name under which your mail server writes `Authentication-Results`; replies by mail are taken only with its `dmarc=pass` "
        "(docs/incidents.md)",
        default="",
        shown="none: replies are refused",
    ),
    "OWN_BACKUP": Setting(
        meaning="`on`: the product dumps its own database into `DATA_DIR/own-backups` and tests the restore (docs/own-database.md)",
        default="off",
        shown="`on` with the embedded PostgreSQL, else `off`",
    ),
    "PG_PROGRAMS": Setting(
        meaning="folder of `pg_dump` and `pg_restore`, of the same major version as the server",
        default="",
        shown="those of the embedded PostgreSQL, else on `PATH`",
    ),
    "TOOL_ADDRESSES": Setting(
        meaning="host names, addresses and networks where tools may be read over HTTP, separated by commas, e.g."
        " `veeam.example.org, *.backup.example.org:443, 10.20.0.0/16`; nothing else is ever asked",
        default="",
    ),
    "DEADMAN_URL": Setting(
        meaning="address that is called every minute while the product is healthy: its silence tells an outside watcher",
        default="",
    ),
    "LOG_LEVEL": Setting(meaning="DEBUG, INFO, WARNING or ERROR", default="INFO"),
    "OIDC_SERVER_URL": Setting(meaning="address of the company's OpenID Connect server; turns on its sign-in", default=""),
    "OIDC_CLIENT_ID": Setting(
        meaning="needed with `OIDC_SERVER_URL`", needed_for="OIDC_SERVER_URL is set, so the client id is needed.", shown="–"
    ),
    "OIDC_CLIENT_SECRET": Setting(
        meaning="needed with `OIDC_SERVER_URL`", needed_for="OIDC_SERVER_URL is set, so the client secret is needed.", shown="–"
    ),
    "OIDC_NAME": Setting(meaning="the words on the button", default="Company sign-in"),
}


def setting(name: str) -> str:
    """The value of NAME, or the content of the file that NAME_FILE points to; raises ImproperlyConfigured naming what is missing."""
    declared = SETTINGS[name]
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE points to {path}, which cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise ImproperlyConfigured(f"{name}_FILE points to {path}, which is no text in UTF-8.") from None
    value = os.environ.get(name, "")
    if value:
        return value
    if declared.default is not None:
        return declared.default
    if OFFLINE:
        return ""
    raise ImproperlyConfigured(f"{name} is not set. {declared.needed_for} Set {name} or {name}_FILE, or start with: python3 manage.py up")
