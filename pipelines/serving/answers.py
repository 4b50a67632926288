"""Answers as plain dictionaries, one a document: what the command prints, and what stands in a file of answers."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.model.model import Model
    from pipelines.model.sets import PredictionSet

NAMES = ("label", "label_name", "group", "group_name")
FIGURES = ("probability", "group_probability", "coarse_probability", "beam_mass")


def answers(
    model: "Model",
    texts: Sequence[str],
    *,
    top_k: int = 3,
    routing: str | None = None,
    beam: int | None = None,
    sets: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Answer documents.

    Parameters
    ----------
    model
        The trained model.
    texts
        The documents.
    top_k
        Paths listed for each at most.
    routing, beam
        As in the settings of the model where None.
    sets
        ``labels`` or ``tree`` adds the conformal set of each, see `pipelines.model.sets.sets_of`.

    Yields
    ------
    dict
        The best path with its names and figures, how far down it the document is answered, and all paths listed;
        what `answer_schema` names, but for ``row`` and ``id``.
    """
    from pipelines.model.prediction import paths_of
    from pipelines.model.sets import sets_of

    label_names = {label.id: label.name for label in model.taxonomy.labels}
    group_names = {group.id: group.name for group in model.taxonomy.groups}
    for block, routed in model.route_texts(texts, routing=routing, beam=beam):
        found: Iterable[PredictionSet | None] = repeat(None)
        if sets is not None:
            found = sets_of(model, routed, texts[block], sets)
        for paths, one in zip(paths_of(model, routed, top_k), found, strict=False):
            best = paths[0]
            group, label = best.path[0], best.path[-1]
            yield {
                **dict(zip(NAMES, (label, label_names[label], group, group_names[group]), strict=True)),
                **{name: _short(getattr(best, name)) for name in FIGURES},
                "level": best.level,
                "reason": best.reason,
                "read": best.read,
                "paths": [
                    {"group": p.path[0], "label": p.path[-1], "probability": _short(p.probability)} for p in paths
                ],
                **({} if one is None else {"set_level": one.level, "set": list(one.ids)}),
            }


def answer_schema(*, ids: bool, sets: bool, files: bool = False) -> "pa.Schema":
    """Return names and types of the columns of answers, with or without ``file``, ``id``, ``set_level`` and ``set``."""
    import pyarrow as pa

    path = pa.struct([("group", pa.string()), ("label", pa.string()), ("probability", pa.float64())])
    return pa.schema(
        [
            *([("file", pa.string())] if files else []),
            ("row", pa.int64()),
            *([("id", pa.string())] if ids else []),
            *((name, pa.string()) for name in NAMES),
            *((name, pa.float64()) for name in FIGURES),
            *((name, pa.string()) for name in ("level", "reason", "read")),
            ("paths", pa.list_(path)),
            *([("set_level", pa.string()), ("set", pa.list_(pa.string()))] if sets else []),
        ]
    )


def _short(value: float) -> float:
    return float(f"{value:.6g}")  # float32 holds no more
