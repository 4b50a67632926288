"""A training of the encoder by processes of a Ray cluster, each doing what one that torchrun begins does."""

from dataclasses import dataclass, replace
from pathlib import Path

from hierarchy.taxonomy import Taxonomy
from pipelines.data.documents import Documents
from pipelines.engines.engine import check_run_dir
from pipelines.engines.group import run_together
from pipelines.model.artifact.loading import load_model
from pipelines.model.artifact.saving import save_model
from pipelines.model.model import Model
from pipelines.model.provenance import SameVersions
from pipelines.settings import Settings
from pipelines.training.fit import fit_model
from stages.machine import is_first

OF_RAY = "ray"  # in the run folder


@dataclass(frozen=True)
class Together:
    """What each process does: the whole training, whose parts they share or leave to the first.

    Attributes
    ----------
    settings, taxonomy, train, valid, folder
        As for `pipelines.training.fit.fit_model`.
    """

    settings: Settings
    taxonomy: Taxonomy | None
    train: Documents
    valid: Documents
    folder: Path

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return self.folder / OF_RAY / "model"

    def __call__(self) -> None:
        """Train; the first process leaves the model in the run folder."""
        model = fit_model(self.settings, self.taxonomy, self.train, self.valid, folder=self.folder)
        if is_first():
            save_model(model, self.model, metrics=None, card="")


def fit_together(
    settings: Settings,
    taxonomy: Taxonomy | None,
    train: Documents,
    valid: Documents,
    *,
    folder: Path,
    processes: int | None,
    address: str | None,
) -> Model:
    """Train a model by processes of Ray; where one is lost, all go on from the last checkpoint.

    Parameters
    ----------
    settings, taxonomy, train, valid, folder
        As for `pipelines.training.fit.fit_model`.
    processes, address
        As for `pipelines.engines.engine.opened_engine`.

    Raises
    ------
    ConfigError, EncoderError
        As for `pipelines.training.fit.fit_model`.
    WorkerError
        Processes were ended again and again.
    """
    check_run_dir(settings.run_dir, address)
    together = Together(settings, taxonomy, train, valid, folder.absolute())
    run_together(
        SameVersions(together), together.model.parent, processes=processes, address=address, on_gpus=settings.takes_gpus
    )
    model, _ = load_model(together.model, device=settings.device)
    chosen = {name: getattr(model.settings, name) for name in ("trainable", "negatives")}
    return replace(model, settings=settings.resolved(**chosen))
