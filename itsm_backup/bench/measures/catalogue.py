"""The catalogue itself: its pages with ten times the entries, and beside SQL by hand; who is hurt by the worst entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from catalogue.impact import closure
from catalogue.models import Service
from itsm_backup.bench import cataloguing, databases, measuring, pattern
from itsm_backup.bench.cataloguing import DEEPEST, LIMITED, SMALL
from itsm_backup.bench.floors import weave
from itsm_backup.bench.looking import MOST_QUERIES, Looker, least_ms
from itsm_backup.bench.measuring import Measured, tell
from itsm_backup.bench.sizes import Size
from itsm_backup.common.time import now

RUNS = 6  # of each service: the history is not the question here
ENTRY = "SVC-00007"
OF_ONE = {
    "entry page": f"/services/{ENTRY}/",
    "versions of an entry": f"/services/{ENTRY}/versions/",
    "entry in the admin": "admin",
}
OF_MANY = {
    "services list": "/services/",
    "matrix of a department": f"/services/matrix/?department={SMALL}",
    "graph of a department": f"/services/graph/?department={SMALL}",
    "graph of the worst entry": "/services/SVC-00001/graph/",
    "to be decided about relations": "/services/relations/",
    "ownership": "/ownership/",
    "admin list of entries": "/admin/catalogue/service/",
    "admin list of versions": "/admin/catalogue/serviceversion/",
    "admin form of a relation": "/admin/catalogue/relation/add/",
    "search": "/search?q=archive",
}
AS_MANY_TIMES = 10  # so many times the entries may cost so many times the time, where a page counts or searches them all


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G8 and G9 for the catalogue."""
    few, many = _filled("few", size.entries // AS_MANY_TIMES, template), _filled("many", size.entries, template)
    yield from _beside_fewer(size, few, many)
    yield from _beside_sql(size, many)
    yield from _closures(size, many)
    for url in (few, many):
        databases.drop(url)


def _filled(label: str, entries: int, template: str) -> str:
    url = databases.clone(template, label)
    databases.use(url)
    tell(f"catalogue: {entries:,} entries and their relations")
    cataloguing.fill(pattern.make(at=now(), runs=RUNS), entries=entries)
    return url


def _beside_fewer(size: Size, few: str, many: str) -> Iterator[Measured]:
    for who in ("root", LIMITED):
        here, there = Looker(few, who), Looker(many, who)
        tell(f"catalogue: pages as {who} sees them, with so many and a tenth of them")
        for name, path in (OF_ONE | OF_MANY).items():
            if who == LIMITED and name in (*OF_ONE, "graph of the worst entry"):
                continue  # not theirs to see
            yield _grown(size, name, path, who, here, there)


def _grown(size: Size, name: str, path: str, who: str, here: Looker, there: Looker) -> Measured:
    if path == "admin":
        path = f"/admin/catalogue/service/{_pk_of(here.url)}/change/"
    here.took_ms(path), there.took_ms(path)  # warm
    rounds = measuring.alternate({"few": lambda: here.took_ms(path), "many": lambda: there.took_ms(path)}, rounds=size.rounds)
    asked_here, asked_there = here.asked(path)[0], there.asked(path)[0]
    same = "equal" if asked_here == asked_there else f"NOT equal: {asked_here} and {asked_there}"
    if asked_there < asked_here:  # a list to choose from that is left out where nobody could read it
        same = f"{asked_there} instead of {asked_here}"
    seen_by = "" if who == "root" else ", for a person with rights on one department"
    found = measuring.compared(
        rounds, goal="G8", what=f"{name} at {size.entries:,} entries beside {size.entries // AS_MANY_TIMES:,}{seen_by}",
        product="many", base="few", limit=1.2 if name in OF_ONE else AS_MANY_TIMES, at_least=False, unit="ms",
        note=f"The number of questions is {same}.",
    )  # fmt: skip
    found.kept = found.kept and asked_there <= asked_here
    return found


def _pk_of(url: str) -> int:
    """The same in each of the databases: copies have the number of their entry in their id."""
    databases.use(url)
    return Service.objects.get(code=ENTRY).pk


def _beside_sql(size: Size, many: str) -> Iterator[Measured]:
    looker = Looker(many)
    for name, statement in weave.BY_HAND.items():
        path = (OF_ONE | OF_MANY)[name]
        count = looker.asked(path)[0]
        sides = {"product": lambda: looker.asked(path)[1], "SQL by hand": lambda: least_ms(lambda: weave.ask(statement))}  # noqa: B023
        rounds = measuring.alternate(sides, rounds=size.rounds)
        found = measuring.compared(
            rounds, goal="G9", what=f"SQL of the {name} at {size.entries:,} entries beside the same by hand", product="product",
            base="SQL by hand", limit=3, at_least=False, unit="ms", note=f"{count} questions, at most {MOST_QUERIES} are allowed.",
        )  # fmt: skip
        found.kept = found.kept and count <= MOST_QUERIES
        yield found


def _closures(size: Size, many: str) -> Iterator[Measured]:
    """Who stops with the worst entry, and all that the deepest one needs: over hard relations."""
    databases.use(many)
    for what, code, up, statement in (
        ("all that stops with the worst entry", "SVC-00001", True, weave.UP),
        ("all that the deepest entry needs", DEEPEST, False, weave.DOWN),
    ):
        pk = Service.objects.get(code=code).pk
        walked, by_hand = len(closure([pk], up=up, at=now())), weave.ask(statement, code)
        same = "as many as" if walked == by_hand else "NOT equal: by hand"
        sides: dict[str, Any] = {
            "product": lambda: least_ms(lambda: closure([pk], up=up, at=now())),  # noqa: B023
            "SQL by hand": lambda: least_ms(lambda: weave.ask(statement, code)),  # noqa: B023
        }
        rounds = measuring.alternate(sides, rounds=size.rounds)
        yield measuring.compared(
            rounds, goal="G9", what=f"{what}, of {size.entries:,}", product="product", base="SQL by hand", limit=3, at_least=False,
            unit="ms", note=f"It passes {walked:,} relations, {same} {by_hand:,}.",
        )  # fmt: skip
