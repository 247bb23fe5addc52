"""Who we are towards AWS: the key that was given, or the role that is taken on with it for an hour (STS AssumeRole)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from monitoring.connectors.aws_signing import signed_headers
from monitoring.connectors.base import Fetch, Step
from monitoring.connectors.conversing import Conversation

SESSION = "itsm-backup"  # how the account's own records name what we do
SIGN_IN = "role"


class Keys(NamedTuple):
    key_id: str
    secret: str
    session_token: str = ""


class Signing:
    """A `Fetch` that signs each request with `keys`: for STS when a role is taken on, else for AWS Backup."""

    def __init__(self, fetch: Fetch, region: str, keys: Keys) -> None:
        self.fetch, self.region, self.given, self.keys = fetch, region, keys, keys

    def __call__(
        self, name: str, method: str, url: str, *, headers: Mapping[str, str], body: Any = None, listen_s: float | None = None
    ) -> Step:
        keys, service = (self.given, "sts") if name == SIGN_IN else (self.keys, "backup")
        own = signed_headers(
            url, at=dt.datetime.now(dt.UTC), region=self.region, service=service, key_id=keys.key_id, secret=keys.secret,
            session_token=keys.session_token,
        )  # fmt: skip
        return self.fetch(name, method, url, headers={**headers, **own}, body=body, listen_s=listen_s)


def take_on(talk: Conversation, signing: Signing, role: str, settings: Mapping[str, str]) -> dict[str, str] | None:
    """Sign with the keys of the role from now on; None when STS gave none. Their life of an hour is longer than any round."""
    address = settings.get("sts_address", "").strip().rstrip("/") or f"https://sts.{signing.region}.amazonaws.com"
    query = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": SESSION}
    if external_id := settings.get("external_id", "").strip():
        query["ExternalId"] = external_id
    told = talk.ask(SIGN_IN, f"{address}/", query=query, secret=True)
    for name in ("AssumeRoleResponse", "AssumeRoleResult", "Credentials"):
        told = told.get(name) if isinstance(told, dict) else None
    found = [told.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")] if isinstance(told, dict) else []
    texts = [one for one in found if isinstance(one, str) and one.isascii() and one.isprintable()]
    if len(texts) != len(Keys._fields):
        return None
    signing.keys = Keys(*texts)
    talk.hidden += texts[1:]
    return {}
