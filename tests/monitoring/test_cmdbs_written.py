"""What the catalogue says reaches ServiceNow, iTop and GLPI: under their locks, read back, never over what somebody else wrote."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue import inventorying, linking, status
from catalogue.models import Cmdb, ConfigurationItem
from itsm_backup import journey
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import because
from monitoring import reconciling, writing_back
from monitoring.models import Agreement, WriteBack, WriteConflict
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, push, run_record
from tests.glpi import GlpiServer
from tests.itop import ItopServer
from tests.servicenow import ServiceNowServer
from tests.toolserver import Says, tool_server

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
SERVERS = {one.kind: one for one in (ServiceNowServer, ItopServer, GlpiServer)}


@pytest.fixture(params=SERVERS)
def there(request, settings):
    """A CMDB with one machine of one entry, whose nightly job ran."""
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    server = SERVERS[request.param]()
    with tool_server(server) as running:
        server.running = running
        server.cmdb = Cmdb(
            name=server.kind, kind=server.kind, address=running.address, account=server.account, secrets=server.secrets,
            tables=[server.table], writes=True,
        )  # fmt: skip
        server.cmdb.full_clean(exclude=["secrets"])
        with because("test"):
            server.cmdb.save()
        server.service = make_service("PACS", at=NOON - 30 * DAY, rpo_s=93_600)
        tool = make_tool(at=NOON - 30 * DAY)
        make_schedule(make_job(tool, "nightly", at=NOON - 30 * DAY, service=server.service), local_times="01:30", zone="UTC")
        push(tool, *(run_record("nightly", "success", NOON - n * DAY - 10 * HOUR, repository_name="NAS-02") for n in range(9)), at=NOON)
        journey.advance(at=NOON)
        server.number, server.root = server.make("pacs-01"), make_admin("root")
        yield server


def linked(there) -> None:
    inventorying.read(cmdb=there.cmdb, at=NOON)
    item = ConfigurationItem.objects.get(name="pacs-01")
    linking.link(item=item, service=there.service, by=there.root, at=NOON, reason="test")
    compare(NOON)


def compare(at: dt.datetime) -> None:
    Agreement.objects.update(due_at=at)
    reconciling.compare_due(at=at)


def writes(there) -> list:
    return [one for one in there.running.asked if one.method in ("PATCH", "PUT") or "core%2Fupdate" in one.body or _made(one)]


def _made(asked) -> bool:
    return asked.method == "POST" and "PluginFields" in asked.path


def test_empty_columns_are_written_read_back_and_agree(there):
    linked(there)
    assert writing_back.send(at=NOON) == 1
    row = WriteBack.objects.get()
    assert (row.accepted, row.answer) == (True, "8 of 8 columns read back as said.")
    assert (there.get(there.number, "jobs"), str(there.get(there.number, "rpo_s"))) == ("nightly", "93600")
    assert there.get(there.number, "schedule") == "Daily 01:30 UTC"
    compare(NOON + MINUTE)
    assert all(one["agrees"] is not False for one in Agreement.objects.get().comparison.rows)
    assert writing_back.send(at=NOON + MINUTE) == 0 and len(writes(there)) == 1, "nothing is said twice"
    status.change(service=there.service, to="degraded", reason="Test", evaluation=None, at=NOON + 2 * MINUTE)
    compare(NOON + 3 * MINUTE)
    writing_back.send(at=NOON + 3 * MINUTE)
    assert there.get(there.number, "status") == "degraded" and not WriteConflict.objects.exists()


def test_what_somebody_wrote_there_waits_for_a_person(there):
    there.set(there.number, "owner", "L. Novak")
    linked(there)
    writing_back.send(at=NOON)
    conflict = WriteConflict.objects.open().get()
    assert (conflict.field, conflict.theirs, conflict.why) == ("owner", "L. Novak", "other")
    assert (there.get(there.number, "owner"), there.get(there.number, "jobs")) == ("L. Novak", "nightly")
    writing_back.decide(conflict=conflict, choice="ours", by=there.root, at=NOON + MINUTE, reason="L. Novak left")
    compare(NOON + 2 * MINUTE)
    writing_back.send(at=NOON + 2 * MINUTE)
    assert there.get(there.number, "owner") == there.service.versions.get().owner.username
    assert not WriteConflict.objects.open().exists()


def test_a_change_between_reading_and_writing_is_kept_for_a_person(there):
    linked(there)
    once = iter(range(1))

    def before(asked):
        """Somebody writes the owner between our reading and the look right before writing."""
        reads = [one for one in there.running.asked[mark:] if "killSession" not in one.path and "initSession" not in one.path]
        if _reads_item(there, reads) == 2 and next(once, None) is not None:
            there.set(there.number, "owner", "by hand")

    mark = len(there.running.asked)
    there.before = before
    writing_back.send(at=NOON)
    only = WriteConflict.objects.open().get()
    assert (only.field, only.theirs, only.why) == ("owner", "by hand", "race")
    assert (there.get(there.number, "owner"), there.get(there.number, "jobs")) == ("by hand", "nightly")


def _reads_item(there, asked: list) -> int:
    """How often the item itself was asked for by now, the question under way included."""
    if there.kind == "itop":
        return sum("core%2Fget%22" in one.body for one in asked)
    return sum(one.method == "GET" and one.path.endswith(f"/{there.table}/{there.number}") for one in asked)


def test_a_refusal_is_told_with_what_to_do_and_tried_again(there):
    linked(there)
    busy = Says(429, "", {"Retry-After": "3600"})
    there.before = lambda asked: busy
    assert writing_back.send(at=NOON) == 0
    row = WriteBack.objects.get()
    assert row.accepted is False and "429" in row.answer and row.notice.not_before > NOON
    there.before = lambda asked: None
    assert writing_back.send(at=NOON + 10 * MINUTE) == 1 and WriteBack.objects.get().accepted is True
