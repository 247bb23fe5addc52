"""The administration speaks the words of the field: no names of the code, no squashed capitals, and a form is titled by what it adds."""

import re
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.urls import reverse

from itsm_backup.common.admin.site import GROUP_NAMES
from monitoring.models import Tool
from tests.admin_forms import signed_in, url
from tests.factories import make_admin

pytestmark = pytest.mark.django_db
SQUASHED = (
    "Api Bia Cmdb Cmdbs Csv Dns Html Http Https Icinga2 Id Ids Ip Json Mbco Mttr Mtpd Ola Oidc Pk Rpo Rto Sla Smtp Url Utc Uuid Vm Wrt"
)
WRONG = re.compile(rf"\b(?:{'|'.join(SQUASHED.split())})\b|\b(?:api|cmdb|html|http|mtpd|mbco|rpo|rto|sla|url|uuid|wrt|pk)\b|\w_\w")
CODE_NAME = re.compile(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b")
PRODUCTS = {"BorgBackup", "NetBox", "ServiceNow"}
SPOKEN = r"<(?:h1|h2|h3|label|legend|th|title|summary|caption)\b[^>]*>(.*?)</(?:h1|h2|h3|label|legend|th|title|summary|caption)>"


def spoken(html):
    """Headings, labels and names of columns of a page, as they are read."""
    found = re.findall(SPOKEN, html, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", each)).split()) for each in found]


def wrong_in(words):
    return [each for each in words if WRONG.search(each) or set(CODE_NAME.findall(each)) - PRODUCTS]


def test_headings_labels_and_columns_are_words_of_the_field():
    client, wrong = signed_in(make_admin("root")), {}
    pages = [reverse("admin:index")]
    pages += [url(model, page) for model in admin.site._registry for page in ("changelist", "add")]
    for address in pages:
        answer = client.get(address, follow=True)
        assert answer.status_code in (200, 403), (address, answer.status_code)
        if found := wrong_in(spoken(answer.content.decode())):
            wrong[address] = found
    for model, door in admin.site._registry.items():
        columns = [str(label_for_field(name, model, door)) for name in door.list_display if name != "action_checkbox"]
        meta = model._meta
        names = [str(meta.verbose_name), str(meta.verbose_name_plural), door.heading, door.one, door.about]
        if found := wrong_in([*columns, *names]):
            wrong[meta.label] = found
    assert not wrong


def test_groups_have_names_that_people_gave_them():
    labels = {model._meta.app_config.label: str(model._meta.app_config.verbose_name) for model in admin.site._registry}
    assert not wrong_in([GROUP_NAMES.get(label, words) for label, words in labels.items()])


def test_a_form_is_titled_by_what_it_adds_in_the_words_of_its_list():
    client = signed_in(make_admin("root"))
    asking = client.get(reverse("admin:index")).wsgi_request
    for model, door in admin.site._registry.items():
        if model is Tool or not door.has_add_permission(asking):  # a tool is asked for its kind first, and titled by that
            continue
        answer = client.get(url(model, "add"))
        words, listed = f"Add {door.one}", client.get(url(model, "changelist"), follow=True).content.decode()
        html = answer.content.decode()
        assert re.search(rf"<h1>\s*{re.escape(words)}\s*</h1>", html), (model, words)
        assert f"<title>{words} · " in " ".join(html.split()), (model, words)
        assert words in listed, (model, words)


@pytest.mark.parametrize(("label", "words"), [
    ("catalogue.Service", "service"), ("catalogue.Window", "maintenance window"), ("catalogue.TierDefault", "levels of a tier"),
    ("catalogue.Cmdb", "CMDB"), ("catalogue.StatusOverride", "status set by hand"), ("auth.User", "person"),
])  # fmt: skip
def test_what_is_added_is_called_as_people_call_it(label, words):
    (door,) = [door for model, door in admin.site._registry.items() if model._meta.label == label]
    assert door.one == words
