"""The page about all methods, written from their docstrings: python -m monitoring.methods.publishing > docs/methods.md"""

from __future__ import annotations

import sys
from textwrap import dedent

from monitoring.methods import METHODS, MODULES
from monitoring.methods.registry import Method

INTRODUCTION = """\
    # Methods

    How every published number is calculated. This page is written from the program itself
    (`python -m monitoring.methods.publishing > docs/methods.md`); a test proves that it is current.

    A published method never changes. A correction is a new version beside it, and every stored figure names the version
    it was calculated with. `python3 manage.py measure --method ID --inputs FILE` applies a method to inputs of your own.
    In the portal each method has a page, `/methods/`, with a worked example that is worked out anew whenever the page is read; every
    figure leads there. The same stands under `/api/v1/methods/`.

    Conventions of all methods:

    - Instants are UTC, written as ISO 8601; intervals are half-open, [start, end).
    - Good is success, or warning where the policy says so (the default); partial is not good unless the policy says so.
    - A run belongs to the period of its start, a due occurrence to the period of its opening.
    - Nothing to divide by gives `null`, never 0 or 100 %.
    - Equal to the target complies. Numbers are kept with six decimals and compared with a tolerance of 1e-9.
    - Several entries are aggregated by adding numerators and denominators, never by averaging rates.
"""


def page() -> str:
    """Return the Markdown of docs/methods.md."""
    parts = [dedent(INTRODUCTION)]
    for module in MODULES:
        parts.append(f"## {(module.__doc__ or '').strip()}\n")
        parts += [_section(found) for found in METHODS.values() if found.calculate.__module__ == module.__name__]
    return "\n".join(parts)


def _section(found: Method) -> str:
    return f"### {found.id}, version {found.version}: {found.title}\n\n{found.published}\n"


if __name__ == "__main__":
    sys.stdout.write(page())
