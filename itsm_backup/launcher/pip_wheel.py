"""Which pip fills the environment. A bare python3 has neither pip nor ensurepip: then its wheel comes from the package index."""

from __future__ import annotations

import base64
import configparser
import hashlib
import importlib.util
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

from itsm_backup.launcher.trouble import Trouble, say

DEFAULT_INDEX = "https://pypi.org/simple"
WHEEL_NAME = re.compile(r"^pip-(\d+(?:\.\d+)*)-py3-none-any\.whl$")
SHIPPED_WITH_SYSTEM = (Path("/usr/share/python-wheels"), Path("/usr/share/python3-wheels"))
HOW_TO_GET_PIP = "Install pip (Debian: apt-get install python3-pip; Fedora: dnf install python3-pip), then start again."


def command(environment: Path) -> list[str]:
    """How to call a pip that installs into the environment: the interpreter's own, a wheel on this machine, or one from the index."""
    python = str(environment / "bin/python")
    own = [sys.executable, "-m", "pip", "--python", python]
    if importlib.util.find_spec("pip") and subprocess.run([*own, "--version"], capture_output=True, check=False).returncode == 0:
        return own  # pip 22.3 and later know --python
    wheel = _on_this_machine() or fetch(environment)
    return [python, str(wheel / "pip")]


def _on_this_machine() -> Path | None:
    bundled = importlib.util.find_spec("ensurepip")
    folders = [*SHIPPED_WITH_SYSTEM, *(Path(place) / "_bundled" for place in (bundled.submodule_search_locations or [] if bundled else []))]
    folders += [Path(place) for place in _setting("find-links").split() if "://" not in place]
    wheels = [wheel for folder in folders if folder.is_dir() for wheel in folder.iterdir() if WHEEL_NAME.match(wheel.name)]
    return max(wheels, key=lambda wheel: _version(wheel.name), default=None)


def fetch(environment: Path) -> Path:
    """The newest wheel of pip that the configured index has for this Python, checked against the digest the index names."""
    index = (_setting("index-url") or DEFAULT_INDEX).rstrip("/") + "/pip/"
    say(f"This Python has no pip: fetching it from {urllib.parse.urlsplit(index).hostname} …")
    try:
        address = _newest(_open(index).decode(errors="replace"), index)
        content = _open(address.split("#")[0])
    except (OSError, ValueError) as error:
        raise Trouble(f"This Python has no pip, and it could not be fetched from {_shown(index)}: {error}.\n{HOW_TO_GET_PIP}") from None
    expected = re.search(r"#sha256=([0-9a-f]{64})", address)
    if expected and hashlib.sha256(content).hexdigest() != expected[1]:
        raise Trouble(f"The pip that came from {_shown(index)} is not the one the index announced; it was not used.\n{HOW_TO_GET_PIP}")
    target = environment / Path(urllib.parse.unquote(urllib.parse.urlsplit(address).path)).name
    target.write_bytes(content)
    return target


def _newest(page: str, index: str) -> str:
    links = _Links()
    links.feed(page)
    usable = [(_version(name), urllib.parse.urljoin(index, link)) for link in links.usable if WHEEL_NAME.match(name := _file_name(link))]
    if not usable:
        raise ValueError("it lists no wheel of pip for this Python")
    return max(usable)[1]


def _file_name(link: str) -> str:
    return Path(urllib.parse.unquote(urllib.parse.urlsplit(link).path)).name


def _version(name: str) -> tuple[int, ...]:
    found = WHEEL_NAME.match(name)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


class _Links(HTMLParser):
    """The links of an index page that are not withdrawn and allow this Python."""

    def __init__(self) -> None:
        super().__init__()
        self.usable: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if tag == "a" and facts.get("href") and "data-yanked" not in facts and _allows(facts.get("data-requires-python") or ""):
            self.usable.append(str(facts["href"]))


def _allows(requirement: str) -> bool:
    least = re.findall(r">=\s*(\d+)\.(\d+)", requirement)
    return all(sys.version_info[:2] >= (int(major), int(minor)) for major, minor in least)


def _open(address: str) -> bytes:
    parts = urllib.parse.urlsplit(address)
    headers = {"Accept": "text/html"}
    if parts.username:  # urllib does not take the credentials out of an address by itself
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    request = urllib.request.Request(parts.geturl(), headers=headers)  # noqa: S310 the person's own index, file:// included
    trusted = ssl.create_default_context(cafile=_setting("cert") or None)
    with urllib.request.urlopen(request, timeout=60, context=trusted) as answer:  # noqa: S310
        return bytes(answer.read())


def _shown(address: str) -> str:
    """The address without a password."""
    parts = urllib.parse.urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def settings_for_uv() -> dict[str, str]:
    """pip's indexes in uv's words, for those that are configured."""
    names = {"UV_DEFAULT_INDEX": "index-url", "UV_INDEX": "extra-index-url", "UV_FIND_LINKS": "find-links", "SSL_CERT_FILE": "cert"}
    between = {"UV_FIND_LINKS": ","}
    return {uv: between.get(uv, " ").join(_setting(pip).split()) for uv, pip in names.items() if _setting(pip)}


def _setting(name: str) -> str:
    """One of pip's settings: from the environment, else from its configuration files (the user's before the system's)."""
    direct = os.environ.get("PIP_" + name.replace("-", "_").upper())
    if direct:
        return direct
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for file in (
        os.environ.get("PIP_CONFIG_FILE"),
        home / "pip/pip.conf",
        Path.home() / ".pip/pip.conf",
        "/etc/xdg/pip/pip.conf",
        "/etc/pip.conf",
    ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file or [])
        except configparser.Error:
            continue
        for section in ("install", "global"):
            if parser.has_option(section, name):
                return parser.get(section, name)
    return ""
