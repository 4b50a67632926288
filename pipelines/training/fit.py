"""From checked documents to a trained model: the encoder, the groups, then chained or joint training."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hierarchy.taxonomy import Taxonomy
from pipelines.data.augmentation import label_texts, training_documents
from pipelines.data.documents import Documents
from pipelines.model.model import Model
from pipelines.model.record import run_record
from pipelines.settings import Settings
from pipelines.training.chained import fit_chained
from pipelines.training.groups import check_placeable, place_labels
from pipelines.training.joint import fit_joint
from stages.progress import Clock

if TYPE_CHECKING:
    from stages.training.trainer import Watch


def fit_model(
    settings: Settings,
    taxonomy: Taxonomy | None,
    train: Documents,
    valid: Documents,
    *,
    folder: Path,
    watch: "Watch | None" = None,
) -> Model:
    """Train a model as the settings say.

    Parameters
    ----------
    settings
        Of the classifier.
    taxonomy
        The given tree; None builds groups.
    train, valid
        As `prepare_documents` gives them.
    folder
        Run folder: what is finished there is not done again.
    watch
        Is told the figures of every evaluation of the neural training; what it raises ends the training.

    Raises
    ------
    ConfigError, EncoderError
        The encoder cannot be had, or fits neither settings nor documents.
    """
    check_placeable(settings, taxonomy, train)
    clock = Clock()
    given = train
    train = training_documents(settings, taxonomy, given)
    neural = content = None
    if settings.encoder != "none":
        from pipelines.training.encoder import load_encoder, resolve_trainable
        from pipelines.training.neural import NeuralStage

        with clock.step("encoder"):
            encoder, segmenter = load_encoder(settings, train.texts, label_texts(taxonomy, given).values())
            content = encoder.content_fingerprint()
            trainable = resolve_trainable(settings, encoder, train.texts)
            settings = settings.resolved(trainable=trainable)
        neural = NeuralStage(
            settings, encoder, segmenter, train_texts=train.texts, valid_texts=valid.texts, folder=folder, watch=watch
        )
        if trainable == "frozen":
            with clock.step("vectors"):
                neural.vectors(encoder, "training")
                neural.vectors(encoder, "validation")
    placed = place_labels(settings, taxonomy, given, neural, clock)
    if settings.mode == "joint" and neural is not None:
        model = fit_joint(settings, placed, train, valid, neural=neural, folder=folder, clock=clock)
    else:
        model = fit_chained(settings, placed, train, valid, neural=neural, folder=folder, clock=clock)
    record = run_record(
        model.settings,
        taxonomy,
        given,
        valid,
        encoder=content,
        history=model.record["history"],
        seconds=clock.seconds,
    )
    return replace(model, record=record)
