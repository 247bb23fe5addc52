"""The API of this floor: incidents, who is told of them, who is on call."""

from incidents.api.incidents import urlpatterns

__all__ = ["urlpatterns"]
