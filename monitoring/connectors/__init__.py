"""The kinds of tools the product can read: one line each."""

from monitoring.connectors.barman import Barman
from monitoring.connectors.base import Connector
from monitoring.connectors.borg import Borg
from monitoring.connectors.borgmatic import Borgmatic
from monitoring.connectors.pgbackrest import PgBackRest
from monitoring.connectors.ping import Ping
from monitoring.connectors.push import Push
from monitoring.connectors.restic import Restic

CONNECTORS: dict[str, Connector] = {each.kind: each for each in (Restic(), Borg(), Borgmatic(), PgBackRest(), Barman(), Ping(), Push())}
_BY_ANSWER = {"ping": "ping", "api": "push"}


def connector(kind: str) -> Connector:
    """The connector of a kind of tool; raises KeyError with the kinds there are."""
    if kind not in CONNECTORS:
        raise KeyError(f"There is no connector {kind!r}; there are: {', '.join(sorted(CONNECTORS))}.")
    return CONNECTORS[kind]


def reader_of(answer_kind: str, tool_kind: str) -> Connector:
    """The connector that reads an answer: pings and API bodies are read alike whatever tool they are about."""
    return connector(_BY_ANSWER.get(answer_kind, tool_kind))
