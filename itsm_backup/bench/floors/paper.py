"""A plain document of ten pages, laid out: the same was measured on the machine where the peers ran, so it relates the two."""

from __future__ import annotations

import time

THERE_MS = 1_280.0  # ten pages, one table, automatic layout, the best of three
ROWS_A_PAGE = 45
STYLE = """@page { size: A4; margin: 18mm; @bottom-right { content: counter(page) " / " counter(pages) } }
body { font: 9pt "DejaVu Sans", sans-serif } table { width: 100%; border-collapse: collapse }
td, th { border-bottom: .5pt solid #ccc; padding: 2pt 4pt }"""


def document(pages: int) -> str:
    """One table that fills so many pages."""
    rows = "".join(
        f"<tr><td>service {n}</td><td>{n % 7} runs</td><td>99.{n % 100:02} %</td><td>{n % 24} h</td><td>met</td></tr>"
        for n in range(ROWS_A_PAGE * pages)
    )
    head = "<thead><tr><th>Service</th><th>Runs</th><th>Success</th><th>Exposure</th><th>State</th></tr></thead>"
    table = f"<table>{head}<tbody>{rows}</tbody></table>"
    return f"<!doctype html><html lang=en><title>Report</title><style>{STYLE}</style><h1>Report</h1>{table}"


def laid_out(pages: int) -> tuple[int, float]:
    """How many pages it became and how many seconds that took."""
    import weasyprint

    began = time.perf_counter()
    found = weasyprint.HTML(string=document(pages)).render()
    found.write_pdf()
    return len(found.pages), time.perf_counter() - began


def took_ms() -> float:
    return laid_out(10)[1] * 1000
