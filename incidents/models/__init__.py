"""What we do about it: one incident per cause, its alerts, and all that was done."""

from incidents.models.incident import Incident, IncidentAlert, IncidentEntry

__all__ = ["Incident", "IncidentAlert", "IncidentEntry"]
