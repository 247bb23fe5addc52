"""What a form sent: whole, or refused as too long; never cut silently."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest

MOST = 2_000  # characters of a text that are kept, where nothing else is said


class TooLong(Exception):
    """Texts that are longer than what is kept: `told` has one sentence for each, by the name of its field.

    No refusal of an act: whichever door reads the form, one page asks for it again (itsm_backup/portal/asking_again.py).
    """

    def __init__(self, told: Mapping[str, str]) -> None:
        super().__init__(" ".join(told.values()))
        self.told = told


def raw(request: HttpRequest, name: str) -> str:
    """What stands in the field."""
    return _plain(request.POST.get(name, ""))


def typed(request: HttpRequest, name: str, *, most: int = MOST) -> str:
    """What stands in the field. Raises TooLong when it is longer than what is kept."""
    text = raw(request, name)
    _check({name: text}, {name: most})
    return text


def everything(request: HttpRequest, *, most: Mapping[str, int] | None = None) -> dict[str, str]:
    """Every field of the form by its name, each at most as long as `most` says. Raises TooLong for those that are longer."""
    sent = {name: raw(request, name) for name in request.POST}
    _check(sent, most or {})
    return sent


def too_long(name: str, text: str, most: int) -> str:
    """One sentence when the text is longer than what is kept; empty when it fits."""
    if len(text) <= most:
        return ""
    return f"Under “{words(name)}” stand {len(text):,} characters, and at most {most:,} are kept. Shorten it: nothing was changed."


def words(name: str) -> str:
    """The name of a field for people: `effective_from` is “effective from”, and `remark-12` is a “remark”."""
    return name.partition("-")[0].replace("_", " ")


def _plain(text: str) -> str:
    return text.replace("\x00", "").replace("\r\n", "\n").strip()  # the database has no NUL; browsers send two letters for each new line


def _check(sent: Mapping[str, str], most: Mapping[str, int]) -> None:
    if told := {name: problem for name, text in sent.items() if (problem := too_long(name, text, most.get(name, MOST)))}:
        raise TooLong(told)
