"""Tokens are made on the command line and shown once."""

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from itsm_backup.common.time import now
from monitoring import tokens
from monitoring.models import ApiToken
from tests.factories import make_tool, make_user

pytestmark = pytest.mark.django_db


def token(**options):
    out, told = StringIO(), StringIO()
    call_command("token", stdout=out, stderr=told, **options)
    return out.getvalue().strip(), told.getvalue()


def test_it_prints_a_token_that_lets_its_user_in():
    user, tool = make_user("nia"), make_tool(name="scripts")
    text, told = token(user="nia", scope="ingest", tool="scripts", days=30)
    found = tokens.find(text, at=now())
    assert (found.user, found.tool, found.scope) == (user, tool, "ingest")
    assert dt.timedelta(days=29) < found.expires_at - now() <= dt.timedelta(days=30)
    assert "not shown again" in told and text not in told


def test_it_keeps_only_a_hash():
    make_user("nia")
    text, _ = token(user="nia", scope="read")
    assert text.encode() not in bytes(ApiToken.objects.get().digest)
    assert tokens.find(text, at=now() + dt.timedelta(days=366)) is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"user": "ghost", "scope": "read"}, "There is no active user ghost."),
        ({"user": "gone", "scope": "read"}, "There is no active user gone."),
        ({"user": "nia", "scope": "ingest", "tool": "x"}, "There is no tool x. Tools: scripts."),
        ({"user": "nia", "scope": "read", "tool": "scripts"}, "Only an ingest token can be bound to a tool."),
        ({"user": "nia", "scope": "read", "days": 0}, "--days must be between 1 and 3650."),
    ],
)
def test_it_says_what_cannot_be(options, told):
    make_user("nia")
    make_user("gone", is_active=False)
    make_tool(name="scripts")
    with pytest.raises(CommandError) as refusal:
        token(**options)
    assert told in str(refusal.value)
    assert not ApiToken.objects.exists()
