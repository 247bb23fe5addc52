"""Where methods are registered. A published method never changes: a correction is a new version beside it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from monitoring.methods.canonical import Inputs

Calculation = Callable[[Inputs], Any]


class MethodError(ValueError):
    """A method that does not exist or inputs it cannot use; the message says which."""


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One published method: its id, version, title, calculation and the text people read about it."""

    id: str
    version: str
    title: str
    calculate: Calculation

    @property
    def published(self) -> str:
        return inspect.getdoc(self.calculate) or ""


METHODS: dict[tuple[str, str], Method] = {}


def method(method_id: str, title: str, *, version: str = "1") -> Callable[[Calculation], Calculation]:
    """Register the decorated function; its docstring is what docs/methods.md publishes."""

    def register(calculate: Calculation) -> Calculation:
        if (method_id, version) in METHODS:
            raise MethodError(f"{method_id} version {version} is registered twice.")
        METHODS[method_id, version] = Method(id=method_id, version=version, title=title, calculate=calculate)
        return calculate

    return register
