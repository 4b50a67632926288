"""A model that is being served: read, warmed up, and known to all else by what turns texts into answers."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierarchy.errors import ArtifactError
from hierarchy.text.characters import is_blank

if TYPE_CHECKING:
    from pipelines.model.model import Model

ENCODERS = {"none": None, "embedded": "MiniLM-L6"}  # how those are called that are no name
VERSION_DIGITS = 12  # of the hash of the manifest
WARM_UP = ("", "warm", "warm up " * 20, "warm up " * 500)  # an empty, a short, a usual and a long text
logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model under its name and version.

    Attributes
    ----------
    name
        What clients call it.
    key
        Hash of its manifest.
    model
        The trained parts.
    """

    name: str
    key: str
    model: "Model"

    @property
    def version(self) -> str:
        """The first digits of its key."""
        return self.key[:VERSION_DIGITS]

    @property
    def has_promises(self) -> bool:
        """Whether it was calibrated, so that sets can be asked for."""
        return self.model.promises is not None

    @property
    def classes(self) -> tuple[str, ...]:
        """Ids of the labels that it answers with, in the order of `Probabilities`."""
        return self.model.label_ids

    def facts(self) -> dict[str, Any]:
        """Say what a person wants to know of it, JSON-ready."""
        from pipelines.model.record import library_version

        model, encoder = self.model, self.model.settings.encoder
        return {
            "name": self.name,
            "version": self.version,
            "created": model.record.get("made"),
            "coarsefine": library_version("coarsefine"),
            "labels": len(model.label_ids),
            "groups": len(model.group_ids),
            "classes": list(self.classes),
            "encoder": ENCODERS.get(encoder, Path(encoder).name),  # a folder of another machine is its own
            "promises": _promises(model),
        }

    def tree(self) -> dict[str, Any]:
        """Return groups and labels with their names and descriptions, JSON-ready."""
        return {
            "groups": [
                {**_node(group), "labels": [_node(label) for label in group.labels]}
                for group in self.model.taxonomy.groups
            ]
        }


@dataclass(frozen=True)
class Answers:
    """Texts to answers, see `pipelines.serving.answers.answers`; equal ones can be asked for at once.

    Attributes
    ----------
    served
        Who answers.
    top_k, sets
        As for `answers`.
    explain
        Whether each has its ``explanation``, None for a blank text.
    """

    served: ServedModel
    top_k: int = 3
    sets: str | None = None
    explain: bool = False

    def __call__(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Answer texts."""
        from pipelines.explaining.explain import explain
        from pipelines.serving.answers import answers

        model = self.served.model
        found = list(answers(model, texts, top_k=self.top_k, sets=self.sets))
        if self.explain:
            for answer, text in zip(found, texts, strict=True):
                explanation = None if is_blank(text) else explain(model, text, top_k=self.top_k)
                answer["explanation"] = None if explanation is None else explanation.as_dict()
        return found


@dataclass(frozen=True)
class Probabilities:
    """Texts to the probability of each class; equal ones can be asked for at once.

    Attributes
    ----------
    served
        Who answers.
    """

    served: ServedModel

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one row a text, as `ServedModel.classes` are."""
        routed = (routed for _, routed in self.served.model.route_texts(texts))
        return [row for one in routed for row in one.probabilities.tolist()]


def read_served(folder: Path, *, name: str, device: str | None) -> ServedModel:
    """Read a model and let it answer a little, so that the first client finds it warm.

    Parameters
    ----------
    folder
        As `save_pretrained` wrote it.
    name
        See `ServedModel`.
    device
        Torch device; None takes a GPU where there is one.

    Raises
    ------
    ArtifactError, ConfigError
        As for `load_model`; or another model has taken its place meanwhile.
    """
    with ThreadPoolExecutor(1) as reader:
        # OpenMP gives threads to each thread that computes. Where they are more than the cores, they sleep between two
        # operations, and a lone text takes milliseconds longer; so those that read the model end with this work.
        return reader.submit(_read, folder, name, device).result()


def _read(folder: Path, name: str, device: str | None) -> ServedModel:
    from pipelines.model.artifact.loading import load_model
    from pipelines.model.artifact.manifest import manifest_key

    key = manifest_key(folder)
    model, _ = load_model(folder, device=device)
    if manifest_key(folder) != key:
        raise ArtifactError(f"{folder} was replaced while it was read: give the same command again")
    served = ServedModel(name, key, model)
    Answers(served, explain=True)(WARM_UP)
    logger.info("%s %s is warm", name, served.version)
    return served


def _node(node: Any) -> dict[str, str]:
    return {"id": node.id, "name": node.name, "description": node.description}


def _promises(model: "Model") -> dict[str, Any] | None:
    """Say what `calibrate` has promised, in figures and in words."""
    promises = model.promises
    if promises is None:
        return None
    back_off, coverage = promises.back_off, promises.conformal.coverage
    words = [
        f"Of fine answers, and of group answers, {back_off.precision:.0%} are right; this holds with a probability of "
        f"{1 - back_off.delta:.0%} over the {promises.documents:,} calibration documents.",
        f"A set holds the right label for {coverage:.0%} of documents.",
    ]
    if promises.out_of_scope is not None:
        words.append(
            f"Of documents that belong to a label, {promises.out_of_scope.false_alarms:.0%} are taken for out of scope."
        )
    if model.cascade is not None:
        words.append(
            f"N-grams answer alone where they are sure: accuracy falls by at most {model.cascade.points:g} points for "
            f"it, with a probability of {1 - model.cascade.delta:.0%} over {model.cascade.documents:,} documents."
        )
    return {
        "documents": promises.documents,
        "routing": promises.routing,
        "precision": back_off.precision,
        "delta": back_off.delta,
        "coverage": coverage,
        "false_alarms": None if promises.out_of_scope is None else promises.out_of_scope.false_alarms,
        "words": words,
    }
