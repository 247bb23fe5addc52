"""Long texts of people show their beginning and open on demand, whole, in lists and histories alike."""

import datetime as dt
import html
import re

import pytest
from django.contrib import admin
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from catalogue import overriding, publishing
from catalogue.models import LegalHold, Service
from itsm_backup.common.models import Refusal, because
from itsm_backup.common.time import now
from itsm_backup.portal import diffing
from itsm_backup.portal.templatetags.portal import clamped
from monitoring.models import QuarantinedRecord
from tests.factories import make_service, make_tool

_LONG_TEXT = "Nothing of this differs. " * 99 + "It is back in {word} hours. " + "Nor does any of this. " * 99
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


def test_a_long_text_in_a_difference_shows_where_it_changed_and_is_whole_on_demand():
    old, new = (_LONG_TEXT.format(word=word) for word in ("eight", "four"))
    before, after = diffing._pieces(old, new)
    row = diffing.Row(field="summary", label="Summary", before=before, after=after)
    for _, pieces, head in row.sides:
        shown = "".join(text for text, _ in head)
        assert len(shown) <= diffing.MOST + 2 and shown.startswith("… ") and [text for text, changed in head if changed]
        assert "".join(text for text, _ in pieces) in (old, new)
    short = diffing.Row(field="name", label="Name", before=(("A", True),), after=(("B", True),))
    assert [head for _, _, head in short.sides] == [(), ()]


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


@pytest.mark.django_db
def test_lists_of_the_administration_show_only_the_beginning_of_what_was_written(client, root):
    service, tool = make_service("SVC-001"), make_tool()
    with because("test", by=root):
        LegalHold.objects.create(service=service, owner=root, reason=LONG, held_from=now())
    QuarantinedRecord.objects.create(tool=tool, answer_index=0, reason=LONG, created_at=now())
    Refusal.objects.create(at=now(), who="somebody", method="POST", path="/x/", why=LONG[:1_000])
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    for path in ("catalogue/legalhold/", "common/refusal/"):
        text = client.get(f"/admin/{path}").content.decode()
        whole = re.search(r'<details class="clamped">.*?</details>', text, flags=re.DOTALL)[0]
        assert read(whole).split()[:80] == LONG.split()[:80] and LONG[:400] not in html.unescape(text.replace(whole, "")), path
    text = client.get("/admin/monitoring/quarantinedrecord/").content.decode()
    shown, title = re.search(r'field-reason"><a [^>]*><span title="([^"]*)">([^<]*)</span></a>', text).groups()[::-1]
    assert html.unescape(title) == LONG and len(html.unescape(shown)) <= 121 and "<details" not in shown, "a link opens the row, no text"


@pytest.mark.django_db
def test_no_list_of_the_administration_shows_a_text_as_long_as_it_is(rf, root):
    request = rf.get("/")
    request.user = root
    plain = {
        f"{model._meta.label}.{name}"
        for model, door in admin.site._registry.items()
        for name in door.get_list_display(request)
        if isinstance(name, str) and isinstance(getattr(model, name, None), DeferredAttribute)
        and isinstance(model._meta.get_field(name), (models.TextField, models.JSONField))
    }  # fmt: skip
    assert plain == set()
