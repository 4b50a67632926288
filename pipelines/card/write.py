"""The model card: what the model is for, what it was trained on, how good it is and where it fails, how to repeat it.

The first page answers a product owner: what it does, how good, beside what, where not to trust it. What follows answers
an auditor: figures with intervals, documents with their fingerprints, the commands that make the model again.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from string import Template
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

CARD = Path(__file__).with_name("card.md")
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
    """Fill the card, `card.md`.

    Parameters
    ----------
    model
        The trained model.
    metrics
        A report as a dict, or None where the model was not evaluated.
    """
    facts = CardFacts.model_validate(model.record.get("card", {}))
    report = None if metrics is None else EvaluationReport.from_dict(metrics)
    parts: dict[str, str | list[str]] = {
        **_head(model, facts, key_figures(report)),
        **_model(model),
        "figures": figures(report, model.promises),
        "failures": where_it_fails(report),
        **_data(model, facts),
        **_taxonomy(model),
        "limits": _limits(model),
        "reproduction": reproduction(model, metrics),
    }
    lines = {name: part if isinstance(part, str) else "\n".join(part) for name, part in parts.items()}
    return Template(CARD.read_text(encoding="utf-8")).substitute(lines)


def _head(model: "Model", facts: CardFacts, short: Sequence[tuple[str, str]]) -> dict[str, str | list[str]]:
    record = model.record
    front = ""
    if facts.licence is not None:
        front += f"\nlicense: {facts.licence if HUB_LICENCE.fullmatch(facts.licence) else 'other'}"
    if facts.language is not None:
        front += f"\nlanguage: {json.dumps(_languages(facts))}"
    rows = [
        ("what it does", f"gives a document one of {len(model.label_ids)} labels in {len(model.group_ids)} groups"),
        *short,
        ("what it promises", _promised(model)),
    ]
    if record.get("fingerprint"):
        rows.append(("run", f"{record['fingerprint'][:DIGITS]}, {record['made'][:10]}"))
    named = (("contact", facts.contact), ("licence", facts.licence))
    rows += [(what, value) for what, value in named if value is not None]
    return {
        "front": front,
        "title": markdown(model.taxonomy.name or "Hierarchical text classifier"),
        "short": markdown_table(Table("", ("in short", ""), rows), text_columns=2),
        "notes": "" if facts.notes is None else "\n".join([*markdown_lines(facts.notes), "", ""]),
    }


def _model(model: "Model") -> dict[str, str]:
    settings = model.settings
    encoder = ""
    if settings.encoder != "none":
        moved = {"frozen": "as it was", "all": "trained with it"}.get(settings.trainable, "its last layers trained")
        encoder = (
            f"\n- Encoder {markdown_code(settings.encoder)}, {moved} (`trainable: {settings.trainable}`), on segments "
            f"of {settings.segment_tokens} tokens, {settings.overlap} overlapping."
        )
    return {
        "stages": "both trained at once" if settings.mode == "joint" else "one trained after the other",
        "mode": settings.mode,
        "readers": "an encoder" + " and n-grams" * settings.lexical if encoder else "n-grams alone",
        "encoder": encoder,
        "seed": str(settings.random_state),
    }


def _data(model: "Model", facts: CardFacts) -> dict[str, str | list[str]]:
    record, counts, tree = model.record, model.train_counts, model.taxonomy
    sources, prints = record.get("sources", {}), record.get("fingerprints", {})
    rows = [
        (ROLES[role], str(sources.get(role, "not told")), str(number), str(prints.get(role, "unknown"))[:DIGITS])
        for role, number in record.get("documents", {}).items()
    ]
    rare = np.flatnonzero(counts < FEW)
    rare = rare[np.argsort(counts[rare], kind="stable")]
    rarest = [f"{tree.label_named(model.label_ids[i])} ({counts[i]})" for i in rare]
    silent = [tree.label_named(x) for x in sorted(set(tree.label_ids) - set(model.label_ids))]
    lines = []
    if record.get("test_in_training") is not None:
        seen = f"{record['test_in_training']} of {record['documents']['test']} test documents"
        lines.append(f"- {seen} stand word for word among the training documents.")
    lines.append(f"- Language: {markdown(', '.join(_languages(facts))) or 'unknown, nobody has told'}.")
    if rarest:
        lines.append(f"- {count(len(rarest), 'label')} with fewer than {FEW} training documents: {_listed(rarest)}.")
    if silent:
        lines.append(f"- {count(len(silent), 'label')} without training documents, never predicted: {_listed(silent)}.")
    return {
        "documents": markdown_table(
            Table("", ("documents for", "source", "documents", "fingerprint"), rows), text_columns=2
        ),
        "spread": span(counts.min(), counts.max()) + (f", median {np.median(counts):g}" if np.ptp(counts) else ""),
        "facts": [*lines, *(f"- {_refit_line(refit, tree)}" for refit in record.get("refits", []))],
    }


def _taxonomy(model: "Model") -> dict[str, str | list[str]]:
    tree, n = model.taxonomy, len(model.group_ids)
    sizes = np.bincount(model.space.group_of, minlength=n)
    documents = np.bincount(model.space.group_of, weights=model.train_counts, minlength=n).astype(int)
    order = np.argsort(-documents, kind="stable")[:SHOWN]
    rows = [(tree.group_named(model.group_ids[i]), str(sizes[i]), str(documents[i])) for i in order]
    built = sum(group.built for group in tree.groups)
    by_whom = {0: "all given by people", len(tree.groups): "all built from the labels by the builder"}
    left = n - len(rows)
    return {
        "size": f"{len(tree.labels)} labels in {len(tree.groups)} groups",
        "by_whom": by_whom.get(built, f"{built} built by the builder, the others given by people"),
        "shown": f" The {SHOWN} largest groups; {left} more are smaller:" if left else "",
        "groups": markdown_table(Table("", ("group", "labels", "training documents"), rows)),
    }


def _limits(model: "Model") -> list[str]:
    words = "- The n-grams in `vocabulary.json` are words of the training documents; no whole document is in the model."
    lines = [words if model.settings.lexical else "- No text of the training documents is in the model."]
    if model.neighbours is not None:
        lines.append("- `neighbours.safetensors` holds a vector of each training document, from which words can leak.")
    if model.promises is None:
        lines.append("- No error rate is promised: it was not calibrated on documents of its own.")
    return lines


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
    """Say what a refit did, as `pipelines.training.refit.refit_documents` records it."""
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
