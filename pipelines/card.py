"""The model card: what the model is, what it was trained on, how good it is, how to use it."""

from collections.abc import Mapping
from typing import Any

from pipelines.model import Model


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
        "Trained with coarsefine, two stages: a coarse long-text model and a head for each group.",
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
    if silent:
        shown = ", ".join(silent[:20]) + (" ..." if len(silent) > 20 else "")
        lines.append(f"- {len(silent)} labels had no training documents and are never predicted: {shown}")
    if metrics is not None:
        from pipelines.evaluation.comparison import EvaluationReport
        from pipelines.evaluation.report import to_markdown

        lines += ["", "## Figures", "", to_markdown(EvaluationReport.from_dict(metrics))]
    return "\n".join(lines) + "\n"
