"""The report in Chromium, as a reader sees it: on screens, by keyboard and mouse, and on paper."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

REQUIRED = "LAMMSCOPE_BROWSER"  # environment variable; if set, a missing browser is a failure
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# In most containers the sandbox does not start and shared memory is small; the pages are our own.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]
LOCAL = ("file:", "data:", "blob:")
DESKTOP, PHONE = 1400, 390
PAPER = {"A4": 703, "Letter": 725}  # pixels between the margins
SERIOUS = ("serious", "critical")
# Rows of a table are alike, and there may be hundreds.
FEW_ROWS = "document.querySelectorAll('tbody tr:nth-child(n+4)').forEach(row => row.remove())"

# Pictures and canvases in sight that show nothing.
BLANK = """() => {
  const inSight = part => part.checkVisibility();
  const isBlank = canvas => {
    const empty = document.createElement("canvas");
    Object.assign(empty, { width: canvas.width, height: canvas.height });
    return canvas.toDataURL() === empty.toDataURL();
  };
  return [
    ...[...document.images].filter(image => !image.naturalWidth),
    ...[...document.querySelectorAll("canvas")].filter(inSight).filter(isBlank),
  ].map(part => part.outerHTML.slice(0, 200));
}"""
# Tables that are wider than the paper, and numbers that are broken over lines.
BROKEN = """() => {
  const lines = cell => {
    const range = document.createRange();
    range.selectNodeContents(cell.firstChild);
    return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size;
  };
  const isBroken = cell => cell.checkVisibility() && cell.firstChild && lines(cell) > 1;
  const edge = document.querySelector("main").getBoundingClientRect().right + 1;
  const all = [...document.querySelectorAll("table.data")];
  const tables = all.filter(table => table.checkVisibility());
  return [
    ...tables.filter(table => table.getBoundingClientRect().right > edge).map(table => "wide: "
      + (table.closest("[aria-label]")?.ariaLabel ?? "") + table.tHead.innerText),
    ...tables.flatMap(table => [...table.querySelectorAll("td:not(.left)")].filter(isBroken))
      .map(cell => "broken: " + cell.textContent),
  ];
}"""


@contextmanager
def open_browser() -> Iterator["Browser"]:
    """Start Chromium: that of the system, else Playwright's own. Without either, skip the test."""
    if importlib.util.find_spec("playwright") is None:
        _no_browser("Playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        program = next(filter(None, map(shutil.which, PROGRAMS)), own)
        if not Path(program).exists():
            _no_browser("there is no Chromium (`playwright install chromium` gets one)")
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def _no_browser(reason: str) -> None:
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def open_page(
    browser: "Browser", report: Path, *, width: int = DESKTOP, scheme: Any = "light"
) -> Iterator["Page"]:
    """Open a report without a network. Errors, and requests beyond the file, fail at the end."""
    problems: list[str] = []

    def refuse(dialog: "Dialog") -> None:
        problems.append(dialog.message)
        dialog.dismiss()

    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda line: problems.append(line.text) if line.type in ("error", "warning") else None,
    )
    page.on("dialog", refuse)
    page.on(
        "request",
        lambda sent: None if sent.url.startswith(LOCAL) else problems.append(sent.url),
    )
    page.goto(report.as_uri())
    try:
        yield page
    finally:
        context.close()
    assert problems == []


def check_report(
    browser: "Browser", report: Path, *, most_pages: int, first: str = "primary result"
) -> None:
    """Check what holds for each report, whatever is in it; `first` is printed on its first page."""
    for scheme in ("light", "dark"):
        with open_page(browser, report, scheme=scheme) as page:
            assert page.locator("html").get_attribute("data-theme") == scheme
            assert page.locator("figure img").count() > 0
            assert blank(page) == []
            assert overflow(page) <= 0
            assert violations(page, only_colors=scheme == "dark") == []
    with open_page(browser, report, width=PHONE) as page:
        assert blank(page) == []
        assert overflow(page) <= 0
    with open_page(browser, report) as page:
        check_paper(page, report.with_suffix(".pdf"), most_pages=most_pages, first=first)


def check_paper(page: "Page", path: Path, *, most_pages: int, first: str) -> None:
    """Print a page: the card stands alone, pages are numbered, and no table is broken."""
    from pypdfium2 import PdfDocument

    for paper, width in PAPER.items():
        page.pdf(path=path, format=paper)
        with PdfDocument(path) as printed:
            texts = [sheet.get_textpage().get_text_range() for sheet in printed]
        assert len(texts) <= most_pages
        assert first in texts[0].lower()
        assert "Responders:" not in texts[0]  # of the section on the cohort
        assert all(f"{number} / {len(texts)}" in text for number, text in enumerate(texts, start=1))
        page.emulate_media(media="print")
        page.set_viewport_size({"width": width, "height": 1000})
        assert page.evaluate(BROKEN) == []


def blank(page: "Page") -> list[str]:
    """Return the pictures that show nothing, after the time that scripts need to draw."""
    found: list[str] = []
    for _ in range(50):
        found = page.evaluate(BLANK)
        if not found:
            break
        page.wait_for_timeout(100)
    return found


def overflow(page: "Page") -> int:
    """Return the pixels by which a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def violations(page: "Page", *, only_colors: bool = False) -> list[str]:
    """Return what axe-core finds that keeps readers out. Most rows of tables are removed for it."""
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(FEW_ROWS)
    options: dict[str, object] = {"resultTypes": ["violations"]}
    if only_colors:
        options["runOnly"] = {"type": "rule", "values": ["color-contrast"]}
    found = Axe().run(page, options=options)
    return [
        f"{rule['id']}: {part['html'][:200]}"
        for rule in found.response["violations"]
        if rule["impact"] in SERIOUS
        for part in rule["nodes"]
    ]
