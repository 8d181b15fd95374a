"""What a reader does with a report: sorts, searches, filters, saves, points at cells and genes."""

import json
from typing import TYPE_CHECKING

from tests.browser.pages import overflow

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CARD = (
    *("question", "verdict", "n-reference", "n-test", "effect", "interval", "p", "p-permutation"),
    *("adjustment", "influence", "caveat", "failed-samples"),
)
UNIT = 10_000  # of the positions of named points
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(20, 25, 29)"


def read_card(page: "Page") -> None:
    """Find every field of the first card on the first screen or just below it."""
    for name in CARD:
        field = page.locator(f".primary [data-field={name}]").first
        assert field.inner_text().strip(), name
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"


def use_tables(page: "Page") -> None:
    """Sort, search, filter, widen, copy and save the largest table that has a filter."""
    table = page.locator(".table:has(select):has(button[data-action=more])").first
    table.scroll_into_view_if_needed()
    rows = table.locator("tbody tr:visible")
    everything = table.locator(".count").inner_text()

    head = table.locator("th").nth(1)
    for direction in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction

    search = table.locator("input[type=search]")
    search.fill("no row has these words")
    assert rows.count() == 0
    assert table.locator(".count").inner_text().startswith("0 of")
    search.fill("")

    choice = table.locator("select").first
    choice.select_option(index=1)
    assert rows.count() > 0
    assert table.locator(".count").inner_text() != ""
    choice.select_option(index=0)
    assert table.locator(".count").inner_text() == everything

    columns = table.locator("th:visible").count()
    table.locator("button[data-action=more]").click()
    assert table.locator("th:visible").count() > columns
    assert overflow(page) <= 0
    table.locator("button[data-action=more]").click()

    choice.select_option(index=1)
    with page.expect_download() as saving:
        table.locator("button[data-action=download]").click()
    assert saving.value.suggested_filename.endswith(".tsv")
    lines = saving.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == rows.count() + 1
    assert {line.count("\t") for line in lines} == {columns - 1}
    table.locator("button[data-action=copy]").click()
    page.keyboard.press("Escape")
    table.locator("button[data-action=copy]:has-text('opied')").wait_for()  # copying takes a moment

    long = page.locator(".table:has(button[data-action=all])").first
    few = long.locator("tbody tr:visible").count()
    long.locator("button[data-action=all]").click()
    assert long.locator("tbody tr:visible").count() > few


def point_at_figure(page: "Page") -> None:
    """Point at a named point of a figure, enlarge the figure, and close it."""
    figure = page.locator("figure:has([data-points])").first
    image = figure.locator("img")
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    assert box is not None
    x, y, name = json.loads(str(figure.locator("[data-points]").get_attribute("data-points")))[0]
    image.hover(position={"x": x / UNIT * box["width"], "y": y / UNIT * box["height"]})
    assert name in figure.locator(".tooltip").inner_text()
    image.click(position={"x": 3, "y": 3})
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0


def color_cells(page: "Page") -> None:
    """Color the map of the cells by each choice, and point at a cell."""
    part = page.locator("#cell-map")
    canvas, choice = part.locator("canvas"), part.locator("select[name=color]")
    canvas.scroll_into_view_if_needed()
    seen = set()
    values = choice.locator("option").evaluate_all("options => options.map(each => each.value)")
    for value in values[:12]:
        choice.select_option(value)
        page.wait_for_timeout(50)
        seen.add(canvas.evaluate("canvas => canvas.toDataURL()"))
    assert len(seen) > 5
    assert _something_named(page, canvas, part.locator("output"))


def explore_genes(page: "Page") -> None:
    """Search the volcano plot for genes that are there and one that is not."""
    part = page.locator("details.explorer").first
    part.locator("summary").click()
    output, search = part.locator("output"), part.locator("input[type=search]")
    part.locator("select").select_option(index=1)
    for gene in ("CD68", "CD14"):
        search.fill(gene)
        assert gene in output.inner_text()
    search.fill("NOSUCHGENE")
    assert "NOSUCHGENE" in output.inner_text()
    search.fill("")
    assert _something_named(page, part.locator("canvas"), output)


def choose_colors(page: "Page") -> None:
    """Switch to dark colors by the button; the choice outlives a reload."""
    button = page.locator("#colors")
    for name, color in (("light", LIGHT), ("dark", DARK)):
        button.click()
        assert button.inner_text() == f"Colors: {name}"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == color
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == DARK


def use_contents(page: "Page") -> None:
    """On a phone, open the contents, and go to a section."""
    contents = page.locator("nav .contents")
    link = contents.get_by_role("link", name="Cell types")
    assert not link.is_visible()
    contents.locator("summary").click()
    link.click()
    assert not link.is_visible()
    page.wait_for_function(
        "Math.abs(document.querySelector('#types').getBoundingClientRect().top) < 200"
    )


def _something_named(page: "Page", canvas: "Locator", output: "Locator") -> bool:
    """Move over a canvas until what is there is named."""
    canvas.scroll_into_view_if_needed()
    box, before = canvas.bounding_box(), output.inner_text()
    assert box is not None
    for row in range(1, 12):
        for column in range(1, 24):
            x, y = box["x"] + column / 24 * box["width"], box["y"] + row / 12 * box["height"]
            page.mouse.move(x, y)
            if output.inner_text() not in ("", before):
                return True
    return False
