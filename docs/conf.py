"""Sphinx configuration."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from flask_corsguard import __version__

sys.path.insert(0, str(Path(__file__).with_name("_ext")))
pyproject = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))

project = "Flask-CorsGuard"
author = "The Flask-CorsGuard developers"
copyright = f"2025, {author}"  # noqa: A001
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "dead_links",
    "entries",
    "exchanges",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# Builds without the network, so names of other projects are not looked up.
nitpick_ignore_regex = [("py:.*", r"(flask|blinker|werkzeug|collections|re|typing)(\..*)?")]

myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"

# The addresses of ours that pages write out, for dead_links.
project_urls = pyproject["project"]["urls"]

# A button copies what you type, without the prompts and without what is printed. Blocks of nothing
# but output have none.
copybutton_prompt_text = r">>> |\.\.\.(?: |$)|\$ "
copybutton_prompt_is_regexp = True
copybutton_copy_empty_lines = False
copybutton_line_continuation_character = "\\"
copybutton_here_doc_delimiter = "EOF"
copybutton_selector = "div:not(.highlight-text, .highlight-none) > div.highlight > pre"

# What was sent and received is shown unchanged, and so is what the guard says about it.
smartquotes = False

html_theme = "furo"
html_theme_options = {
    "source_repository": project_urls["Source"],
    "source_branch": "main",
    "source_directory": "docs/",
}
html_static_path = ["_static"]
html_css_files = ["wrap.css"]
html_js_files = ["search.js"]
html_title = f"Flask-CorsGuard {release}"
html_copy_source = False
html_show_sourcelink = False
