"""The typefaces are made once, from the installed packages, with their licences beside them."""

import pytest

from itsm_backup.portal import fonts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fonts.ensure_fonts(tmp_path_factory.mktemp("data") / "fonts")


def test_it_makes_every_face_as_a_small_woff2(folder):
    for name, _, _ in fonts.FACES:
        content = (folder / f"{name}.woff2").read_bytes()
        assert content[:4] == b"wOF2"
        assert len(content) < 40_000


def test_it_puts_the_licence_texts_beside_them(folder):
    for licence in ("font-source-sans-pro-licence.txt", "font-source-serif-pro-licence.txt"):
        assert "SIL OPEN FONT LICENSE" in (folder / licence).read_text()


def test_it_holds_the_signs_our_sentences_use_and_nothing_exotic(folder):
    from fontTools.ttLib import TTFont

    held = TTFont(folder / "source-sans-600.woff2").getBestCmap()
    assert {ord(sign) for sign in "Aéß€–—−≤→×…"} <= set(held)
    assert ord("Ж") not in held


def test_it_does_nothing_the_second_time_and_mends_what_is_missing(folder):
    kept, lost = folder / "source-sans-400.woff2", folder / "source-serif-600.woff2"
    before = kept.stat().st_mtime_ns
    lost.unlink()
    fonts.ensure_fonts(folder)
    assert kept.stat().st_mtime_ns == before
    assert lost.exists()
    assert not list(folder.glob(".*")), "drafts are left behind"


def test_it_names_the_package_that_is_not_installed():
    with pytest.raises(RuntimeError, match="font-of-nobody is not installed"):
        fonts._files_of("font_of_nobody")
