"""The measuring process: everything it knows is a throw-away database (`manage.py bench` starts it)."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import django
import msgspec


def main() -> None:
    """Measure what is named, on the database of DATABASE_URL, and write the results as JSON."""
    parser = argparse.ArgumentParser(prog="itsm_backup.bench")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--size", required=True)
    parser.add_argument("--results", required=True, type=Path)
    chosen = parser.parse_args()
    django.setup()
    from django.core.management import call_command

    from itsm_backup.bench.machine import machine
    from itsm_backup.bench.measures import MEASURES
    from itsm_backup.bench.measuring import tell
    from itsm_backup.bench.sizes import SIZES

    began = time.monotonic()
    tell("Making the tables …")
    call_command("migrate", verbosity=0)
    about, results = machine(), []
    for name in chosen.names:
        tell(f"{name}: generating …")
        results += list(MEASURES[name](SIZES[chosen.size], os.environ["DATABASE_URL"]))
    told = {
        "size": chosen.size,
        "benchmarks": chosen.names,
        "took_s": round(time.monotonic() - began),
        "machine": about,
        "results": results,
    }
    chosen.results.write_bytes(msgspec.json.encode(told))


if __name__ == "__main__":
    main()
