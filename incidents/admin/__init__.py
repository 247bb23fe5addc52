"""Incidents to read, and the policies by which people are told of them."""

from incidents.admin import channels, escalation, incidents

__all__ = ["channels", "escalation", "incidents"]
