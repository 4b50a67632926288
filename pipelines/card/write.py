"""The model card: what the model is for, what it was trained on, how good it is and where it fails, how to repeat it.

The first page answers a product owner: what it does, how good, beside what, where not to trust it. What follows answers
an auditor: figures with intervals, documents with their fingerprints, the commands that make the model again.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.text.escaping import markdown, markdown_code, markdown_lines
from hierarchy.wrong_values import validated
from pipelines.card.figures import figures, key_figures, where_it_fails
from pipelines.card.reproduction import reproduction
from pipelines.config import CardFacts
from pipelines.data.report import count
from pipelines.evaluation.comparison import EvaluationReport
from pipelines.evaluation.report import Table, markdown_table, span

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.model.model import Model

SHOWN = 20  # names of a list, rows of a table
FEW = 5  # training documents below which a label counts as rare
DIGITS = 16  # of a fingerprint that a person compares; run.json has all 64
HUB_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")
ROLES = {"train": "training", "valid": "validation", "calibration": "calibration", "test": "test"}


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
    """Write the card as Markdown.

    Parameters
    ----------
    model
        The trained model.
    metrics
        A report as a dict, or None where the model was not evaluated.
    """
    facts = CardFacts.model_validate(model.record.get("card", {}))
    report = None if metrics is None else EvaluationReport.from_dict(metrics)
    sections = [
        _head(model, facts, key_figures(report)),
        _use(facts),
        _model(model),
        figures(report, model.promises),
        where_it_fails(report),
        _data(model, facts),
        _taxonomy(model),
        _limits(model),
        reproduction(model, metrics),
    ]
    return "\n".join(line for section in sections for line in (*section, "")).rstrip("\n") + "\n"


def _head(model: "Model", facts: CardFacts, short: Sequence[tuple[str, str]]) -> list[str]:
    record = model.record
    lines = ["---", "library_name: coarsefine", "pipeline_tag: text-classification"]
    if facts.licence is not None:
        lines.append(f"license: {facts.licence if HUB_LICENCE.fullmatch(facts.licence) else 'other'}")
    if facts.language is not None:
        lines.append(f"language: {json.dumps(_languages(facts))}")
    rows = [
        ("what it does", f"gives a document one of {len(model.label_ids)} labels in {len(model.group_ids)} groups"),
        *short,
        ("what it promises", _promised(model)),
    ]
    if record.get("fingerprint"):
        rows.append(("run", f"{record['fingerprint'][:DIGITS]}, {record['made'][:10]}"))
    named = (("contact", facts.contact), ("licence", facts.licence))
    rows += [(what, value) for what, value in named if value is not None]
    title = model.taxonomy.name or "Hierarchical text classifier"
    return [
        *lines,
        "---",
        "",
        f"# {markdown(title)}",
        "",
        *markdown_table(Table("", ("in short", ""), rows), text_columns=2),
    ]


def _use(facts: CardFacts) -> list[str]:
    lines = ["## Use", ""]
    if facts.notes is not None:
        lines += [*markdown_lines(facts.notes), ""]
    return [
        *lines,
        "**For** sorting documents like those of the training data into the labels of its taxonomy; for a short list "
        "of labels from which a person chooses; once calibrated, for answering only where it is sure.",
        "",
        "**Not for** documents of another kind, time or language than the training data; for labels that the taxonomy "
        "lacks (an answer always comes from these labels); for documents with several right labels; for decisions "
        "about people that nobody looks at.",
        "",
        "```python",
        "from coarsefine import HierarchicalClassifier",
        "",
        'clf = HierarchicalClassifier.from_pretrained("path/to/this/folder")  # or its hub id, org/name',
        'clf.predict_paths(["..."], top_k=3)',
        "```",
    ]


def _model(model: "Model") -> list[str]:
    settings = model.settings
    stages = "both trained at once" if settings.mode == "joint" else "one trained after the other"
    readers = "n-grams alone" if settings.encoder == "none" else "an encoder" + " and n-grams" * settings.lexical
    lines = [
        "## Model",
        "",
        f"- Two stages, {stages} (`mode: {settings.mode}`), on {readers}: a coarse stage that reads the whole document "
        "for its group, and a linear head for the labels of each group; a router fuses their scores into "
        "probabilities.",
    ]
    if settings.encoder != "none":
        moved = {"frozen": "as it was", "all": "trained with it"}.get(settings.trainable, "its last layers trained")
        lines.append(
            f"- Encoder {markdown_code(settings.encoder)}, {moved} (`trainable: {settings.trainable}`), on segments of "
            f"{settings.segment_tokens} tokens, {settings.overlap} overlapping."
        )
    return [*lines, f"- Random seed {settings.random_state}."]


def _data(model: "Model", facts: CardFacts) -> list[str]:
    record, counts, tree = model.record, model.train_counts, model.taxonomy
    sources, prints = record.get("sources", {}), record.get("fingerprints", {})
    rows = [
        (ROLES[role], str(sources.get(role, "not told")), str(number), str(prints.get(role, "unknown"))[:DIGITS])
        for role, number in record.get("documents", {}).items()
    ]
    table = Table("", ("documents for", "source", "documents", "fingerprint"), rows)
    rare = np.flatnonzero(counts < FEW)
    rare = rare[np.argsort(counts[rare], kind="stable")]
    rarest = [f"{tree.label_named(model.label_ids[i])} ({counts[i]})" for i in rare]
    silent = [tree.label_named(x) for x in sorted(set(tree.label_ids) - set(model.label_ids))]
    spread = span(counts.min(), counts.max()) + (f", median {np.median(counts):g}" if np.ptp(counts) else "")
    lines = [
        "## Data",
        "",
        *markdown_table(table, text_columns=2),
        "",
        "Training documents fitted the model, validation documents ended the training and fitted the fusion, "
        "calibration documents carry the promises, test documents the figures. A fingerprint is the start of the "
        "SHA-256 of texts and labels in their order (`run.json` has all of it).",
        "",
        f"- Training documents a label: {spread}.",
        *_seen(record),
        f"- Language: {markdown(', '.join(_languages(facts))) or 'unknown, nobody has told'}.",
    ]
    if rarest:
        lines.append(f"- {count(len(rarest), 'label')} with fewer than {FEW} training documents: {_listed(rarest)}.")
    if silent:
        lines.append(f"- {count(len(silent), 'label')} without training documents, never predicted: {_listed(silent)}.")
    return [*lines, *(f"- {_refit_line(refit, tree)}" for refit in record.get("refits", []))]


def _taxonomy(model: "Model") -> list[str]:
    tree, sizes = model.taxonomy, np.bincount(model.group_of, minlength=len(model.group_ids))
    documents = np.bincount(model.group_of, weights=model.train_counts, minlength=len(model.group_ids)).astype(int)
    order = np.argsort(-documents, kind="stable")[:SHOWN]
    names = [tree.group_named(model.group_ids[i]) for i in order]
    rows = [(name, str(sizes[i]), str(documents[i])) for name, i in zip(names, order, strict=True)]
    built = sum(group.built for group in tree.groups)
    by_whom = {0: "all given by people", len(tree.groups): "all built from the labels by the builder"}.get(
        built, f"{built} built by the builder, the others given by people"
    )
    left = len(model.group_ids) - len(rows)
    return [
        "## Taxonomy",
        "",
        f"{len(tree.labels)} labels in {len(tree.groups)} groups, {by_whom}. The whole tree is `taxonomy.yaml`."
        + (f" The {SHOWN} largest groups; {left} more are smaller:" if left else ""),
        "",
        *markdown_table(Table("", ("group", "labels", "training documents"), rows)),
    ]


def _limits(model: "Model") -> list[str]:
    lines = [
        "## Limits",
        "",
        "- One label a document, on two levels. Figures hold for documents drawn like the test documents; they fall "
        "where subjects, wording or the share of labels change.",
        "- It repeats what its labels say: errors and one-sided choices of those who labelled are learned too.",
        "- The n-grams in `vocabulary.json` are words of the training documents; no whole document is in the model."
        if model.settings.lexical
        else "- No text of the training documents is in the model.",
    ]
    if model.neighbours is not None:
        lines.append("- `neighbours.safetensors` holds a vector of each training document, from which words can leak.")
    if model.promises is None:
        lines.append("- No error rate is promised: it was not calibrated on documents of its own.")
    return lines


def _seen(record: Mapping[str, Any]) -> list[str]:
    seen = record.get("test_in_training")
    if seen is None:
        return []
    return [
        f"- {seen} of {record['documents']['test']} test documents stand word for word among the training documents."
    ]


def _promised(model: "Model") -> str:
    promises = model.promises
    if promises is None:
        return "nothing: it was not calibrated"
    back_off = promises.back_off
    return (
        f"answers keep precision {back_off.precision:g} and sets hold the right label "
        f"{promises.conformal.coverage:.0%} of the time, on documents drawn like the calibration documents"
    )


def _languages(facts: CardFacts) -> list[str]:
    return [facts.language] if isinstance(facts.language, str) else list(facts.language or ())


def _refit_line(refit: Mapping[str, Any], tree: "Taxonomy") -> str:
    """Say what a refit did, as `pipelines.training.refit.refit` records it."""
    groups = [tree.group_named(group) for group in refit["groups"]]
    done = [f"the heads of {_listed(groups)}"] if groups else []
    if refit["coarse"]:
        done.append("the coarse stage")
    labels = {what: [tree.label_named(label) for label in refit[what]] for what in ("added", "removed", "moved")}
    changed = [f"labels {what}: {_listed(names)}" for what, names in labels.items() if names]
    if "augment" in refit:
        changed.append(f"copies rewritten by `{refit['augment']}`")
    documents = refit["documents"]
    return (
        f"Refitted since then: {' and '.join(done)}, on {documents['train']} training and {documents['valid']} "
        f"validation documents{''.join(f'; {change}' for change in changed)}."
    )


def _listed(names: Sequence[str]) -> str:
    return markdown(", ".join(names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
