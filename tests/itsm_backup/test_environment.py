"""Settings come from the environment or from a file; what is missing or wrong stops the start with a sentence that names it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from itsm_backup import environment
from itsm_backup.environment import SETTINGS, setting


def start(**given: str) -> str:
    """What a start with these settings says; empty when they are accepted."""
    kept = {name: os.environ[name] for name in ("PATH", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FIELD_KEYS")}
    program = "import itsm_backup.settings"
    ran = subprocess.run([sys.executable, "-c", program], env={**kept, **given}, capture_output=True, text=True, check=False)
    return ran.stderr.strip().splitlines()[-1] if ran.returncode else ""


@pytest.fixture
def online(monkeypatch):
    monkeypatch.setattr(environment, "OFFLINE", False)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_setting_may_stand_in_a_file(online, tmp_path, name):
    (tmp_path / "value").write_text("from a file\n")
    online.setenv(name, "from the environment")
    assert setting(name) == "from the environment"
    online.setenv(f"{name}_FILE", str(tmp_path / "value"))
    assert setting(name) == "from a file"


def test_a_missing_setting_is_named_with_what_needs_it(online):
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_URL is not set\. It names the PostgreSQL database"):
        setting("DATABASE_URL")


def test_a_file_that_cannot_be_read_is_named(online, tmp_path):
    online.setenv("SECRET_KEY_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY_FILE points to .*nowhere, which cannot be read: No such file"):
        setting("SECRET_KEY")


def test_a_file_that_is_no_text_is_named(online, tmp_path):
    (tmp_path / "key").write_bytes(b"\xff\xfe\x00")
    online.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY_FILE points to .*key, which is no text in UTF-8"):
        setting("SECRET_KEY")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"TIME_ZONE": "Mars/Olympus"}, "TIME_ZONE is 'Mars/Olympus', which is no IANA zone such as Europe/London."),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL is 'LOUD'; it may be DEBUG, INFO, WARNING or ERROR."),
        ({"BASE_URL": "backup.example.net"}, "BASE_URL is 'backup.example.net', which is no address that people can open"),
        ({"DATABASE_URL": "mysql://localhost/x"}, "DATABASE_URL must name a PostgreSQL database"),
        ({"REDIS_URL": "localhost"}, "REDIS_URL must look like redis://"),
        ({"EMAIL_URL": "mail.example.net"}, "EMAIL_URL must look like smtp://"),
        (
            {"OIDC_SERVER_URL": "https://login.example.net"},
            "OIDC_CLIENT_ID is not set. OIDC_SERVER_URL is set, so the client id is needed.",
        ),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(given, said):
    assert said in start(**given)


def test_good_settings_start():
    assert start(LOG_LEVEL="debug", BASE_URL="https://backup.example.net/", TIME_ZONE="Europe/London") == ""
