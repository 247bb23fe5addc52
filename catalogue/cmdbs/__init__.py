"""Kinds of CMDB, by the word that settings use. Adding one is a file and a line here."""

from __future__ import annotations

from catalogue.cmdbs.base import Kind
from catalogue.cmdbs.glpi import Glpi
from catalogue.cmdbs.itop import Itop
from catalogue.cmdbs.netbox import NetBox
from catalogue.cmdbs.servicenow import ServiceNow

CMDBS: dict[str, Kind] = {one.kind: one for one in (NetBox(), ServiceNow(), Itop(), Glpi())}
