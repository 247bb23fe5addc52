"""PDFs from HTML: tagged (PDF/UA-1), with files attached, the same bytes from the same input; or a sentence that says why there are none.

WeasyPrint is heavy and needs Pango from the machine, so it is imported only where a PDF is made.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import hashlib
import os
import threading
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from django.conf import settings

# The libraries without which WeasyPrint cannot be imported, under the names it tries on Linux and macOS.
LIBRARIES = {
    "Pango": ("libpango-1.0-0", "pango-1.0", "libpango-1.0.so.0", "libpango-1.0.dylib"),
    "PangoFT2": ("libpangoft2-1.0-0", "pangoft2-1.0", "libpangoft2-1.0.so.0", "libpangoft2-1.0.dylib"),
    "HarfBuzz": ("libharfbuzz-0", "harfbuzz", "libharfbuzz.so.0", "libharfbuzz.0.dylib"),
    "Fontconfig": ("libfontconfig-1", "fontconfig", "libfontconfig.so.1", "libfontconfig.1.dylib"),
}
FACES = (
    ("Source Sans Pro", 400, "normal", "source-sans-400.woff2"),
    ("Source Sans Pro", 400, "italic", "source-sans-400-italic.woff2"),
    ("Source Sans Pro", 600, "normal", "source-sans-600.woff2"),
    ("Source Serif Pro", 600, "normal", "source-serif-600.woff2"),
)
_one_at_a_time = threading.Lock()  # Pango's font maps are not made for two threads


class PdfOff(Exception):
    """PDFs cannot be made on this machine; the message says why and what to do."""


def why_off() -> str:
    """Why no PDF can be made here, as one sentence with its remedy; empty when they can be."""
    missing = libraries_missing()
    if missing:
        missing = _with_own_libraries(missing)
    if missing:
        lacking = f"{', '.join(missing[:-1])} and {missing[-1]}" if len(missing) > 1 else missing[0]
        return (
            f"PDF is off: {lacking} cannot be found on this machine{_why_not_fetched()}. Install libpango-1.0-0, libpangoft2-1.0-0 and "
            "libharfbuzz-subset0, then restart. HTML, CSV and JSON are made all the same."
        )
    if not all((Path(settings.FONTS_DIR) / file).exists() for *_, file in FACES):
        return (
            f"PDF is off: the typefaces are missing in {settings.FONTS_DIR}. Make them with: python3 manage.py first_start. "
            "HTML, CSV and JSON are made all the same."
        )
    return ""


def libraries_missing() -> list[str]:
    """Names of the libraries that cannot be opened in this process."""
    return [name for name, names in LIBRARIES.items() if not _opens(names)]


@cache
def _own_folder() -> Path:
    """Where `up` keeps the libraries that it fetched for a machine without them."""
    return Path(settings.DATA_DIR) / "pango"


def _with_own_libraries(missing: list[str]) -> list[str]:
    """What is still missing once the libraries that the first start fetched are loaded, each after those that it needs."""
    folder = _own_folder()
    left = sorted((folder / "lib").glob("*.so.*"))
    if not left:
        return missing
    if not Path("/etc/fonts/fonts.conf").exists():
        os.environ.setdefault("FONTCONFIG_PATH", str(folder / "fonts"))
    waiting = len(left) + 1
    while left and len(left) < waiting:
        waiting = len(left)
        left = [path for path in left if not _loaded(path)]
    return libraries_missing()


def _loaded(path: Path) -> bool:
    """Whether the library is in this process now: the machine's own when it has one, so that there are never two."""
    for name in (path.name, str(path)):
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return True
    return False


def _why_not_fetched() -> str:
    try:
        return f" and could not be fetched: {(_own_folder() / 'why-not').read_text().strip()}"
    except OSError:
        return ""


def _opens(names: Sequence[str]) -> bool:
    from cffi import FFI

    for name in names:
        try:
            FFI().dlopen(name)
        except OSError:
            continue
        return True
    return False


def maker() -> str:
    """What makes the bytes, with its version: other versions may lay out differently."""
    return f"WeasyPrint {version('weasyprint')}"


def write(html: str, *, at: dt.datetime, attachments: Sequence[tuple[str, bytes, str]] = ()) -> bytes:
    """The PDF of a whole HTML document; `attachments` are (file name, content, description), dated `at`.

    Equal input gives equal bytes, in any process. Raises PdfOff when this machine cannot make PDFs.
    """
    if why := why_off():
        raise PdfOff(why)
    try:
        import weasyprint
        from weasyprint.text.fonts import FontConfiguration
    except OSError as error:
        raise PdfOff(f"PDF is off: a library cannot be loaded ({error}). HTML, CSV and JSON are made all the same.") from error
    stamp = at.astimezone(dt.UTC).replace(tzinfo=None, microsecond=0)
    files = [
        weasyprint.Attachment(string=content, name=name, description=words, relationship="Data", created=stamp, modified=stamp)
        for name, content, words in attachments
    ]
    with _one_at_a_time:
        fonts = FontConfiguration()
        faces = weasyprint.CSS(string=_faces(), font_config=fonts)
        document = weasyprint.HTML(string=html, url_fetcher=_fetcher())
        return bytes(
            document.write_pdf(
                stylesheets=[faces],
                font_config=fonts,
                pdf_variant="pdf/ua-1",
                attachments=files,
                pdf_identifier=hashlib.sha256(html.encode()).digest()[:16],
            )
        )


def _faces() -> str:
    folder = Path(settings.FONTS_DIR).resolve()
    return "".join(
        f'@font-face{{font-family:"{family}";font-weight:{weight};font-style:{style};src:url("{(folder / file).as_uri()}")}}'
        for family, weight, style, file in FACES
    )


def _fetcher() -> object:
    """A report fetches nothing: only our own typefaces are read, whatever a name in the catalogue holds."""
    from weasyprint.urls import URLFetcher

    folder = Path(settings.FONTS_DIR).resolve()

    class OnlyFonts(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: object = None) -> object:
            if not url.startswith("file://") or Path(url.removeprefix("file://")).parent != folder:
                raise ValueError(f"A report loads nothing from outside: {url}")
            return super().fetch(url, headers)

    return OnlyFonts(allowed_protocols=["file"])
