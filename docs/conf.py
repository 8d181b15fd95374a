"""Settings of the documents' site: `make docs` builds it into `site/`.

The source folder is the repository, so that the links which work on GitHub work here, too.
Nothing is loaded from the network, neither to build the site nor to read it.
"""

from pathlib import Path

from sphinx.application import Sphinx

project = "LAMMscope"
author = "LAMMscope"
extensions = ["myst_parser", "sphinx_external_toc", "sphinx_copybutton"]
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/**.md",
    "config/README.md",
    "benchmarks/README.md",
    "resources/lamm/README.md",
    "tests/golden/README.md",
]
external_toc_path = "docs/toc.yml"
myst_heading_anchors = 4
myst_links_external_new_tab = True

html_theme = "sphinx_book_theme"
html_title = "LAMMscope"
html_context = {"default_mode": "auto"}
html_static_path = ["style"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_search_summary = False  # it would be fetched, which a browser refuses for local files
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        **{page: [] for page in ("config/README", "docs/files", "docs/comparison")},  # wide tables
    },
    "navbar_persistent": [],  # the search field is in the sidebar
    "use_download_button": False,
    "use_fullscreen_button": False,
}
pygments_style = "default"


def setup(app: Sphinx) -> None:
    """Let the site's folder open at the README."""
    app.connect("build-finished", write_index)


def write_index(app: Sphinx, _: Exception | None) -> None:
    """Write the page that leads to the first one."""
    text = '<!doctype html><meta http-equiv="refresh" content="0; url=README.html">\n'
    (Path(app.outdir) / "index.html").write_text(text)
