"""The results in words."""

from __future__ import annotations

from typing import Any


def told(results: dict[str, Any]) -> str:
    """One paragraph for each figure, worst news not hidden, then the machine they belong to."""
    about = results["machine"]
    lines = [_line(one) for one in results["results"]]
    kept = sum(one["kept"] for one in results["results"])
    settings = ", ".join(f"{name} {value}" for name, value in about["settings"].items())
    lines += [
        f"{kept} of {len(results['results'])} figures keep their goal.",
        "",
        f"Size {results['size']}, {results['took_s']} s. {about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB, load "
        f"{about['load_1_min']} at the start. Python {about['python']}, PostgreSQL {about['postgresql']}: {settings}.",
        "Only ratios mean something; other work on the machine widens the spread. docs/performance.md says how to read them.",
    ]
    return "\n".join(lines)


def _line(one: dict[str, Any]) -> str:
    head = f"{one['goal']:4} {'kept  ' if one['kept'] else 'MISSED'} {one['what']}"
    goal = f"goal {one['sense']} {one['limit']:g}"
    if one["base"] is None:
        figure = f"{one['product']['median']:,.2f} {one['unit']}, {goal}"
    else:
        by_round = one["by_round"]
        figure = (
            f"ratio {one['ratio']:.2f} ({by_round['least']:.2f} to {by_round['most']:.2f} by round), {goal}\n"
            f"            product {_spread(one['product'])} {one['unit']}\n"
            f"            base    {_spread(one['base'])} {one['unit']}: {one['base_name']}"
        )
    note = f"\n            {one['note']}" if one["note"] else ""
    return f"{head}\n            {figure}{note}\n"


def _spread(found: dict[str, float]) -> str:
    return f"{found['median']:,.1f} ({found['least']:,.1f} to {found['most']:,.1f})"
