"""Find the call of a tool in a command line and take it apart: verb, arguments, options."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator

import msgspec

SEPARATORS = frozenset(("|", "||", "&&", ";", "&", ">", ">>", "<", "2>", "2>&1", "1>"))
_RUNS_THE_REST = ("--stdin-from-command", "--content-from-command", "--paths-from-command")


class Command(msgspec.Struct, kw_only=True):
    """A call taken apart. `options` holds every value given for an option, flags stand with an empty list.

    `known` is False when only the name of a step told the verb.
    """

    verb: str
    arguments: list[str] = []
    options: dict[str, list[str]] = {}
    known: bool = True

    def has(self, *flags: str) -> bool:
        return any(flag in self.options for flag in flags)

    def value(self, *flags: str) -> str | None:
        return next((values[-1] for flag in flags if (values := self.options.get(flag))), None)


class Grammar(msgspec.Struct, frozen=True):
    """How a tool is called: its program (a pattern of one word), its verbs, the options whose value is the next word.

    `default_verb` is what a call without verb means; without it such a call is none.
    """

    program: str
    verbs: frozenset[str]
    with_value: frozenset[str]
    default_verb: str | None = None


def find(command: str, grammar: Grammar) -> Command | None:
    """The tool's call in a command line; sudo, pipes and `sh -c` around it are fine."""
    words = _words(command)
    for position, word in enumerate(words):
        if re.fullmatch(grammar.program, posixpath.basename(word)) and (found := take_apart(words[position + 1 :], grammar)):
            return found
        if word != command and any(map(str.isspace, word)) and (inner := find(word, grammar)):  # the script of `sh -c`
            return inner
    match = re.search(rf"(?:^|[\s;|&(\"'/])({grammar.program}\s.*)", command, re.DOTALL)
    return find(match.group(1), grammar) if match and match.group(1) != command else None


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def take_apart(words: list[str], grammar: Grammar) -> Command | None:
    """The words behind the program up to the end of its call, or None when they hold no verb."""
    verb: str | None = None
    arguments: list[str] = []
    options: dict[str, list[str]] = {}
    rest = iter(words)
    for word in rest:
        if word in SEPARATORS:
            break
        if word == "--" and verb:
            arguments += [] if any(flag in options for flag in _RUNS_THE_REST) else list(rest)
        elif word.startswith("-") and word != "-":
            _take_option(word, rest, options, grammar)
        elif verb is None:
            if word not in grammar.verbs:
                return None
            verb = word
        else:
            arguments.append(word)
    verb = verb or grammar.default_verb
    return Command(verb=verb, arguments=arguments, options=options) if verb else None


def _take_option(word: str, rest: Iterator[str], options: dict[str, list[str]], grammar: Grammar) -> None:
    if word.startswith("--") and "=" in word:
        flag, _, value = word.partition("=")
        options.setdefault(flag, []).append(value)
    elif word in grammar.with_value:
        options.setdefault(word, []).append(next(rest, ""))
    elif len(word) > 2 and word[1] != "-" and word[:2] in grammar.with_value:
        options.setdefault(word[:2], []).append(word[2:].removeprefix("="))
    elif word.startswith("--"):
        options.setdefault(word, [])
    else:
        for letter in word[1:]:
            options.setdefault(f"-{letter}", [])
