"""What every page of the project stands in: style, plotting library, shared scripts; pages are templates of Jinja."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from hierarchy.errors import need
from pipelines.pages.words import WORDS

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent
# From fine to bad; ever darker, so that it can be read without telling the colours apart.
SHADES = ("#e9edf2", "#fbd9b4", "#f3a266", "#d65f33", "#8f2415")


def check_bokeh() -> None:
    """Refuse to draw without the library that draws.

    Raises
    ------
    MissingLibraryError
        Where Bokeh is not installed.
    """
    need("bokeh", what="the picture is drawn by Bokeh")


def fill_page(
    folder: str, *, title: str, figures: Iterable[tuple[str, ...]], drawn: Mapping[str, Any], **values: Any
) -> str:
    """Put a page into its shell: the shared style and scripts, the plotting library, and what the page adds.

    Parameters
    ----------
    folder
        Of the page: ``page.html``, a template of Jinja, ``page.css``, and scripts that end in ``.js``.
    title
        Of the page, as plain text.
    figures
        (name, value) of each figure of the headline, perhaps with what it means.
    drawn
        Bokeh figures by name; the template has the HTML of each as ``places``.
    values
        What the template reads besides.
    """
    from bokeh.embed import components
    from bokeh.resources import Resources

    def read(path: str) -> str:
        return (FOLDER / path).read_text(encoding="utf-8")

    scripts = sorted(str(path.relative_to(FOLDER)) for path in (FOLDER / folder).glob("*.js"))
    plots, places = components(dict(drawn))
    style = Template(read("style.css")).substitute(shades=", ".join(SHADES))
    return fill(
        "shell.html",
        page=f"{folder}/page.html",
        title=title,
        figures=[(*figure, "")[:3] for figure in figures],
        style=style + read(f"{folder}/page.css"),
        library=Resources(mode="inline", components=["bokeh"]).render_js(),
        plots=plots,
        places=places,
        script="".join(map(read, ("drawing.js", *scripts))),
        **values,
    )


def fill(template: str, **values: Any) -> str:
    """Fill a template of this folder: texts are escaped."""
    return _templates().get_template(template).render(values)


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters |= WORDS
    templates.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return templates
