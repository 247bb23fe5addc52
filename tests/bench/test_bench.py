"""Each benchmark runs at its smallest size, tells a ratio for each of its goals, and leaves nothing behind. Nothing here is timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import psycopg
import pytest
import redis

from itsm_backup.bench import databases, keys, telling
from itsm_backup.bench.serving import REPOSITORY

GOALS = {"G1", "G2", "G3", "G4", "G6", "G7", "G8", "G9", "G10", "G11", "G15", "G17"}


def left_behind() -> list[str]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"%{databases.SUFFIX}%"]).fetchall()
    with redis.from_url(os.environ["REDIS_URL"]) as client:
        return [name for (name,) in names] + [key.decode() for key in client.scan_iter(match=f"*{keys.KEY_PREFIX}*")]


def test_it_measures_every_goal_and_leaves_nothing_behind():
    command = [sys.executable, "manage.py", "bench", "all", "--size", "tiny", "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    results = json.loads(done.stdout)
    assert {one["goal"] for one in results["results"]} == GOALS
    assert all(one["ratio"] > 0 and one["product"]["least"] <= one["product"]["most"] for one in results["results"])
    assert {one["kept"] for one in results["results"] if one["goal"] == "G3"} == {True}  # statements are counted, not timed
    assert not [one["note"] for one in results["results"] if "NOT equal" in one["note"]]
    words = telling.told(results)
    assert all(f"\n{one['goal']} " in f"\n{words}" and one["what"] in words for one in results["results"])
    assert results["machine"]["postgresql"] in words
    assert left_behind() == []


def test_only_one_benchmark_runs_at_a_time_and_a_failed_one_is_cleared_away():
    url = os.environ["DATABASE_URL"]
    with pytest.raises(ZeroDivisionError), databases.throwaway(url) as made:
        assert databases.name_in(made).endswith(databases.SUFFIX)
        with pytest.raises(databases.Occupied), databases.throwaway(url):
            pass
        raise ZeroDivisionError
    assert left_behind() == []
