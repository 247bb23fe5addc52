"""How a service stands: what people set by hand counts at once, before the journey takes it up, and what is computed stands beside it."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from catalogue.models import Service, StatusOverride
from monitoring import judging
from monitoring.models import Evaluation
from monitoring.wording import status_sentence


class Standing(NamedTuple):
    """The status that counts, what is computed and why, what was set by hand (or nothing), and the judgement (or none yet)."""

    status: str
    computed: str
    sentence: str
    override: StatusOverride | None
    evaluation: Evaluation | None


def standing_of(service: Service, at: dt.datetime) -> Standing:
    """How the service stood at `at`, as it was known then; two queries."""
    override = StatusOverride.objects.standing(at).filter(service=service).select_related("owner", "made_by", "ended_by").first()
    evaluation = Evaluation.objects.filter(service=service, at__lte=at).order_by("-at", "-pk").first()
    if evaluation is None:
        computed, sentence = "unknown", "It is not judged yet."
    else:
        alone = {name: value for name, value in evaluation.inputs.items() if name != "override"}
        by_hand = evaluation.result["status_reason"] == "set_by_hand"
        result = judging.judge_service(alone) if by_hand else evaluation.result
        computed, sentence = result["status"], status_sentence(alone, result)
    return Standing(override.status if override else computed, computed, sentence, override, evaluation)
