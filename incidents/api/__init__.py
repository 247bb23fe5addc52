"""The API of this floor: incidents and the acts on them, who is told of them, who is on call, how soon they are answered."""

from django.urls import path, re_path

from incidents.api import acts, follow_up, incidents, major, messages, own_channels, problems, reviews, status, updates
from incidents.api.escalation import EscalationPolicies
from incidents.api.on_call import OnCall, StandIn
from incidents.api.simulation import Simulation
from incidents.api.targets import ResponseTargets, TeamHours

urlpatterns = [
    path("on-call/", OnCall.as_view()),
    re_path(r"^on-call/(?P<id>[0-9]{1,18})/stand-in/?$", StandIn.as_view()),
    path("escalation-policies/", EscalationPolicies.as_view()),
    path("escalation-policies/simulation/", Simulation.as_view()),
    path("response-targets/", ResponseTargets.as_view()),
    path("working-hours/", TeamHours.as_view()),
    *incidents.urlpatterns,
    *acts.urlpatterns,
    *problems.urlpatterns,
    *major.urlpatterns,
    *messages.urlpatterns,
    *updates.urlpatterns,
    *status.urlpatterns,
    *own_channels.urlpatterns,
    *reviews.urlpatterns,
    *follow_up.urlpatterns,
]
