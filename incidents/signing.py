"""What kind of failure a message tells, stable across names, places, times and versions of tools: its signature."""

from __future__ import annotations

import re

from monitoring.models import Alert

LONGEST = 160
# Kinds that many tools tell in words of their own; the first that is found in the message counts. Order matters: what made
# other things fail stands before what only failed with it. A repository that nobody let in or answered for is not missing.
KINDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("disk-full", "No space left", (r"no space left", r"disk( is)? full", r"quota exceeded", r"\[FileWriteError\]", r"not enough space")),
    (
        "wrong-password",
        "Wrong password or key",
        (
            r"wrong password",
            r"no key found",
            r"passphrase .*incorrect",
            r"password is incorrect",
            r"decryption failed",
            r"key/value found outside of section",
        ),
    ),
    (
        "damaged",
        "Stored data are damaged",
        (r"checksum mismatch", r"integrity error", r"ciphertext verification", r"threw error: \[-3\]", r"contains errors", r"corrupt"),
    ),
    ("repository-locked", "The repository is locked", (r"already locked", r"acquire the lock", r"acquire lock", r"lock timeout")),
    ("stopped", "Stopped on purpose", (r"stop file exists",)),
    ("not-set-up", "Not set up yet", (r"FileMissingError.*info", r"stanza.*(missing|create)")),
    ("already-exists", "A backup of that name exists", (r"archive .* already exists",)),
    (
        "log-archiving",
        "Log archiving does not work",
        (r"archive_command", r"archive_mode", r"WAL archiv", r"WAL segment .* was not archived"),
    ),
    (
        "source-down",
        "The database cannot be reached",
        (
            r"unable to find primary",
            r"DbConnectError",
            r"connection to server",
            r"could not connect to server",
            r"Impossible to start the backup",
        ),
    ),
    (  # of the repository itself; of single files further below
        "permission",
        "Permission denied",
        (r"unable to open config file.*(denied|forbidden|unauthorized|\(40[13]\))", r"permission denied \((publickey|password)"),
    ),
    ("certificate", "The certificate is not trusted", (r"x509", r"certificate verify failed", r"certificate (has )?expired")),
    (
        "unreachable",
        "The other side does not answer",
        (
            r"connection (refused|reset|timed out)",
            r"no route to host",
            r"timed? ?out",
            r"no such host",
            r"name resolution",
            r"name or service not known",
            r"connection closed by remote",
            r"unreachable",
        ),
    ),
    ("repository-missing", "The repository is missing", (r"repository .*does not exist", r"unable to open config file")),
    ("interrupted", "Interrupted", (r"interrupted by a signal", r"killed by signal", r"received sig", r"context canceled", r"ctrl-c")),
    ("source-missing", "Sources are missing", (r"all (target|source) directories/files do not exist", r"holds no file")),
    (
        "source-partly-missing",
        "Some sources are missing",
        (r"does not exist, skipping", r"source directories .*do not exist", r"no such file or directory: '"),
    ),
    ("permission", "Permission denied", (r"permission denied", r"access (is )?denied", r"accessdenied", r"errno 13")),
    (
        "command-failed",
        "A command around the backup failed",
        (r"command failed: exit status", r"before action hook", r"returned non-zero exit status"),
    ),
)
_KINDS = [(kind, re.compile("|".join(patterns), re.IGNORECASE)) for kind, _, patterns in KINDS]
WORDS = {kind: words for kind, words, _ in KINDS}
# The cause rules that come with the product, each with the kind of failure that it names: a rule and a message tell one reason alike.
OF_RULES = {
    "storage-full": "disk-full",
    "storage-not-writable": "disk-full",
    "repository-damaged": "damaged",
    "database-down": "source-down",
    "network-unreachable": "unreachable",
    "access-denied": "permission",
    "log-archive-broken": "log-archiving",
    "dump-failed": "command-failed",
    "switched-off": "stopped",
}
# That something failed, or is late, is what every cause looks like: alone it says nothing of why.
CLASSES = {value: str(label) for value, label in Alert.Class.choices}
OF_NO_CAUSE = frozenset({"job_failed", "job_missed", "job_flapping", "rpo_breach", "rpo_at_risk"})
# What differs from one time to the next, in the order in which it is taken out.
_MASKS = [
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "<address>"),
    (re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?([.,]\d+)?( ?(Z|UTC|[+-]\d\d:?\d\d))?)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d(:\d\d([.,]\d+)?)?\b"), "<time>"),
    (re.compile(r"(?:\b[A-Za-z]:)?(?:[/\\][^\s:'\",;)\]]+)+[/\\]?"), "<path>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b"), "<host>"),
    (re.compile(r"\b[a-z][\w-]*(\.[a-z][\w-]*)*\.[a-z][\w-]*[0-9]*\b(?=:\d)", re.IGNORECASE), "<host>"),
    (re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|“[^”]*”"), "<name>"),
    (re.compile(r"\b\w*\d[\w.]*\b"), "<n>"),
    (re.compile(r"^((fatal|error|warning|critical|exception|main)\b[: ]*)+", re.IGNORECASE), ""),
    (re.compile(r"^\[<n>\]: "), ""),
    (re.compile(r"(<\w+>)([\s,;:/.-]*\1)+"), r"\1"),
    (re.compile(r"\s+"), " "),
]


def masked(text: str) -> str:
    """The text without what differs each time: ids, paths, addresses, times, quoted names, numbers; lower case."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text.strip(" .:;,").lower()


def kind_of(message: str) -> str:
    """The kind of failure that the message tells; empty where no kind is recognised."""
    return next((kind for kind, pattern in _KINDS if pattern.search(message)), "")


def signature_of(message: str) -> str:
    """The kind of failure, or else the first line that says something, masked; empty for an empty message."""
    if kind := kind_of(message):
        return kind
    lines = (masked(line) for line in message.splitlines())
    return next((line for line in lines if len(line.replace("<", "").replace(">", "")) > 3), "")[:LONGEST]


def reason_of(*, cause: str, message: str) -> str:
    """Why it failed: the kind that the message tells, else the recognised cause, else the message, masked; empty where none says it."""
    if not cause:
        return signature_of(message)
    return kind_of(message) or OF_RULES.get(cause, cause) if cause in _SHIPPED else cause


_SHIPPED = {*OF_RULES, *WORDS}


def words_of(signature: str) -> str:
    """A signature of an incident in words: its kind of failure where one is known."""
    head, _, rest = signature.partition(": ")
    told = rest if rest and head in CLASSES else signature  # as signatures began before one reason had one
    if words := WORDS.get(OF_RULES.get(told, told)) or CLASSES.get(told):
        return words
    return told[:1].upper() + (told[1:].replace("_", " ").replace("-", " ") if _NAME.fullmatch(told) else told[1:])


_NAME = re.compile(r"[\w-]+")  # of a cause rule, rather than a message
