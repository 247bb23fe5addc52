"""The product's own typefaces, so that pages and PDFs look alike on every machine: Latin WOFF2 subsets, made once at set-up."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
from pathlib import Path

# (name of our file without suffix, package, file in the package)
FACES = (
    ("source-sans-400", "font_source_sans_pro", "SourceSansPro-Regular.ttf"),
    ("source-sans-400-italic", "font_source_sans_pro", "SourceSansPro-It.ttf"),
    ("source-sans-600", "font_source_sans_pro", "SourceSansPro-Semibold.ttf"),
    ("source-serif-600", "font_source_serif_pro", "SourceSerifPro-Semibold.ttf"),
)
# Latin with its European extensions, punctuation, currency, arrows, mathematical signs that sentences and figures use.
RANGES = ((0x20, 0x7E), (0xA0, 0x17F), (0x192, 0x192), (0x218, 0x21B), (0x2C6, 0x2DD), (0x2010, 0x2027), (0x202F, 0x203A))
SIGNS = (0x2044, 0x20AC, 0x2113, 0x2122, 0x2190, 0x2191, 0x2192, 0x2193, 0x2212, 0x2248, 0x2260, 0x2264, 0x2265, 0xFB01, 0xFB02)


def ensure_fonts(folder: Path) -> Path:
    """The folder, holding every typeface as WOFF2 and the licence texts; makes what is missing (about 3 s the first time).

    Safe to call at every start and from two processes at once. Raises RuntimeError, naming the package, when a font package
    is not installed; OSError when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, package, source in FACES:
        target = folder / f"{name}.woff2"
        licence = folder / f"{package.replace('_', '-')}-licence.txt"
        if not licence.exists():
            _put(licence, shutil.copyfile, _files_of(package) / "LICENSE.txt")
        if not target.exists():
            _put(target, _subset, _files_of(package) / source)
    return folder


def _files_of(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise RuntimeError(f"The Python package {package.replace('_', '-')} is not installed; install requirements.txt.")
    return Path(found.origin).parent / "files"


def _put(target: Path, make, source: Path) -> None:
    """Make the target beside its place and rename it, so that no reader ever meets half a file."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    make(source, draft)
    draft.replace(target)


def _subset(source: Path, target: Path) -> None:
    from fontTools import subset  # heavy, and needed only the first time

    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options(flavor="woff2", layout_features=["kern", "liga", "locl", "mark", "ccmp", "tnum", "lnum"], hinting=False)
    with subset.load_font(str(source), options) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=[*SIGNS, *(code for first, last in RANGES for code in range(first, last + 1))])
        subsetter.subset(font)
        subset.save_font(font, str(target), options)
