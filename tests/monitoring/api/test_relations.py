"""Relations through the API: own rows only, and no write over what somebody else has written."""

import datetime as dt
import json

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm

from catalogue import relating
from catalogue.models import Relation, Service
from itsm_backup.common.time import now
from tests.factories import make_admin, make_service, make_user

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def services():
    return {code: make_service(code) for code in ("erp", "pool", "net")}


@pytest.fixture
def steward(services):
    user = make_user("steward")
    for code in services:
        assign_perm("catalogue.view_service", user, services[code])
    assign_perm("catalogue.change_service", user, services["erp"])
    return user


@pytest.fixture
def relation(services):
    said = {"by": make_admin(), "at": now(), "reason": "test"}
    return relating.relate(consumer=services["erp"], provider=services["pool"], kind="stores_to", strength="hard", **said)


def call(user, method, address, body=None, **headers):
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client.generic(method.upper(), f"/api/v1/{address}", json.dumps(body or {}), content_type="application/json", headers=headers)


def test_a_steward_relates_changes_confirms_and_ends(services, steward):
    body = {"consumer": "erp", "provider": "net", "kind": "depends_on", "reason": "Agreed"}
    made = call(steward, "post", "relations/", body)
    assert (made.status_code, made.json()["strength"]) == (201, "hard")
    again = call(steward, "post", "relations/", body)
    assert again.status_code == 409 and "stands already" in again.json()["detail"]
    address, tag = f"relations/{made.json()['id']}/", made["ETag"]
    changed = call(steward, "patch", address, {"strength": "soft", "confirmed": True, "reason": "Looked at"}, **{"If-Match": tag})
    assert changed.json()["strength"] == "soft" and changed.json()["confirmed_at"] and changed["ETag"] != tag
    assert Relation.objects.get().confirmed_by == steward
    ended = call(steward, "delete", f"{address}?reason=Moved", **{"If-Match": changed["ETag"]})
    assert ended.json()["valid_until"] and not Relation.objects.standing(now()).exists()
    gone = call(steward, "delete", f"{address}?reason=Moved", **{"If-Match": ended["ETag"]})
    assert gone.status_code == 409 and "has ended" in gone.json()["detail"]


def test_a_write_on_an_old_state_is_refused_and_told_what_changed(relation, steward):
    address = f"relations/{relation.pk}/"
    tag = call(steward, "get", address)["ETag"]
    said = {"by": make_admin("olga"), "at": now(), "reason": "A second pool"}
    relating.relate(consumer=relation.consumer, provider=relation.provider, kind="stores_to", strength="soft", **said)
    stale = call(steward, "patch", address, {"strength": "hard", "reason": "x"}, **{"If-Match": tag})
    assert stale.status_code == 412
    detail = stale.json()["detail"]
    assert "strength hard → soft" in detail and "olga" in detail and "A second pool" in detail
    assert call(steward, "patch", address, {"strength": "hard", "reason": "x"}).status_code == 428
    assert call(steward, "patch", address, {"strength": "hard", "reason": "x"}, **{"If-Match": '"7-7"'}).status_code == 412
    assert Relation.objects.get().strength == "soft"


def test_it_takes_the_right_to_change_the_consumer(services, steward, relation):
    body = {"consumer": "pool", "provider": "net", "kind": "hosted_on", "reason": "x"}
    refused = call(steward, "post", "relations/", body)
    assert refused.status_code == 403 and "You may not change the relations of pool" in refused.json()["detail"]
    stranger = make_user("stranger")
    assign_perm("catalogue.view_service", stranger, services["erp"])
    assert call(stranger, "get", "relations/").json()["count"] == 0, "both ends must be in sight"
    assert call(stranger, "get", f"relations/{relation.pk}/").status_code == 404
    unknown = call(steward, "post", "relations/", {**body, "consumer": "erp", "provider": "hidden"})
    assert unknown.status_code == 404


