"""The least a Django endpoint can do for a ping or for a batch of runs, and healthchecks' four statements for a ping.

A WSGI application by itself, on the throw-away database in DATABASE_URL: `/run/<uuid>` stores a run and moves its job's state
in one statement, behind Django's usual middleware; `/bulk` decodes a JSON array, copies it to a temporary table and upserts;
`/check/<uuid>` asks and writes what healthchecks asks and writes for a ping, through the ORM as it does.
FLOOR_CONNECTIONS=each opens a database connection for every request, as healthchecks is shipped.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any
from uuid import UUID

import django
import environ
import msgspec
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection, models, transaction
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

USUAL = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TABLES = """
CREATE TABLE floor_job (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code uuid NOT NULL UNIQUE, pings bigint NOT NULL DEFAULT 0,
    latest_at timestamptz, latest_outcome smallint) WITH (fillfactor = 70);
CREATE TABLE floor_run (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer NOT NULL, key text NOT NULL UNIQUE,
    outcome smallint NOT NULL, started_at timestamptz NOT NULL, duration_s numeric(14,3), bytes_source bigint, bytes_stored bigint,
    raw jsonb);
CREATE INDEX ON floor_run (job_id, started_at);
CREATE TABLE floor_project (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
CREATE TABLE floor_check (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code uuid NOT NULL UNIQUE, project_id integer NOT NULL,
    name text NOT NULL, status text NOT NULL, n_pings integer NOT NULL, last_ping timestamptz, last_start timestamptz,
    alert_after timestamptz, last_ping_kind text, last_duration integer);
CREATE INDEX ON floor_check (alert_after) WHERE status = 'up';
CREATE TABLE floor_ping (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id integer NOT NULL REFERENCES floor_check, n integer, created timestamptz NOT NULL,
    kind text, scheme text NOT NULL, remote_addr inet, method text NOT NULL,
    ua text NOT NULL, body_raw bytea);
CREATE INDEX ON floor_ping (owner_id);
INSERT INTO floor_project (name) VALUES ('floor');
"""
FILL = """
INSERT INTO floor_job (code) SELECT md5('bench' || n)::uuid FROM generate_series(1, %(jobs)s) n;
"""
FILL_CHECKS = """
INSERT INTO floor_check (code, project_id, name, status, n_pings) SELECT md5('bench' || n)::uuid, 1, 'check ' || n, 'up', 0
FROM generate_series(1, %(jobs)s) n
"""
RUN = """
WITH job AS (UPDATE floor_job SET pings = pings + 1, latest_at = now(), latest_outcome = 1 WHERE code = %s RETURNING id, pings)
INSERT INTO floor_run (job_id, key, outcome, started_at, raw) SELECT id, 'ping:' || id || ':' || pings, 1, now(), %s FROM job
ON CONFLICT (key) DO UPDATE SET outcome = EXCLUDED.outcome RETURNING id"""
COLUMNS = "job_id, key, outcome, started_at, duration_s, bytes_source, bytes_stored, raw"
MERGE = f"""
INSERT INTO floor_run ({COLUMNS}) SELECT {COLUMNS} FROM floor_stage
ON CONFLICT (key) DO UPDATE SET outcome = EXCLUDED.outcome, duration_s = EXCLUDED.duration_s, bytes_source = EXCLUDED.bytes_source,
    bytes_stored = EXCLUDED.bytes_stored, raw = EXCLUDED.raw"""  # noqa: S608 - our own text


class Run(msgspec.Struct):
    """The eight columns of the bulk floor."""

    external_id: str
    job_external_id: str
    outcome: str
    started_at: str
    bytes_source: int
    bytes_stored: int


decode = msgspec.json.Decoder(list[Run]).decode


def make_tables(*, jobs: int) -> None:
    """The floor's tables beside the product's, in the database Django is connected to."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for statement in (FILL, FILL_CHECKS):
            cursor.execute(statement, {"jobs": jobs})
        cursor.execute("ANALYZE floor_job; ANALYZE floor_check")


@csrf_exempt
def run(request: HttpRequest, code: UUID) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(RUN, [code, '{"ua": "bench"}'])
    return HttpResponse("OK")


@csrf_exempt
def bulk(request: HttpRequest) -> HttpResponse:
    runs = decode(request.body)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE floor_stage ON COMMIT DROP AS SELECT * FROM floor_run LIMIT 0")
        with cursor.copy(f"COPY floor_stage ({COLUMNS}) FROM STDIN") as copy:
            for item in runs:
                key = hashlib.sha256(f"1:{item.external_id}".encode()).hexdigest()
                copy.write_row((1, key, 1, item.started_at, 600.0, item.bytes_source, item.bytes_stored, '{"m": "kept"}'))
        cursor.execute(MERGE)
    return HttpResponse(str(len(runs)))


def _application() -> Any:
    """Configured only when it is served: the tables above are made by a process that has the product's settings."""
    database = environ.Env.db_url_config(os.environ["DATABASE_URL"])
    database |= {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 0 if os.environ.get("FLOOR_CONNECTIONS") == "each" else None}
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        SECRET_KEY="floor",  # noqa: S106 - it guards nothing
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.messages"],
        MIDDLEWARE=USUAL,
        DATABASES={"default": database},
    )
    django.setup()
    urlpatterns.extend([path("run/<uuid:code>", run), path("bulk", bulk), path("check/<uuid:code>", _check_view())])
    return get_wsgi_application()


