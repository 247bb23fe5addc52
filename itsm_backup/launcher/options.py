"""What `manage.py up` can be called with; standard library only, so that its help is shown before anything is installed."""

from __future__ import annotations

import argparse


def options(arguments: list[str]) -> argparse.Namespace:
    """What `up` was called with."""
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="Start everything: database, broker, web, worker, beat and poller. Stop with Ctrl-C."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine only)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s; 0 takes a free one)")
    parser.add_argument("--data", metavar="DIR", help="data folder (default: DATA_DIR, else var in the clone)")
    parser.add_argument("--empty", action="store_true", help="first start without the demo estate")
    parser.add_argument("--workers", type=int, default=2, help="web processes (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    if chosen.workers < 1:
        parser.error("--workers must be 1 or more")
    if not 0 <= chosen.port <= 65535:
        parser.error("--port must be between 0 and 65535")
    return chosen
