"""The kinds of tools the product can read: one line each."""

import hashlib
from pathlib import Path
from typing import Any

from monitoring.connectors.alertmanager import Alertmanager
from monitoring.connectors.aws_backup import AwsBackup
from monitoring.connectors.bacula import Bacula
from monitoring.connectors.barman import Barman
from monitoring.connectors.base import Connector
from monitoring.connectors.borg import Borg
from monitoring.connectors.borgmatic import Borgmatic
from monitoring.connectors.icinga2 import Icinga2
from monitoring.connectors.mapped import Mapped
from monitoring.connectors.pbs import ProxmoxBackupServer
from monitoring.connectors.pgbackrest import PgBackRest
from monitoring.connectors.ping import Ping
from monitoring.connectors.prometheus import Prometheus
from monitoring.connectors.push import Push
from monitoring.connectors.restic import Restic
from monitoring.connectors.veeam import Veeam
from monitoring.connectors.velero import Velero
from monitoring.connectors.zabbix import Zabbix

_ALL: tuple[Any, ...] = (
    Restic(),
    Borg(),
    Borgmatic(),
    PgBackRest(),
    Barman(),
    ProxmoxBackupServer(),
    Veeam(),
    Velero(),
    AwsBackup(),
    Zabbix(),
    Alertmanager(),
    Prometheus(),
    Icinga2(),
    Bacula(),
    Mapped(),
    Ping(),
    Push(),
)
CONNECTORS: dict[str, Connector] = {each.kind: each for each in _ALL}
_BY_ANSWER = {"ping": "ping", "api": "push"}


def connector(kind: str) -> Connector:
    """The connector of a kind of tool; raises KeyError with the kinds there are."""
    if kind not in CONNECTORS:
        raise KeyError(f"There is no connector {kind!r}; there are: {', '.join(sorted(CONNECTORS))}.")
    return CONNECTORS[kind]


def reader_of(answer_kind: str, tool_kind: str) -> Connector:
    """The connector that reads an answer: pings and API bodies are read alike whatever tool they are about."""
    return connector(_BY_ANSWER.get(answer_kind, tool_kind))


def _readers() -> str:
    """A name for the readers as they are: another one as soon as any of them changes."""
    found = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()[:12]


READERS = _readers()
