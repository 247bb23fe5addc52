"""Words for audiences: placeholders that a template may use, and what a person's words may not say. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

_PLAIN = {
    "number": "number of the major incident",
    "headline": "what fails, by the names of the catalogue",
    "priority": "priority",
    "since": "when it began",
    "services": "services that are hit, with tier",
    "dependents": "services that would stop with them if they failed, or lose their backup",
    "departments": "departments that feel it",
    "affected": "services that do not stand as promised",
    "works": "what keeps its backup promise",
    "advice": "what people do meanwhile, or no longer need to do",
    "loss": "what would be lost if they failed now",
    "measured": "how long a restore took when it was tested, or that it was not measured",
    "words": "what is being done, as the author wrote it",
    "lead": "who tells people of it",
    "next_update": "when people are told again",
    "duration": "how long it lasted, or lasts",
    "ended": "when it ended and how",
}
_MANAGER = {"manager": "who leads it"}
_INSIDE = {
    **_MANAGER,
    "exposure": "age of each newest copy and its promise",
    "cause": "the cause, as far as a rule knows it",
    "details": "details for those who work on it",
}
PLACEHOLDERS: dict[str, dict[str, str]] = {
    "responders": {**_PLAIN, **_INSIDE, "alerts": "alerts, with names of jobs and tools"},
    "owners": {**_PLAIN, **_INSIDE},
    "compliance": {**_PLAIN, **_MANAGER, "labels": "classification of the data", "regulations": "what the services must comply with"},
    "executives": {**_PLAIN, **_MANAGER},
    "business": _PLAIN,
}
OUTSIDE = ("compliance", "executives", "business")  # these are told no names of tools, jobs and storage
AUDIENCES = {one: one for one in ("responders", "compliance", "executives")} | {"owners": "service owners", "business": "business users"}
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

_HOURS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|weekend"
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_TO_COME = (  # these lie ahead, whatever the rest of the sentence says
    r"\b(?:tonight|tomorrow|soon|shortly|eta|eod|eob|cob)\b|\bend of (?:the )?(?:business|day|shift|week|month)\b"
    r"|\b(?:next|in the) (?:morning|afternoon|evening|night|shift|day|week|month|hour|quarter|year)\b"
    r"|\b(?:within|in) (?:minutes|hours|days|weeks)\b"
    r"|\b(?:within|in) (?:the|an?) (?:minute|hour|shift|day|week)\b|\b(?:before|after|over) (?:breakfast|lunch|dinner|work|hours)\b"
    r"|\bbefore (?:you|anyone|anybody) knows? it\b|\bbefore long\b|\bin no time\b|\bany (?:minute|moment|time) now\b"
)
_TIME = re.compile(
    r"\d{1,2}[:.]\d{2}\b|\b\d+\s*(?:a\.?m|p\.?m|o.clock|s|sec|seconds?|min|mins|minutes?|h|hrs?|hours?|d|days?|weeks?)\b"
    rf"|\b(?:an?|{_HOURS}|fifteen|twenty|thirty|forty|sixty|ninety|few|couple of) (?:(?:more|other) )?"
    r"(?:minutes?|hours?|shifts?|days?|weeks?)\b"
    rf"|\b(?:at|by|from|around|about) (?:{_HOURS})\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?\.? (?:of )?(?:{_MONTHS})\b|\b(?:{_MONTHS})\.? \d{{1,2}}\b|\b\d{{4}}-\d{{2}}-\d{{2}}\b"
    r"|\b(?:on|by|until|till|before|from) the \d{1,2}(?:st|nd|rd|th)\b(?!\s+(?!(?:or|and|at|in|for|with|again|then|if|to)\b)[a-z])"
    r"|\bQ[1-4]\b|\b(?:tea ?time|dusk|dawn|daybreak|nightfall|sunset|sunrise)\b|\ba (?:little |short )?(?:while|bit longer)\b"
    r"|\b(?:in the course of|later in|during) the (?:morning|afternoon|evening|night|day|week|month)\b"
    r"|\bhalf past\b|\bquarter (?:past|to)\b|\bhalf an hour\b"
    rf"|\b(?:today|noon|midnight|lunch(?:time)?|overnight|{_DAYS})\b"
    rf"|\bthis (?:morning|afternoon|evening|night|shift|week|hour)\b|{_TO_COME}",
    re.IGNORECASE,
)
_AHEAD = re.compile(
    r"\b(?:will|shall|won['’]t|going to|expect\w*|estimat\w*|should|hope\w*|plan\w*|promis\w*|by|until|within|in|before)\b|['’]ll\b"
    rf"|{_TO_COME}",
    re.IGNORECASE,
)
# Only a part of a sentence that tells what was may name a time; the present tense looks ahead ("is restored at three").
_WAS = re.compile(
    rf"\b(?:last(?= (?:\d|night|evening|minute|hour|day|week|month|year|few|couple|{_HOURS}|{_DAYS}))|the past"
    r"|was|were|been|since|ago|has|have|had|did|came|went|began|found|made|took|sent"
    r"|built|ran|saw|told|gave|left|lost|broke|fell|grew|kept|freed|agreed)\b",
    re.IGNORECASE,
)
_DID, _IS = re.compile(r"\b[a-z]{2,}[a-df-z]ed\b", re.IGNORECASE), re.compile(r"\b(?:is|are|be|being|gets?)\b", re.IGNORECASE)
_NUMBERS = re.compile(r"(?<![\w.:])(?=[0-9a-f]*[.:])[0-9a-f.:]{7,}(?![\w:])", re.IGNORECASE)
_LOSES_NOTHING = re.compile(
    r"\b(?:no|zero|not any) (?:\w+ )?(?:data|records?|files?|images?|letters?|documents?)"
    r" (?:(?:was|were|is|are|has|have|had|will|got|been|be|ever) )*(?:lost|missing|gone)\b"
    r"|\bnothing (?:was|is|has been|got|will be) lost\b|\bno (?:data )?loss(?:es)?\b(?! of (?!data))"
    r"|\bwithout (?:any )?(?:data )?loss\b(?! of (?!data))"
    r"|\bnobody (?:has )?(?:lost|loses) (?:any )?(?:data|anything)\b"
    r"|\b(?:data|everything|copies) (?:is|are|was|were|stays?) (?:all )?safe\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_PART = re.compile(r"[,:]\s+|\s+[–—-]\s+|\b(?:that|and|but|so|(?<!\ba )(?<!\blittle )(?<!\bshort )while|which|because)\b")
_SMALL = re.compile(r"\b(?:at|on|in|of|from|to|since|until|about|around|between|the|last|on|again|then)\b|[^\w]+", re.IGNORECASE)


def problem_of(template: str, audience: str) -> str:
    """Why the template cannot be used for the audience, in a sentence; empty when it can."""
    allowed = PLACEHOLDERS[audience]
    offered = ", ".join(f"{{{name}}}" for name in sorted(allowed))
    for name in _PLACEHOLDER.findall(template):
        if name not in allowed:
            known = any(name in others for others in PLACEHOLDERS.values())
            why = f"says more than {AUDIENCES[audience]} are told" if known else "is no placeholder"
            return f"{{{name}}} {why}. Use only {offered}."
    if re.search(r"[{}]", _PLACEHOLDER.sub("", template)):
        return f"A brace stands alone, or around something that is no name. Write placeholders like {{services}}; use only {offered}."
    if said := promises(template):
        return f"“{said[0]}” promises a time for every incident. Leave times to the placeholders."
    if said := reassures(template):
        return f"“{said[0]}” says of every incident what nobody measured. Leave it to {{loss}}."
    return ""


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with every placeholder in place; lines that hold nothing but empty placeholders fall away."""
    lines = []
    for line in template.splitlines():
        names = _PLACEHOLDER.findall(line)
        if names and not any(values[name] for name in names):
            continue
        lines.append(_PLACEHOLDER.sub(lambda found: values[found[1]], line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def promises(text: str) -> list[str]:
    """Sentences that say when something will be: a time, in figures or words, and something that looks ahead. English only."""
    return [one.strip() for one in _SENTENCE.split(text) if _TIME.search(plain := _without_addresses(one)) and _looks_ahead(plain)]


def reassures(text: str) -> list[str]:
    """Sentences that say that nothing was lost, which copies alone can tell. English only."""
    return [one.strip() for one in _SENTENCE.split(text) if _LOSES_NOTHING.search(one)]


def _without_addresses(sentence: str) -> str:
    """10.20.30.40 is an address, not twenty past ten."""
    return _NUMBERS.sub(lambda found: "there" if _is_address(found[0].rstrip(".:")) else found[0], sentence)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(re.sub(r":\d+$", "", text) if "." in text else text)
    except ValueError:
        return False
    return True


def _looks_ahead(sentence: str) -> bool:
    return bool(_AHEAD.search(sentence)) or any(_TIME.search(part) and not _tells_what_was(part) for part in _parts(sentence))


def _parts(sentence: str) -> list[str]:
    """What stands between its commas and conjunctions; one that begins with a time, or is nothing else, belongs to the one beside it."""
    found: list[str] = []
    for part in filter(str.strip, _PART.split(sentence)):
        if found and (_TIME.match(part.strip()) or _is_time(part) or _is_time(found[-1])):
            found[-1] += f" {part}"
        else:
            found.append(part)
    return found


def _is_time(part: str) -> bool:
    return not _SMALL.sub("", _TIME.sub("", part))


def _tells_what_was(part: str) -> bool:
    return bool(_WAS.search(part) or (_DID.search(part) and not _IS.search(part)))
