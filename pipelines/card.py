"""The model card: what the model is, what it was trained on, how good it is, how to use it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.model import Model
from pipelines.trust.promises import Promises

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
        "- Probabilities are calibrated on the validation documents; "
        + ("no error rate is promised." if model.promises is None else "what is promised beyond that:"),
    ]
    if model.promises is not None:
        lines += [f"    - {line}" for line in _promise_lines(model.promises)]
    lines += [f"- {_refit_line(refit)}" for refit in model.record.get("refits", [])]
    if silent:
        lines.append(f"- {len(silent)} labels had no training documents and are never predicted: {_listed(silent)}")
    if metrics is not None:
        from pipelines.evaluation.comparison import EvaluationReport
        from pipelines.evaluation.report import to_markdown

        lines += ["", "## Figures", "", to_markdown(EvaluationReport.from_dict(metrics))]
    return "\n".join(lines) + "\n"


def _promise_lines(promises: Promises) -> list[str]:
    back_off, conformal = promises.back_off, promises.conformal
    answers = [
        f"{what} above probability {threshold:.4f}"
        for what, threshold in (("the fine label", back_off.fine), ("else the group", back_off.group))
        if threshold is not None
    ]
    lines = [
        f"on {promises.documents} calibration documents, with routing {promises.routing}",
        f"answers with {', '.join(answers)}: each level keeps precision {back_off.precision:g}, with probability "
        f"{1 - back_off.delta:g} over the calibration documents"
        if answers
        else f"no answer keeps precision {back_off.precision:g} on these documents: the model abstains always",
        f"conformal sets hold the right label {conformal.coverage:.0%} of the time"
        + (", in every group apart" if conformal.groups else ""),
    ]
    if promises.out_of_scope is not None:
        lines.append(f"at most {promises.out_of_scope.false_alarms:.1%} of documents in scope seem out of scope")
    return lines


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