def _models() -> tuple[Any, Any]:
    """healthchecks' checks and pings; made after the settings, as models must be."""

    class Project(models.Model):  # noqa: DJ008 - nobody reads it
        name = models.TextField()

        class Meta:
            app_label, db_table = "floor", "floor_project"

    class Check(models.Model):  # noqa: DJ008 - nobody reads it
        code = models.UUIDField(unique=True)
        project = models.ForeignKey(Project, on_delete=models.CASCADE)
        name = models.TextField()
        status = models.TextField()
        n_pings = models.IntegerField()
        last_ping = models.DateTimeField(null=True)
        last_start = models.DateTimeField(null=True)
        alert_after = models.DateTimeField(null=True)
        last_ping_kind = models.TextField(null=True)
        last_duration = models.IntegerField(null=True)

        class Meta:
            app_label, db_table = "floor", "floor_check"

    class Ping(models.Model):  # noqa: DJ008 - nobody reads it
        id = models.BigAutoField(primary_key=True)
        n = models.IntegerField(null=True)
        owner = models.ForeignKey(Check, on_delete=models.CASCADE)
        created = models.DateTimeField()
        kind = models.TextField(null=True)
        scheme = models.TextField()
        remote_addr = models.GenericIPAddressField(null=True)
        method = models.TextField()
        ua = models.TextField()
        body_raw = models.BinaryField(null=True)

        class Meta:
            app_label, db_table = "floor", "floor_ping"

    return Check, Ping


def _check_view() -> Any:
    """healthchecks' ping, as far as its statements go."""
    checks, pings = (model._default_manager for model in _models())

    @csrf_exempt
    def check(request: HttpRequest, code: UUID) -> HttpResponse:
        found = checks.get(code=code)
        with transaction.atomic():
            held = checks.select_for_update().get(pk=found.pk)
            held.n_pings, held.status, held.last_ping, held.last_ping_kind = held.n_pings + 1, "up", Now(), None
            held.save()
            pings.create(
                owner=held, n=held.n_pings, created=Now(), scheme="http", remote_addr="127.0.0.1", method=request.method,
                ua=request.headers.get("User-Agent", ""), body_raw=request.body,
            )  # fmt: skip
        return HttpResponse("OK")

    return check


urlpatterns: list[Any] = []


def __getattr__(name: str) -> Any:
    """`application`, made when a web server asks for it."""
    if name != "application":
        raise AttributeError(name)
    return _application()
