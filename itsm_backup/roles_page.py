"""The permission matrix of docs/roles.md, written from the roles themselves.

After a change of the roles: `manage.py shell -c "from itsm_backup.roles_page import main; main()"` (a test compares).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from django.apps import apps

from itsm_backup.common.admin.right_words import kind_words, right_words
from itsm_backup.roles import ROLES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "roles.md"
BEGIN, END = "<!-- the matrix: written by itsm_backup/roles_page.py -->", "<!-- end of the matrix -->"
ORDER = ("view", "add", "change", "delete")
LETTERS = {"view": "see"}


def matrix() -> str:
    """A Markdown table: for every kind of row, what each role may do to it over the whole estate."""
    held: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, role in ROLES.items():
        for permission in role.everywhere:
            app, codename = permission.split(".")
            action, model = codename.rsplit("_", 1)
            held[f"{app}.{model}"][name].append(action)
    lines = [f"| | {' | '.join(f'`{name}`' for name in ROLES)} |", f"|---{'|---' * len(ROLES)}|"]
    for label in sorted(held, key=_place):
        cells = (_words(held[label].get(name, []), label) for name in ROLES)
        lines.append(f"| {kind_words(apps.get_model(label))} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _place(label: str) -> tuple[int, str]:
    app, model = label.split(".")
    return [config.label for config in apps.get_app_configs()].index(app), model


def _words(actions: list[str], label: str) -> str:
    """What may be done to these rows; of a right that is not the usual see, add, change or delete, its own words."""
    app, model = label.split(".")
    ordered = sorted(actions, key=lambda action: (ORDER.index(action) if action in ORDER else len(ORDER), action))
    return ", ".join(LETTERS.get(each) or (each if each in ORDER else _rare(f"{app}.{each}_{model}")) for each in ordered)


def _rare(right: str) -> str:
    return right_words(right).replace(",", " and")  # commas part the rights of a cell


def with_matrix(page: str) -> str:
    """The page with the matrix between its two marks as it is now."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{matrix()}\n{END}{after}"


def main() -> None:
    PAGE.write_text(with_matrix(PAGE.read_text()))
