"""Who may come in: accounts are declared by administrators or brought by the company's OIDC; nobody signs up alone."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter


class Adapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: Any) -> bool:
        return False
