"""A text that is longer than what is kept: every door says so, and one page holds all that was sent, to be shortened."""

import html

import pytest

from catalogue.models import StatusOverride
from itsm_backup.common.models import SavedFilter
from monitoring.models import RuleVersion, StatusMap
from tests.admin_forms import make_staff, signed_in
from tests.factories import make_service, make_tool

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
LONG = "Because “of it” & so on. " * 100  # 2,500 characters
REST = {"chosen": ["7:SVC-001", "8:SVC-002"], "title": "it <says> so"}


@pytest.fixture
def client(client, root):
    make_service("SVC-001")
    make_tool("restic", name="vault")
    client.force_login(root, backend=BACKEND)
    return client


DOORS = {
    "/thresholds/put-in-force": "reason", "/cadence/set": "reason", "/tools/compare/weights": "reason",
    "/tools/vault/words/draft": "reason",
    "/mappings/vault/draft": "reason", "/improve/rules/save": "reason", "/improve/rules/suggest": "text",
    "/services/SVC-001/status/set": "reason", "/services/SVC-001/ownership/hand-over": "reason", "/approvals/approve": "reason",
    "/scope/decide/new/decide": "reason", "/services/agreement/items/link": "reason", "/services/matrix/change": "reason",
    "/services/relations/import": "reason", "/services/import/": "reason",
}  # fmt: skip


@pytest.mark.parametrize(("path", "name"), DOORS.items())
def test_nothing_is_cut_and_nothing_that_was_typed_is_lost(client, path, name):
    more = {
        "kind": "attribution" if "rules" in path else "",
        "cell": "SVC-001,SVC-002",
        "deed": "hard",
        "content": "consumer,provider,kind,strength\nSVC-001,x,y,hard\n",
    }
    answer = client.post(path, {**REST, **more, name: LONG, "name": "a name"})
    text = answer.content.decode()
    assert answer.status_code == 409, path
    assert f"stand {len(LONG.strip()):,} characters, and at most" in text and "are kept. Shorten it: nothing was changed." in text
    assert f'action="{path}"' in text and html.escape(LONG) in text
    for value in (*REST["chosen"], "a name"):
        assert f'value="{value}"' in text
    assert "it &lt;says&gt; so" in text and text.count('name="csrfmiddlewaretoken"') >= 1
    assert not (StatusOverride.objects.exists() or StatusMap.objects.exists() or RuleVersion.objects.filter(state="draft").exists())


def test_a_file_is_asked_for_once_more_because_no_page_can_hold_it(client, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("code,name\nSVC-001,Other\n")
    with path.open("rb") as file:
        text = client.post("/services/import/", {"reason": LONG, "file": file}).content.decode()
    assert 'enctype="multipart/form-data"' in text and 'type="file" id="file-file" name="file"' in text


def test_the_name_of_a_filter_that_is_too_long_is_kept_to_be_shortened(db):
    steward = signed_in(make_staff("catalogue.view_service", name="ida"))
    answer = steward.post("/admin/catalogue/service/filters/save/", {"name": "n" * 61, "query": "q=a"})
    assert answer.status_code == 409 and "stand 61 characters, and at most 60 are kept" in answer.content.decode()
    assert 'value="q=a"' in answer.content.decode() and not SavedFilter.objects.exists()


def test_no_field_of_the_administration_lets_the_browser_cut(root, client):
    for path in (
        "/admin/catalogue/service/add/",
        "/admin/monitoring/tool/add/",
        "/admin/monitoring/causerule/add/",
        "/admin/catalogue/agreement/add/",
    ):
        assert "maxlength" not in client.get(path, follow=True).content.decode(), path
