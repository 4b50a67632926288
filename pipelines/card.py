"""The model card: what the model is, what it was trained on, how good it is, how to use it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.model import Model

SHOWN = 20  # ids of a list


def model_card(model: Model, metrics: Mapping[str, Any] | None) -> str:
    """Write the card as Markdown.

    Parameters
    ----------
    model
        The trained model.
    metrics
        A report as a dict, or None where the model was not evaluated.
    """
    settings = model.settings
    documents = model.record["documents"]
    silent = sorted(set(model.taxonomy.label_ids) - set(model.label_ids))
    lines = [
        "---",
        "library_name: coarsefine",
        "pipeline_tag: text-classification",
        "---",
        "",
        f"# {model.taxonomy.name or 'Hierarchical text classifier'}",
        "",
        f"Answers with one of {len(model.label_ids)} fine labels in {len(model.group_ids)} groups. "
        "Trained with coarsefine, two stages: a coarse long-text model and a head for each group, "
        f"{'both at once' if settings.mode == 'joint' else 'one after the other'} (`mode: {settings.mode}`).",
        "",
        "```python",
        "from pipelines import HierarchicalClassifier",
        'clf = HierarchicalClassifier.from_pretrained("path/to/this/folder")',
        'clf.predict_paths(["..."], top_k=3)',
        "```",
        "",
        "## Training",
        "",
        f"- {documents['train']} training documents fitted the rows, the document model and the n-grams; "
        f"{documents['valid']} validation documents served early stopping and the fusion.",
        f"- Encoder `{settings.encoder}` ({'n-grams alone' if settings.encoder == 'none' else settings.trainable}); "
        f"segments of {settings.segment_tokens} tokens, {settings.overlap} overlapping; seed {settings.seed}.",
        "- Probabilities are calibrated on the validation documents; no error rate is promised.",
    ]
    lines += [f"- {_refit_line(refit)}" for refit in model.record.get("refits", [])]
    if silent:
        lines.append(f"- {len(silent)} labels had no training documents and are never predicted: {_listed(silent)}")
    if metrics is not None:
        from pipelines.evaluation.comparison import EvaluationReport
        from pipelines.evaluation.report import to_markdown

        lines += ["", "## Figures", "", to_markdown(EvaluationReport.from_dict(metrics))]
    return "\n".join(lines) + "\n"


def _refit_line(refit: Mapping[str, Any]) -> str:
    """Say what a refit did, as `pipelines.refitting.refit` records it."""
    done = [f"the heads of {_listed(refit['groups'])}"] if refit["groups"] else []
    if refit["coarse"]:
        done.append("the coarse stage")
    changed = [f"labels {what}: {_listed(refit[what])}" for what in ("added", "removed", "moved") if refit[what]]
    documents = refit["documents"]
    return (
        f"Refitted since then: {' and '.join(done)}, on {documents['train']} training and {documents['valid']} "
        f"validation documents{''.join(f'; {change}' for change in changed)}."
    )


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
