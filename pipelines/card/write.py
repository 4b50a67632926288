"""The model card: what the model is for, what it was trained on, how good it is and where it fails, how to repeat it.

The first page answers a product owner: what it does, how good, beside what, where not to trust it. What follows answers
an auditor: figures with intervals, documents with their fingerprints, the commands that make the model again. What it
says stands in its template of Jinja, `card.md`; here is what is put in.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from hierarchy.text.escaping import markdown, markdown_code, markdown_lines
from hierarchy.text.wording import count
from hierarchy.wrong_values import validated
from pipelines.card.figures import evaluated, key_figures
from pipelines.card.reproduction import expected_fingerprint, reproduction
from pipelines.config import CardFacts
from pipelines.evaluation.comparison import EvaluationReport
from pipelines.evaluation.report import markdown_table, span, with_span

if TYPE_CHECKING:
    from jinja2 import Environment

    from hierarchy.taxonomy import Taxonomy
    from pipelines.model.model import Model

FOLDER = Path(__file__).parent
SHOWN = 20  # names of a list, rows of a table
FEW = 5  # training documents below which a label counts as rare
DIGITS = 16  # of a fingerprint that a person compares; run.json has all 64
HUB_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


# How the template writes figures and names, and what is Markdown already.
PLAIN: dict[str, Callable[..., Any]] = {
    "count": count,
    "figure": "{:.4f}".format,
    "listed": _listed,
    "per_cent": "{:.0%}".format,
    "share": "{:.1%}".format,
    "short": "{:g}".format,
    "span": lambda ends: span(*ends),
    "with_span": with_span,
}
MARKDOWN: dict[str, Callable[[Any], str]] = {
    "block": "\n".join,
    "code": markdown_code,
    "paragraphs": lambda text: "\n".join(markdown_lines(text)),
    "table": lambda table: "\n".join(markdown_table(table)),
}


def with_facts(model: "Model", facts: Mapping[str, Any]) -> "Model":
    """Return the model with what only a person knows of it in its record.

    Raises
    ------
    ConfigError
        A key is unknown, or has a wrong value.
    """
    checked = validated(CardFacts, facts, where="card").model_dump(exclude_none=True)
    return replace(model, record={**model.record, "card": checked})


def model_card(model: "Model", metrics: Mapping[str, Any] | None) -> str:
    """Fill the card, `card.md`.

    Parameters
    ----------
    model
        The trained model.
    metrics
        A report as a dict, or None where the model was not evaluated.
    """
    record, tree = model.record, model.taxonomy
    facts = CardFacts.model_validate(record.get("card", {}))
    report = None if metrics is None else EvaluationReport.from_dict(metrics)
    return _templates(tree).get_template("card.md").render(
        model=model,
        settings=model.settings,
        tree=tree,
        promises=model.promises,
        record=record,
        facts=facts,
        hub_licence=facts.licence if facts.licence and HUB_LICENCE.fullmatch(facts.licence) else "other",
        languages=[facts.language] if isinstance(facts.language, str) else facts.language or [],
        key_figures=key_figures(report),
        **evaluated(report, model.promises),
        digits=DIGITS,
        **_labels(model),
        few=FEW,
        **_groups(model),
        refits=record.get("refits", []),
        expected=expected_fingerprint(record),
        reproduction=reproduction(model, metrics),
    )  # fmt: skip


def _templates(tree: "Taxonomy") -> "Environment":
    """Make the environment in which whatever a template prints is escaped for Markdown, but what its filters wrote."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, finalize=_escaped, undefined=StrictUndefined,
        trim_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    names = {
        "group_names": lambda ids: [tree.group_named(group) for group in ids],
        "label_names": lambda ids: [tree.label_named(label) for label in ids],
    }
    written = {name: partial(_written, write) for name, write in MARKDOWN.items()}
    templates.filters |= {**PLAIN, **names, **written}
    return templates


def _written(write: Callable[[Any], str], value: Any) -> Markup:
    return Markup(write(value))  # noqa: S704 - it has escaped what it was given


def _escaped(value: Any) -> Markup:
    return value if isinstance(value, Markup) else _written(markdown, str(value))


def _labels(model: "Model") -> dict[str, Any]:
    """Return what is said of the labels' documents: their median, rare labels, and those without any."""
    counts = model.train_counts
    order = np.argsort(counts, kind="stable")
    return {
        "median": f", median {np.median(counts):g}" if np.ptp(counts) else "",
        "rare": [f"{model.taxonomy.label_named(model.label_ids[i])} ({counts[i]})" for i in order if counts[i] < FEW],
        "silent": sorted(set(model.taxonomy.label_ids) - set(model.label_ids)),
    }


def _groups(model: "Model") -> dict[str, Any]:
    """Return what is said of the groups: how many were built, and name, labels and documents of the largest."""
    tree, n = model.taxonomy, len(model.group_ids)
    sizes = np.bincount(model.space.group_of, minlength=n)
    documents = np.bincount(model.space.group_of, weights=model.train_counts, minlength=n).astype(int)
    order = np.argsort(-documents, kind="stable")[:SHOWN]
    return {
        "built": sum(bool(group.built) for group in tree.groups),
        "groups": [(tree.group_named(model.group_ids[i]), sizes[i], documents[i]) for i in order],
        "smaller": n - len(order),
    }
