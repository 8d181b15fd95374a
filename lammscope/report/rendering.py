"""Pages from the templates of the folder `template`, with their style and scripts in the file."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lammscope.core.words import readable

TEMPLATES = Path(__file__).parent / "template"
# In the order in which they are put into the page.
STYLES = ("base", "card", "tables", "figures", "media")
SCRIPTS = ("packed", "tables", "figures", "cells", "volcano", "navigation", "copy")


def render_page(
    name: str,
    *,
    folder: str | Path = TEMPLATES,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    **context: Any,
) -> str:
    """Return a page as HTML.

    Parameters
    ----------
    name
        Name of its template, without `.html.jinja`. The template has the variables `style` and
        `script`: the content of all style sheets, and of all scripts.
    folder
        The templates, and the folders `styles` and `scripts`.
    functions
        Functions that templates and their macros call, by name.
    context
        The other variables of the template. Text in them is escaped.

    Raises
    ------
    jinja2.UndefinedError
        If the template reads a variable that there is not.
    """
    folder = Path(folder)
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["readable"] = readable
    environment.filters["unquote"] = unquote
    environment.filters["css_string"] = css_string
    environment.globals.update(functions or {})
    return environment.get_template(f"{name}.html.jinja").render(
        style=_sources(folder / "styles", STYLES, suffix=".css"),
        script=_sources(folder / "scripts", SCRIPTS, suffix=".js"),
        **context,
    )


def unquote(text: str) -> str:
    """Replace backticks by quotation marks, and the space in `5 %` by a no-break space."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", re.sub(r"`([^`]+)`", r"“\1”", text))


def css_string(text: str) -> str:
    """Return the content of a string in a style sheet; only letters and digits stay as they are."""
    return "".join(letter if letter.isalnum() else f"\\{ord(letter):x} " for letter in text)


def _sources(folder: Path, names: Iterable[str], *, suffix: str) -> Markup:
    """Return our own style sheets or scripts as they are."""
    texts = ((folder / f"{name}{suffix}").read_text(encoding="utf-8") for name in names)
    return Markup("").join(map(Markup, texts))
