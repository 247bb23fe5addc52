"""The table of docs/configuration.md, written from the settings themselves.

After a change of the settings: `manage.py shell -c "from itsm_backup.configuration_page import main; main()"` (a test compares).
"""

from __future__ import annotations

from pathlib import Path

from itsm_backup.environment import SETTINGS, Setting

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
BEGIN, END = "<!-- the settings: written by itsm_backup/configuration_page.py -->", "<!-- end of the settings -->"


def table() -> str:
    """A Markdown table: every setting, its default, what it means."""
    rows = [f"| `{name}` | {_default(declared)} | {declared.meaning} |" for name, declared in SETTINGS.items()]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def _default(declared: Setting) -> str:
    if declared.made:
        return f"made: {declared.made}"
    return declared.shown or (f"`{declared.default}`" if declared.default else "–")


def with_table(page: str) -> str:
    """The page with the table between its two marks as it is now."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    PAGE.write_text(with_table(PAGE.read_text()))
