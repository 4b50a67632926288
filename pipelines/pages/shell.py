"""What every page of the project stands in: style, plotting library, shared scripts, and pieces of HTML."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from hierarchy.errors import MissingLibraryError

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
    try:
        import bokeh.embed
        import bokeh.resources  # noqa: F401
    except ImportError:
        raise MissingLibraryError(
            "the picture is drawn by Bokeh, which is not installed; install it with: pip install bokeh"
        ) from None


def embedded(figures: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Turn Bokeh figures into one script and, by name, the HTML of the places where they appear."""
    from bokeh.embed import components

    script, places = components(dict(figures))
    return script, places


def fill_page(folder: Path, *, title: str, figures: Iterable[tuple[str, str]], plots: str, **parts: str) -> str:
    """Put a page into its shell: the shared style and scripts, the plotting library, and what the page adds.

    Parameters
    ----------
    folder
        Of the page: ``page.html``, with a ``$name`` for each of `parts`, ``page.css`` and ``page.js``.
    title
        Of the page, as plain text.
    figures
        (name, value) of each figure of the headline.
    plots
        Script of the plots; see `embedded`.
    parts
        Pieces of HTML.
    """
    from bokeh.resources import Resources

    def read(path: Path) -> str:
        return path.read_text(encoding="utf-8")

    style = Template(read(FOLDER / "style.css")).substitute(shades=", ".join(SHADES))
    return Template(read(FOLDER / "shell.html")).substitute(
        title=escape(title),
        figures="".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in figures),
        style=style + read(folder / "page.css"),
        body=Template(read(folder / "page.html")).substitute(parts),
        library=Resources(mode="inline", components=["bokeh"]).render_js(),
        plots=plots,
        script=read(FOLDER / "drawing.js") + read(folder / "page.js"),
    )


def section(title: str, *parts: str, whole: bool = True) -> str:
    """Put parts under a heading, over the whole width of the page or half of it."""
    kind = ' class="whole"' if whole else ""
    return f"<section{kind}><h2>{title}</h2>{''.join(parts)}</section>"


def boxed_table(columns: Sequence[str], rows: Iterable[Sequence[str]], figures: int) -> str:
    """Draw an `html_table` that can be moved sideways where the screen is narrow."""
    return f'<div class="box">{html_table(columns, rows, figures)}</div>'


def html_table(columns: Sequence[str], rows: Iterable[Sequence[str]], figures: int = 1) -> str:
    """Draw a table whose cells are HTML already and whose last `figures` columns are numbers."""

    def line(tag: str, cells: Sequence[str]) -> str:
        kinds = [tag] * (len(cells) - figures) + [f'{tag} class="n"'] * figures
        return "<tr>" + "".join(f"<{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, cells, strict=True)) + "</tr>"

    head = line("th", [escape(column) for column in columns])
    return f"<table><thead>{head}</thead><tbody>{''.join(line('td', row) for row in rows)}</tbody></table>"