def test_a_circle_of_parts_gets_a_sentence(services):
    root = make_admin("root")
    assert call(root, "post", "relations/", {"consumer": "erp", "provider": "pool", "kind": "part_of", "reason": "x"}).status_code == 201
    circle = call(root, "post", "relations/", {"consumer": "pool", "provider": "erp", "kind": "part_of", "reason": "x"})
    assert circle.status_code == 409 and "pool → erp → pool" in circle.json()["detail"]


def test_lists_filter_and_show_the_past(steward, relation):
    before = f"{now() - dt.timedelta(hours=1):%Y-%m-%dT%H:%MZ}"
    assert call(steward, "get", "relations/?consumer=erp&kind=stores_to&strength=hard").json()["count"] == 1
    assert call(steward, "get", "relations/?consumer=net").json()["count"] == 0
    assert call(steward, "get", f"relations/?as_of={before}").json()["count"] == 0
    assert call(steward, "get", "relations/?kind=likes").status_code == 400


def test_the_closure_of_a_service(steward, relation):
    how = {"steps": 1, "only_backup": True}
    assert call(steward, "get", "services/pool/closure/").json() == [{"service": "erp", "via": "pool", **how}]
    assert call(steward, "get", "services/erp/closure/?direction=down").json() == [{"service": "pool", "via": "erp", **how}]
    assert call(steward, "get", "services/erp/closure/?direction=left").status_code == 400


def test_what_it_means_for_promises_is_told_when_it_is_kept_or_only_looked_at(services, steward):
    make_service("slow", rpo_s=72 * 3_600, tier=4)
    body = {"consumer": "erp", "provider": "slow", "kind": "depends_on", "reason": "Agreed"}
    assert call(steward, "post", "relations/", body).status_code == 404, "nobody relates to what they may not see"
    assign_perm("catalogue.view_service", steward, Service.objects.get(code="slow"))
    looked = call(steward, "post", "relations/", {**body, "keep": False})
    assert (looked.status_code, looked.json()["id"], Relation.objects.count()) == (200, None, 0)
    found = looked.json()["consequences"]
    assert [(one["service"], one["code"], one["borne_until"]) for one in found["breaks"]] == [
        ("erp", "INHERITED_COMMITMENT_TOO_WEAK", None), ("slow", "INHERITED_COMMITMENT_TOO_WEAK", None)
    ]  # fmt: skip
    assert [(one["service"], one["after"]) for one in found["raises"]] == [("slow", 2)] and found["hidden_breaks"] == 0
    soft = call(steward, "post", "relations/", {**body, "strength": "soft"})
    assert (soft.status_code, soft.json()["consequences"]["breaks"]) == (201, [])
    hard = call(steward, "patch", f"relations/{soft.json()['id']}/", {"strength": "hard", "reason": "x"}, **{"If-Match": soft["ETag"]})
    assert [one["service"] for one in hard.json()["consequences"]["breaks"]] == ["erp", "slow"]


def test_a_planned_relation_is_listed_changed_and_taken_back(services, steward):
    begins = now() + dt.timedelta(days=7)
    body = {"consumer": "erp", "provider": "net", "kind": "depends_on", "reason": "Agreed", "valid_from": begins.isoformat()}
    made = call(steward, "post", "relations/", body)
    pk, tag = made.json()["id"], made["ETag"]
    assert call(steward, "get", "relations/").json()["count"] == 0
    assert [row["id"] for row in call(steward, "get", "relations/?planned=true").json()["results"]] == [pk]
    before = now()
    wish = {"strength": "soft", "valid_from": (begins + dt.timedelta(days=1)).isoformat(), "reason": "Put off"}
    changed = call(steward, "patch", f"relations/{pk}/", wish, **{"If-Match": tag})
    assert (changed.status_code, changed.json()["strength"]) == (200, "soft")
    gone = call(steward, "delete", f"relations/{pk}/?reason=Not+at+all", **{"If-Match": changed["ETag"]})
    assert (gone.status_code, gone.json()["id"], Relation.objects.count()) == (200, None, 0)
    assert call(steward, "get", "relations/?planned=true").json()["count"] == 0
    (then,) = call(steward, "get", f"relations/?planned=true&as_of={before.isoformat().replace('+00:00', 'Z')}").json()["results"]
    assert (then["id"], then["strength"]) == (pk, "hard")
