"""Settings of the product, all from the environment; NAME_FILE works for every NAME (docs/configuration.md)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from itsm_backup.common.http.addresses import Allowed
from itsm_backup.environment import setting

BASE_DIR = Path(__file__).resolve().parent.parent


def _database() -> dict:
    url = setting("DATABASE_URL")
    if not url:
        return {"ENGINE": "itsm_backup.postgresql", "NAME": "offline"}
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database: postgresql://user:password@host/name")
    database = environ.Env.db_url_config(url)
    database["ENGINE"] = "itsm_backup.postgresql"
    database["CONN_MAX_AGE"] = 60
    database["CONN_HEALTH_CHECKS"] = True
    return database


def _redis_urls() -> tuple[str, str]:
    """(URL for redis-py, URL for Celery): the same server; a unix socket is written differently by the two."""
    url = setting("REDIS_URL")
    if url.startswith("unix://"):
        return url, "redis+socket://" + url.removeprefix("unix://").split("?")[0] + "?virtual_host=0"
    if url.startswith("redis+socket://"):
        return "unix://" + url.removeprefix("redis+socket://").split("?")[0] + "?db=0", url
    if url and not url.startswith(("redis://", "rediss://")):
        raise ImproperlyConfigured("REDIS_URL must look like redis://host:6379/0, rediss://… or unix:///path/to/socket")
    return url, url


def _zone() -> str:
    name = setting("TIME_ZONE")
    try:
        ZoneInfo(name)
    except Exception:
        raise ImproperlyConfigured(f"TIME_ZONE is {name!r}, which is no IANA zone such as Europe/London.") from None
    return name


def _mail(url: str) -> dict:
    try:
        return environ.Env.email_url_config(url)
    except Exception:
        raise ImproperlyConfigured("EMAIL_URL must look like smtp://user:password@host:25 or smtp+tls://host:587") from None


def _base_url() -> str:
    url = setting("BASE_URL").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ImproperlyConfigured(f"BASE_URL is {url!r}, which is no address that people can open, such as https://backup.example.net")
    return url


def _log_level() -> str:
    level = setting("LOG_LEVEL").upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ImproperlyConfigured(f"LOG_LEVEL is {level!r}; it may be DEBUG, INFO, WARNING or ERROR.")
    return level


def _own_backup() -> bool:
    word = setting("OWN_BACKUP").lower()
    if word not in ("on", "off"):
        raise ImproperlyConfigured(f"OWN_BACKUP is {word!r}; it may be on or off.")
    return word == "on"


def _deadman() -> str:
    url = setting("DEADMAN_URL")
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        raise ImproperlyConfigured("DEADMAN_URL must be an address such as https://watch.example.net/ping/1f2e3d4c")
    return url


def _addresses() -> Allowed:
    try:
        return Allowed(setting("TOOL_ADDRESSES"))
    except ValueError as error:
        raise ImproperlyConfigured(f"TOOL_ADDRESSES: {error}") from None


SECRET_KEY = setting("SECRET_KEY") or "offline"
FIELD_KEYS = [key for key in setting("FIELD_KEYS").split(",") if key]
DATA_DIR = Path(setting("DATA_DIR"))
BASE_URL = _base_url()
OWN_BACKUP = _own_backup()
PG_PROGRAMS = setting("PG_PROGRAMS")
DEADMAN_URL = _deadman()
TOOL_ADDRESSES = _addresses()
ALLOWED_HOSTS = setting("ALLOWED_HOSTS").split(",")
ORGANISATION = setting("ORGANISATION")
CSRF_TRUSTED_ORIGINS = [BASE_URL]
DEBUG = False
ROOT_URLCONF = "itsm_backup.urls"
WSGI_APPLICATION = "itsm_backup.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "itsm_backup.common",
    "catalogue",
    "monitoring",
    "incidents",
    "reporting",
    "itsm_backup.demo",
    "itsm_backup.portal",
    "itsm_backup.common.apps.AdminDoor",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "simple_history",
    "guardian",
    "pgtrigger",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
]
MIDDLEWARE = [
    "monitoring.api.ping.before_all_others",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "itsm_backup.portal.signing_in.BackToTheForm",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "itsm_backup.refusing.RefusalsOnRecord",
    "itsm_backup.portal.asking_again.AsksAgain",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "itsm_backup.portal.display.display",
            ]
        },
    }
]

DATABASES = {"default": _database()}
REDIS_URL, CELERY_BROKER_URL = _redis_urls()
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ANONYMOUS_USER_NAME = None  # guardian: nobody unknown holds rights
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "itsm_backup.portal.signing_in.Adapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
SOCIALACCOUNT_PROVIDERS = {}
if setting("OIDC_SERVER_URL"):
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "APPS": [
            {
                "provider_id": "oidc",
                "name": setting("OIDC_NAME"),
                "client_id": setting("OIDC_CLIENT_ID"),
                "secret": setting("OIDC_CLIENT_SECRET"),
                "settings": {"server_url": setting("OIDC_SERVER_URL")},
            }
        ]
    }
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BASE_URL.startswith("https://")
SECURE_HSTS_SECONDS = 31_536_000 if BASE_URL.startswith("https://") else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BASE_URL.startswith("https://") else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

USE_TZ = True
TIME_ZONE = _zone()
LANGUAGE_CODE = "en-gb"
USE_I18N = False
FORMAT_MODULE_PATH = "itsm_backup.formats"

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
FONTS_DIR = DATA_DIR / "fonts"  # Latin subsets made at set-up from the installed font packages
STATICFILES_DIRS = [BASE_DIR / "static", ("fonts", FONTS_DIR)]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

_email = _mail(setting("EMAIL_URL"))
EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = _email["EMAIL_BACKEND"], _email["EMAIL_HOST"], _email["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_USER"], _email["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _email.get("EMAIL_USE_TLS", False), _email.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = setting("MAIL_FROM")
REPLIES_AUTHENTICATED_BY = setting("REPLIES_AUTHENTICATED_BY")

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_SERIALIZER = "json"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600, "max_retries": 1, "interval_start": 0, "interval_max": 0.5}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "monitoring.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["monitoring.api.permissions.ScopeAllows"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["itsm_backup.api.Parser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "itsm_backup.api.Paging",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "itsm_backup.api.problem_response",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "itsm-backup API",
    "DESCRIPTION": "Commitments of the service catalogue, held against what backup tools report.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "itsm_backup.api.document_problems"],
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        "RunState": "monitoring.models.BackupRun.State",
        "AlertState": "monitoring.models.Alert.State",
        "ExpectedRunState": "monitoring.models.ExpectedRun.State",
        "IncidentState": "incidents.models.Incident.State",
        "RelationKind": "catalogue.models.Relation.Kind",
        "OperationalStatus": "catalogue.models.status.OperationalStatus",
        "TakenStatus": ["stored", "unchanged", "quarantined"],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024  # 5 MiB of records and their envelope
SIMPLE_HISTORY_ENABLED = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": _log_level()},
    "loggers": {"httpx": {"level": "WARNING"}, "weasyprint": {"level": "ERROR"}, "django.request": {"level": "ERROR"}},
}
