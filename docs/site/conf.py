"""Settings of Sphinx: Markdown in, pages that need no network out, equations as MathML."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

from ostinato._version import __version__

project = "Ostinato"
release = __version__
extensions = ["myst_parser"]
exclude_patterns = [".doctrees"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {
    "description": "Write the equations; get the network.",
    "page_width": "1080px",
    "show_powered_by": False,
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"


def setup(app):
    """Register the writer of equations."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))


def as_mathml(latex: str) -> str:
    """Return a block of LaTeX as MathML."""
    # `split` is `aligned` under the name that latex2mathml knows
    return convert(latex.replace("{aligned}", "{split}"), display="block")


def _inline(writer, node):
    writer.body.append(convert(node.astext()))
    raise SkipNode


def _block(writer, node):
    writer.body.append(f'<div class="math">{as_mathml(node.astext())}</div>')
    raise SkipNode
