"""From checked documents to a trained model: the encoder, the groups, then chained or joint training."""

from pathlib import Path

from hierarchy.taxonomy import Taxonomy
from pipelines.chained import fit_chained
from pipelines.documents import Documents
from pipelines.joint import fit_joint
from pipelines.model import Model
from pipelines.preparation import label_texts, place_labels
from pipelines.settings import Settings
from stages.progress import Clock


def fit_model(
    settings: Settings, taxonomy: Taxonomy | None, train: Documents, valid: Documents, *, folder: Path
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

    Raises
    ------
    ConfigError, EncoderError
        The encoder cannot be had, or fits neither settings nor documents.
    """
    clock = Clock()
    if settings.encoder == "none":
        taxonomy = place_labels(settings, taxonomy, train, None, clock)
        return fit_chained(settings, taxonomy, train, valid, neural=None, folder=folder, clock=clock)

    from pipelines.encoders import load_encoder, resolve_trainable
    from pipelines.neural import NeuralStage

    with clock.step("encoder"):
        encoder, segmenter = load_encoder(settings, train.texts, label_texts(taxonomy, train))
        trainable = resolve_trainable(settings, encoder, train.texts)
        settings = settings.model_copy(update={"trainable": trainable})
    neural = NeuralStage(settings, encoder, segmenter, train_texts=train.texts, valid_texts=valid.texts, folder=folder)
    if trainable == "frozen":
        with clock.step("vectors"):
            neural.vectors(encoder, "training")
            neural.vectors(encoder, "validation")
    taxonomy = place_labels(settings, taxonomy, train, neural, clock)
    fit = fit_joint if settings.mode == "joint" else fit_chained
    return fit(settings, taxonomy, train, valid, neural=neural, folder=folder, clock=clock)
