"""On a phone everything that a finger has to hit takes 44 px, whatever it looks like; measured by asking what lies 21 px off its middle."""

import pytest

from catalogue import publishing
from tests.factories import make_admin

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGES = ("/services/SVC-003/versions/", "/approvals/", "/scope/", "/ownership/", "/services/matrix/?edit=1", "/services/", "/deviations/")
SMALL = """() => {
  const found = [];
  const fields = "main :is(button, input:not([type=hidden]), select, textarea, summary, th > a, .table-foot a)";
  const controls = fields + ", .masthead :is(a, button, summary)";
  for (const control of document.querySelectorAll(controls)) {
    control.scrollIntoView({block: "center"});
    const box = control.getBoundingClientRect();
    if (!box.width || !control.checkVisibility({visibilityProperty: true})) continue;
    const label = control.closest("label");
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    for (const off of [-21, 21]) {
      const hit = document.elementFromPoint(x, y + off);
      if (!(hit && (control.contains(hit) || (label && label.contains(hit)))))
        found.push(`${control.tagName} ${control.className} ${(control.innerText || control.name).slice(0, 40)} ${off}`);
    }
  }
  return found;
}"""


def test_whatever_a_finger_hits_on_a_phone_is_large_enough(tab, estate_now):
    by = estate_now.imaging.versions.get().owner
    draft = publishing.draft_version(
        service=estate_now.research, content={"supplier": "A"}, commitment={}, by=by, at=estate_now.at, reason="New"
    )  # fmt: skip
    publishing.submit(version=draft, by=by, at=estate_now.at, announce=False)
    page, small = tab(make_admin("root"), size="phone"), {}
    for path in PAGES:
        page.goto(path)
        if found := page.evaluate(SMALL):
            small[path] = found
    assert not small
