"""Secrets never reach what is kept."""

from __future__ import annotations

import json
import time

import pytest

from monitoring.connectors.redaction import redact, url_secrets


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("Fatal: hunter22 is wrong", ["hunter22"], "Fatal: <secret> is wrong"),
        ("at p%40ss%2Fword", ["p@ss/word"], "at <secret>"),
        ("rest:https://user:s3cr3t@nas/app", [], "rest:https://user:<secret>@nas/app"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+1 restic", [], "AWS_SECRET_ACCESS_KEY=<secret> restic"),
        ("password: hunter22", [], "password: <secret>"),
        ('{"password": "hunter22"}', [], '{"password": "<secret>"}'),
        ("Authorization: Bearer abcdef123456", [], "Authorization: Bearer <secret>"),
        (
            "error for url: http://127.0.0.1:8000/ping/9f0e7c1a-5b1c-4a52-9d7e-aaaa00001111/start",
            [],
            "error for url: http://127.0.0.1:8000/ping/<secret>/start",
        ),
        ("wrong password or no key found", [], "wrong password or no key found"),
        ("passphrase supplied in BORG_PASSPHRASE, by BORG_PASSCOMMAND is incorrect.", [], None),
        ("a b", ["a", ""], "a b"),
    ],
)
def test_it_masks_secrets_and_leaves_the_rest(text: str, secrets: list[str], expected: str | None) -> None:
    assert redact(text, secrets) == (text if expected is None else expected)


def test_it_leaves_the_names_in_a_document_alone_when_a_password_is_an_ordinary_word() -> None:
    listing = json.dumps([{"time": "2026-07-14T01:30:00Z", "username": "backup", "paths": ["/srv/backup"]}])

    assert redact(listing, ["backup", "time"], data=True) == listing
    assert "long enough secret" not in redact('["long enough secret"]', ["long enough secret"], data=True)


def test_it_finds_the_passwords_in_an_address() -> None:
    assert url_secrets("rest:https://user:s3cr3t@nas/app") == ["s3cr3t"]
    assert url_secrets("sftp:user@host:/repo") == []


@pytest.mark.parametrize("text", ["a" * 200_000, "://" * 60_000, "token" * 40_000, "password=" * 20_000, "/" * 200_000, "http://" * 30_000])
def test_it_stays_quick_on_hostile_text(text: str) -> None:
    began = time.monotonic()
    redact(text)

    assert time.monotonic() - began < 5
