"""The API of this floor: reports, and published figures that come out otherwise."""

from reporting.api import discrepancies, reports

urlpatterns = [*reports.urlpatterns, *discrepancies.urlpatterns]

__all__ = ["urlpatterns"]
