"""Incidents to read, the policies by which people are told of them, and how soon they are answered."""

from incidents.admin import channels, digests, escalation, incidents, major, problems, reviews, targets, updates

__all__ = ["channels", "digests", "escalation", "incidents", "major", "problems", "reviews", "targets", "updates"]
