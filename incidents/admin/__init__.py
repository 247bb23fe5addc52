"""Incidents to read, and the policies by which people are told of them."""

from incidents.admin import escalation, incidents

__all__ = ["escalation", "incidents"]
