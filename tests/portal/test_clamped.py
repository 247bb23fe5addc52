"""Long texts of people show their beginning and open on demand, whole, in lists and histories alike."""

import datetime as dt
import html
import re

import pytest

from catalogue import overriding, publishing
from catalogue.models import Service
from itsm_backup.common.time import now
from itsm_backup.portal.templatetags.portal import clamped
from tests.factories import make_service

LONG = "The <network> was down & so on. " * 60  # 1,920 characters


def read(told: str) -> str:
    return html.unescape(re.sub(r"<span class=\"clamped-more\">.*?</span>|<[^>]+>", " ", told))


def test_a_short_text_stays_and_a_long_one_is_whole_behind_its_beginning():
    assert clamped("Two <lines>\nof it") == "Two &lt;lines&gt;<br>of it"
    told = clamped(LONG)
    assert told.startswith('<details class="clamped"><summary>The &lt;network&gt;') and len(read(told.partition("<span")[0]).strip()) <= 240
    assert read(told).split() == LONG.split()


def test_many_short_lines_and_one_endless_word_are_clamped_too():
    told = clamped("\n".join("abcdefghijklmnop"))
    assert told.partition("</summary>")[0].count("<br>") == 5 and "".join(read(told).split()) == "abcdefghijklmnop"
    assert clamped("x" * 2_000).count("x") == 2_000


@pytest.mark.django_db
def test_lists_histories_and_the_administration_show_only_the_beginning(client, root):
    service = make_service("SVC-001")
    draft = publishing.draft_version(service=service, content={"summary": "Other"}, commitment={}, by=root, at=now(), reason=LONG)
    overriding.override(
        service=service, status="maintenance", owner=root, expires_at=now() + dt.timedelta(days=1), by=root, at=now(), reason=LONG
    )
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    pk = Service.objects.get().pk
    for path in ("/services/SVC-001/versions/", f"/services/SVC-001/versions/{draft.number}/", "/services/SVC-001/status/",
                 f"/admin/catalogue/serviceversion/{draft.pk}/history/", f"/admin/catalogue/service/{pk}/change/"):  # fmt: skip
        text = client.get(path).content.decode()
        assert '<details class="clamped">' in text, path
        plain = re.sub(r'<details class="clamped">.*?</details>', "", text, flags=re.DOTALL)
        assert "was down &amp; so on" not in plain, path
