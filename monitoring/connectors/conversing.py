"""One poll over HTTP: requests whose secrets are masked, pages until the end, a sentence for all that went wrong, and where to go on."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Fetch, Reading, Record, Reject, SettingField, Step
from monitoring.connectors.redaction import MASK, redact, url_secrets

MOST_PAGES = 1_000
MOST_BYTES = 64 * 1024 * 1024  # of all answers of a round together
LONGEST_ROUND_S = 300.0  # a poll is claimed for a quarter of an hour
OVERLAP = dt.timedelta(hours=2)  # asked for again, for clocks that differ and for what was written late
FIRST_DAYS = 30
ENDED = "ended"  # in the meta of an answer: every listing came to its end
LINES = "event stream"  # the name of a step that holds lines of a stream, which may break off anywhere
POSTS = "posts"  # the tool reports by itself, and there is nothing to ask
SPENT = "spent"  # …or not, because the round had had its share

ADDRESS = SettingField(
    name="address",
    label="Address",
    help="https://host:port, as TOOL_ADDRESSES allows it. Redirects are not followed.",
    required=True,
)
CERTIFICATES = SettingField(
    name="certificates",
    label="Trusted certificates",
    help="PEM of the authority, or of the server itself, when no public authority vouches for it. Without, the public ones count.",
    lines=True,
)


class Conversation:
    """Asks one server and keeps every exchange as a step of `answer`. `hidden` are texts that nobody may see.

    `sign_in` gives the headers that let one in, or None when that failed; it is called at the start, and once more for a request that
    is refused as unauthorised, because tokens run out in the middle of a round.
    """

    def __init__(
        self,
        *,
        address: str,
        fetch: Fetch,
        hidden: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        sign_in: Callable[[Conversation], Mapping[str, str] | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address.strip().rstrip("/")
        self.hidden = [*hidden, *url_secrets(address)]
        self.answer = Answer(kind="poll", steps=[], meta={"address": redact(self.address, self.hidden, data=True)})
        self._fetch, self._headers, self._sign_in = fetch, {"Accept": "application/json", **(headers or {})}, sign_in
        self._clock, self._ends_at, self._bytes = clock, clock() + LONGEST_ROUND_S, 0
        self._in = sign_in is None

    def ask(
        self, name: str, path: str, *, method: str = "GET", query: Mapping[str, Any] | None = None, body: Any = None,
        headers: Mapping[str, str] | None = None, secret: bool = False,
    ) -> Any:  # fmt: skip
        """The JSON document of a good answer, else None; the step tells why. A `secret` answer is used and not kept."""
        if not self._in and not secret and not self._enter():
            return None
        url = path if path.startswith(("http://", "https://")) else self.address + path
        url += ("&" if "?" in url else "?") + urlencode(query) if query else ""
        own = urlsplit(url)[:2] == urlsplit(self.address)[:2]
        if not own and not secret:  # what a server tells must not lead our token elsewhere
            told = f"{urlsplit(url).netloc.rpartition('@')[2]} is not the tool's own address, so it was not asked."
            return self._keep(Step(name=name, command=f"{method} {url}", stderr=told))
        step = self._fetch(name, method, url, headers={**self._headers, **(headers or {})}, body=body)
        if step.exit_code == 401 and not secret and self._sign_in is not None and self._enter():
            step = self._fetch(name, method, url, headers={**self._headers, **(headers or {})}, body=body)
        found = document_of(step)
        if secret and found is not None:
            step.stdout = MASK
            self.hidden += [value for value in found.values() if isinstance(value, str)] if isinstance(found, dict) else []
        return self._keep(step, found)

    def _enter(self) -> bool:
        given = self._sign_in(self) if self._sign_in else {}
        self._in = given is not None
        if given is None and not problem(self.answer.steps[-1]):
            self.answer.meta["stopped"] = "The sign-in was answered, but brought no token."
        self._headers.update(given or {})
        return self._in

    def _keep(self, step: Step, found: Any = None) -> Any:
        step.command = redact(step.command or "", self.hidden, data=True)
        step.stdout = redact(step.stdout, self.hidden, data=True) if step.stdout else step.stdout
        step.stderr = redact(step.stderr, self.hidden) if step.stderr else step.stderr
        self._bytes += len(step.stdout or "")
        self.answer.steps.append(step)
        return found

    def pages(
        self, name: str, path: str, *, first: Mapping[str, Any], following: Callable[[Any, int], Mapping[str, Any] | str | None], **how: Any
    ) -> bool:
        """Ask page by page; True at the end of the list.

        `following(document, page number)` gives what changes in the query for the next page, None at the end, or a sentence when the
        page is none.
        """
        query = first
        for number in range(1, MOST_PAGES + 1):
            document = self.ask(name, path, query=query, **how)
            if document is None:
                return False
            after = following(document, number)
            if after is None:
                return True
            if isinstance(after, str):
                self.answer.meta["stopped"] = after
                return False
            query = {**query, **after}
            if self.spent(name, number):
                break
        return False

    def listen(self, name: str, path: str, *, body: Any, headers: Mapping[str, str], for_s: float) -> float | None:
        """Keep what a stream of lines tells for so long; returns how many seconds that was, None when it could not be opened."""
        told = {**self._headers, **headers}
        began = self._clock()
        step = self._fetch(name, "POST", self.address + path, headers=told, body=body, listen_s=for_s)
        self._keep(step)
        return self._clock() - began if step.exit_code == 200 else None

    def spent(self, name: str, number: int) -> bool:
        """Whether this round has had its share after that many pages; the answer then says so."""
        over = number >= MOST_PAGES or self._bytes > MOST_BYTES or self._clock() > self._ends_at
        if over:
            self.answer.meta |= {SPENT: "yes", "stopped": f"Reading {name} stopped after {number} pages; the next round goes on."}
        return over

    def end(self, *, in_full: bool, **meta: str) -> Answer:
        """The answer, to be read later: whether every listing came to its end, and what the reader needs."""
        self.answer.meta |= {ENDED: "yes" if in_full else "no", **meta}
        return self.answer


def window(cursor: Mapping[str, Any], settings: Mapping[str, str]) -> tuple[dt.datetime, dt.datetime]:
    """(from when to ask, when this round is): from the latest round that was complete, with an overlap; at first 30 days back."""
    told = reading.instant(cursor.get("at"))
    at = told.at if told else dt.datetime.now(dt.UTC)
    before = reading.instant(cursor.get("since"))
    days = settings.get("first_days", "")
    first = at - dt.timedelta(days=int(days) if days.isascii() and days.isdigit() and len(days) < 5 else FIRST_DAYS)
    return (before.at - OVERLAP if before else first), at


def conclude(result: Reading, answer: Answer, *, since: dt.datetime | None = None, ordered: bool = False) -> Reading:
    """Completes a reading of a poll: problems, series, whether it is complete, and the cursor, which moves only after a complete round.

    `since` is where the next round must begin when that is earlier than this one. A list that is `ordered`, the oldest first, may be
    read in several rounds.
    """
    if answer.kind != "poll":
        return finish(result)
    result.problems += [told for step in answer.steps if (told := problem(step)) and not (step.name == LINES and step.exit_code == 200)]
    if stopped := answer.meta.get("stopped"):
        result.problems.append(stopped)
    if not answer.steps and not result.problems and answer.meta.get(POSTS) != "yes":
        result.problems.append("The tool was not asked.")
    if result.rejects:
        result.problems.append(f"Entries that could not be read: {len(result.rejects)}. They are in quarantine, each with its reason.")
    result.problems = list(dict.fromkeys(result.problems))
    result.complete = answer.meta.get(ENDED) == "yes" and not result.problems
    at = reading.instant(answer.meta.get("at"))
    if result.complete and at:
        result.cursor = {"since": min(at.at, since or at.at).isoformat()}
    elif ordered and answer.meta.get(SPENT) == "yes" and result.records:
        newest = max(record.created_at for record in result.records)
        result.cursor = {"since": min(newest, since or newest).isoformat()}
    return finish(result)


def finish(result: Reading) -> Reading:
    """The reading without repeats, the later word on a run counting; pages of a list that grows meanwhile overlap."""
    result.records = list({(record.evidence_kind, record.identity): record for record in result.records}.values())
    result.job_ids = sorted({record.job_external_id for record in result.records})
    return result


def collect(
    result: Reading,
    answer: Answer,
    name: str,
    *,
    rows: Callable[[Any], Any],
    one: Callable[[Any], Record | str | None],
    noun: str,
) -> None:
    """Adds a record for every row of the lists called `name`. `one` gives a complaint for a row that cannot be read, None for one that
    is no run."""
    for _, step, document in documents(answer, name):
        found = rows(document)
        if not isinstance(found, list):
            _reject(result, f"The list of {noun}s is not where it was expected.", step.stdout)
            continue
        for number, row in enumerate(found, start=1):
            told = one(row) if isinstance(row, dict) else "is not an object"
            if isinstance(told, str):
                _reject(result, f"A {noun} (number {number} of its list) {told}.", row)
            elif told is not None:
                result.records.append(told)


def _reject(result: Reading, reason: str, value: Any) -> None:
    index = len(result.records) + len(result.rejects)
    result.rejects.append(Reject(index=index, reason=reason, excerpt=reading.excerpt(value)))


def documents(answer: Answer, name: str) -> Iterator[tuple[int, Step, Any]]:
    """The JSON documents of the good answers of this name, each with its place."""
    for index, step in enumerate(answer.steps):
        if step.name == name and (found := document_of(step)) is not None:
            yield index, step, found


def document_of(step: Step) -> Any:
    """The JSON document of a good answer, or None."""
    if step.exit_code is None or not 200 <= step.exit_code < 300 or step.stdout is None:
        return None
    try:
        return reading.document(step.stdout)
    except ValueError:
        return None


def problem(step: Step) -> str:
    """What went wrong in an exchange, in a sentence; empty when nothing did."""
    host = urlsplit((step.command or "").partition(" ")[2]).netloc.rpartition("@")[2] or "The tool"
    status = step.exit_code
    if status is None:
        return step.stderr or f"{host} did not answer."
    if 200 <= status < 300:
        return "" if step.stdout == MASK or document_of(step) is not None else _no_json(host, step)
    told = _own_words(step)
    path = urlsplit((step.command or "").partition(" ")[2]).path or "this path"
    if 300 <= status < 400:
        return f"{host} answers with a redirect ({status}). Set the address that it leads to."
    words = {
        401: "refuses the sign-in (401). Set a valid user, password or token.",
        403: "does not permit this reading (403). Give the account the rights that the connector's page names.",
        404: f"does not know {path} (404). Check the address and the version.",
        410: "cannot go on with this list (410): it changed meanwhile. The next round reads it anew.",
    }
    if status == 429:
        return f"{host} asks for fewer questions (429{_after(step)}). The next round asks again.{told}"
    sentence = words.get(status) or f"answers with {'an error of its own' if status >= 500 else 'a refusal'} ({status})."
    return f"{host} {sentence}{told}"


def _after(step: Step) -> str:
    after = (step.headers or {}).get("retry-after", "")
    return f", after {after} s" if after.isascii() and after.isdigit() else ""


def _no_json(host: str, step: Step) -> str:
    kind = reading.name((step.headers or {}).get("content-type", "").partition(";")[0]) or "something"
    if "json" in kind:
        return f"{host} answers with JSON that cannot be read: it is cut off or damaged."
    return f"{host} answers with {kind} where JSON was expected. Check the address: it may lead to a sign-in page or a proxy."


def _own_words(step: Step) -> str:
    try:
        told = reading.document(step.stdout or "")
    except ValueError:
        return ""
    for key in ("error_description", "message", "Message", "errorMessage", "detail", "title", "error", "Error"):
        if isinstance(told, dict) and (text := reading.name(inner := told.get(key))):
            return f" It said: {text[:300]}"
        if isinstance(told, dict) and isinstance(inner, dict) and (text := reading.name(inner.get("message") or inner.get("Message"))):
            return f" It said: {text[:300]}"
    return ""
