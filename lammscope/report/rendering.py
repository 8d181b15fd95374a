"""Pages from the templates of the folder `template`, with their style and scripts in the file."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lammscope.core.words import readable

TEMPLATES = Path(__file__).parent / "template"
# In the order in which they are put into the page.
SCRIPTS = ("tables", "figures", "volcano", "navigation")


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
        `script`: the content of `style.css`, and that of all scripts.
    folder
        The templates, `style.css` and the folder `scripts`.
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
    environment.globals.update(functions or {})
    return environment.get_template(f"{name}.html.jinja").render(
        style=_source(folder / "style.css"),
        script=Markup("").join(_source(folder / "scripts" / f"{part}.js") for part in SCRIPTS),
        **context,
    )


def unquote(text: str) -> str:
    """Replace backticks by quotation marks, and the space in `5 %` by a no-break space."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", re.sub(r"`([^`]+)`", r"“\1”", text))


def _source(path: Path) -> Markup:
    """Return our own style or script as it is."""
    return Markup(path.read_text(encoding="utf-8"))
