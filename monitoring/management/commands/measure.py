"""Apply a published method to inputs from a file. No database."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitoring.methods import MethodError, find, measure


class Command(BaseCommand):
    help = "Print as JSON what a published method (docs/methods.md) says about the inputs in a file."
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        # A method has a version; Django's own --version gives way to it.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--method", required=True, metavar="ID", help="a method's id, e.g. BM-RPO-EXP")
        parser.add_argument("--version", default="1", metavar="N", help="a version of the method (default: 1)")
        parser.add_argument("--inputs", required=True, metavar="FILE", help="a JSON file with the inputs; - reads standard input")

    def handle(self, *, method: str, version: str, inputs: str, **options: Any) -> None:
        try:
            find(method, version)
            written = json.dumps(measure(method, _read(inputs), version=version), ensure_ascii=False, allow_nan=False)
        except MethodError as error:
            raise CommandError(str(error), returncode=2) from None
        except ValueError:
            raise CommandError(f"The inputs of {method} lead to something that is no number. Check them.", returncode=2) from None
        self.stdout.write(written)


def _read(source: str) -> Any:
    try:
        written = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        return json.loads(written)
    except OSError as error:
        raise CommandError(f"The inputs cannot be read from {source}: {error.strerror}.", returncode=2) from None
    except (ValueError, RecursionError) as error:
        raise CommandError(f"What {source} holds is no JSON: {error}.", returncode=2) from None
