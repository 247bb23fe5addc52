"""Pages of the catalogue at 320 px: nothing scrolls sideways but tables within their frame, nothing is cut off or runs out of the page."""

import datetime as dt

import pytest

from catalogue import agreeing, attesting, deviating, handing_over, publishing, relating, scoping
from catalogue.models import Agreement, Cmdb, ConfigurationItem, Label, Service, ServiceVersion, TierDefault, Window
from itsm_backup.common.models import because
from tests.admin_forms import change_url, url
from tests.factories import make_admin
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)
LONG = "Imaging-archive-of-the-northern-and-southern-hospitals"
# Whatever is drawn lies within the page or in something that scrolls, and no text is cut; what is typed in a field may be longer than it.
AMISS = """() => {
  const found = [];
  const named = (el) => `${el.tagName.toLowerCase()}.${el.getAttribute("class") || ""} ${(el.innerText || el.name || "").slice(0, 40)}`;
  const holder = (el, test) => { for (let up = el; up; up = up.parentElement) if (test(up, getComputedStyle(up))) return up; };
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page scrolls sideways");
  for (const el of document.querySelectorAll("body *")) {
    const box = el.getBoundingClientRect(), style = getComputedStyle(el);
    if (box.width <= 1 || box.height <= 1 || !el.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
    if (holder(el, (up, its) => its.clipPath !== "none" || up.matches(".skip, svg svg"))) continue;
    const scrolls = holder(el.parentElement, (up, its) => ["auto", "scroll"].includes(its.overflowX));
    if ((box.right > innerWidth + 1 || box.left < -1) && !scrolls) found.push(`out of the page: ${named(el)}`);
    const cut = ["hidden", "clip"].includes(style.overflowX) && style.textOverflow !== "ellipsis";
    if (cut && el.scrollWidth > el.clientWidth + 1 && !el.matches("input, select, textarea")) found.push(`cut off: ${named(el)}`);
  }
  return found.slice(0, 6);
}"""


@pytest.fixture
def filled(estate_now):
    """The small estate with one row of everything that stewards keep, named as long as names get."""
    at, steward, root = estate_now.at, make_person("steward", estate_now.at), make_admin("root")
    imaging, said = estate_now.imaging, {"by": steward, "at": at, "reason": LONG}
    other = Service.objects.exclude(pk=imaging.pk).first()
    with because(LONG, by=steward):
        agreement = Agreement.objects.create(name=LONG, kind="sla", party=LONG)
        Window.objects.create(service=imaging, purpose=LONG, starts_at=at, ends_at=at + DAY, decided_by=steward, decided_at=at)
        Label.objects.create(word=LONG[:40], meaning=LONG)
        cmdb = Cmdb.objects.create(name="netbox", label=LONG, kind="netbox", address=f"https://{LONG[:40]}.example.org/{LONG}")
        TierDefault.objects.get_or_create(tier=1, defaults={"rpo_s": 60, "rto_s": 60, "success_rate": "0.98", "rpo_attainment_rate": "0.98",
                                                            "restore_test_days": 90, "copy_scheme": LONG[:40]})  # fmt: skip
    ConfigurationItem.objects.create(
        cmdb=cmdb, table="device", external_id=LONG, name=LONG, fields={"owner": LONG}, first_seen_at=at, last_seen_at=at
    )  # fmt: skip
    agreeing.draft_agreement(agreement=agreement, content={"from_on": at.date(), "rpo_s": 3_600, "text": LONG}, **said)
    bounds = {"mtpd_s": 7_200, "tolerated_loss_s": 60, "wrt_s": 0, "mbco": LONG, "review_due_on": (at + 9 * DAY).date()}
    agreeing.draft_analysis(service=imaging, content=bounds, **said)
    owner, until = make_person("stakeholder", at), (at + 9 * DAY).date()
    deviating.ask(service=imaging, code="INHERITED_COMMITMENT_TOO_WEAK", owner=owner, expires_on=until, **said)
    handing_over.ask(service=other, duty="owner", receiver=owner, **said)
    attesting.open_round(services=[imaging, other], title=LONG, due_on=until, by=steward, at=at)
    relating.relate(consumer=imaging, provider=other, kind="copies_to", strength="hard", **said)
    answers = dict.fromkeys(scoping.QUESTIONS, "no")
    scoping.decide_new(name=LONG, outcome="excluded", hosting="hybrid", answers=answers, review_on=until, entry=None, **said)
    draft = publishing.draft_version(service=imaging, content={"summary": LONG, "supplier": LONG, "labels": [LONG[:40]]},
                                     commitment={"retention_days": 1}, **said)  # fmt: skip
    publishing.submit(version=draft, by=steward, at=at, announce=False)
    return root


def pages(service):
    """Every page of the catalogue that people work with, once."""
    code, number = service.code, service.versions.latest("number").number
    yield from (f"/services/{path}" for path in ("", "import/", "matrix/", "matrix/?edit=1", "graph/", "relations/", "detected/",
                                                  "agreement/", "agreement/items/", "retired/"))  # fmt: skip
    yield from (f"/services/{code}/{path}" for path in ("", "graph/", "versions/", f"versions/{number}/", "versions/1..2/", "commitment/",
                                                         "objectives/", "status/", "ownership/", "retirement/", "agreement/", "observed/",
                                                         "calendar/"))  # fmt: skip
    yield from ("/", "/batches/", "/approvals/", "/ownership/", "/scope/", "/deviations/", "/search?q=imaging", "/admin/")
    kinds = "service serviceversion agreement agreementversion impactanalysis deviation relation label tierdefault team window scopeline "
    for kind in (kinds + "scopedecision cmdb configurationitem externalcatalogue fieldmaster dutyexception statusoverride").split():
        yield f"/admin/catalogue/{kind}/"
    for kind in ("service", "agreement", "relation", "label", "window", "cmdb", "dutyexception"):
        yield f"/admin/catalogue/{kind}/add/"
    yield f"{url(ServiceVersion, 'add')}?service={Service.objects.exclude(pk=service.pk).first().pk}"
    yield from (change_url(row) for row in service.versions.all())
    yield change_url(service)


def test_every_page_of_the_catalogue_fits_the_narrowest_screen(tab, estate_now, filled):
    page, amiss = tab(filled, size="narrow"), {}
    changes = []
    for path in pages(estate_now.imaging):
        page.goto(path)
        if found := page.evaluate(AMISS):
            amiss[path] = found
        row = page.query_selector("#result_list tbody th a")
        changes += [row.get_attribute("href")] if row else []
    for path in dict.fromkeys(changes):
        page.goto(path)
        if found := page.evaluate(AMISS):
            amiss[path] = found
    assert len(changes) > 12 and not amiss
