"""``coarsefine explain``: what in a document speaks for its best label and against another."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.disk.paths import expanded
from hierarchy.errors import DataError
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_json, print_lines, print_table
from pipelines.cli.predict import ANSWERED, print_paths

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cli.commands import Work
    from pipelines.cli.documents import Source
    from pipelines.config import Data
    from pipelines.explaining.explanation import Explanation

NGRAMS_SHOWN = 10  # for the best label, and as many against it


@command('explain model letters.csv --row 7, or: explain model --text "My card ..."', columns=("text",))
def explain(
    work: "Work",
    model: options.ModelArgument,
    file: Annotated[str | None, typer.Argument(parser=expanded, help="Documents; --row names one of them.")] = None,
    row: Annotated[int | None, typer.Option(metavar="N", help="Row of the document, as predictions name it.")] = None,
    text: Annotated[str | None, typer.Option(help="One document, in place of a file and a row.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Label to compare with; by default the runner-up.")
    ] = None,
    top_k: options.TopOption = 3,
    split: options.SplitOption = None,
    routing: options.RoutingOption = None,
    beam: options.BeamOption = None,
    as_json: options.JsonOption = False,
    device: options.DeviceOption = None,
) -> None:
    """Say what in a document speaks for its best label, and what for another one."""
    from pipelines.cli.models import load_classifier

    if (text is None) == (file is None):
        raise DataError("give a file with documents and --row, or --text with one document, and not both")
    if (row is None) != (file is None):
        raise DataError("--row says which document of a file: name both, or neither beside --text")
    data = work.config.data
    if file is not None and row is not None:
        text = _document((file, split or data.test_split), row, data)
    assert text is not None  # noqa: S101 - one of the two was given; this tells the type checker
    classifier = load_classifier(model, device=device, routing=routing, beam=beam)
    explanation = classifier.explain(text, against=against, top_k=top_k)
    if as_json:
        print_json(explanation.as_dict())
    else:
        _print(explanation, text, classifier.taxonomy_)


def _document(source: "Source", row: int, data: "Data") -> str:
    from pipelines.cli.documents import read_table, where_of

    documents = read_table(source, data, label=None)
    rows = documents["row"][:]
    if row not in rows:
        there = f"the rows go from {rows[0]} to {rows[-1]}"
        raise DataError(f"there is no document in row {row}: {there}", where_of(source))
    return str(documents[rows.index(row)]["text"])


def _print(explanation: "Explanation", text: str, taxonomy: "Taxonomy") -> None:
    from hierarchy.text.wording import shortened

    label = taxonomy.label_named
    print_paths("Paths", explanation.paths, taxonomy, ("probability",))
    if explanation.paths[0].reason == "nothing_known":
        print_lines(ANSWERED["none", "nothing_known"])
    best, other = label(explanation.label), label(explanation.against)
    print_table(
        f"{best} against {other}: score difference {explanation.margin:+.3f}",
        ("part", "score", "divided"),
        [(part.name, f"{part.value:+.3f}", part.method) for part in explanation.parts if part.value],
    )
    print_table(
        "Units, in the order of the text",
        ("beginning", "characters", "share", "neural", "n-grams", "attention"),
        [
            (
                shortened(" ".join(text[u.start : u.end].split())),
                f"{u.start}-{u.end}",
                *(f"{figure:+.3f}" for figure in (u.share, u.neural, u.ngrams)),
                f"{u.attention:.2f}",
            )
            for u in explanation.units
        ],
    )
    print_table("N-grams with the largest shares", ("n-gram", "share", "characters"), list(_ngram_rows(explanation)))
    neighbours = [(label(n.label), n.row, f"{n.cosine:.3f}") for n in explanation.neighbours]
    print_table("Nearest training documents", ("label", "document", "cosine"), neighbours)


def _ngram_rows(explanation: "Explanation") -> Iterator[tuple[str, str, str]]:
    for sign in (1, -1):
        strongest = [ngram for ngram in explanation.ngrams if sign * ngram.share > 0][:NGRAMS_SHOWN]
        for ngram in strongest:
            start, end = ngram.spans[0]
            more = f" and {len(ngram.spans) - 1} more" if len(ngram.spans) > 1 else ""
            yield ngram.ngram, f"{ngram.share:+.3f}", f"{start}-{end}{more}"
