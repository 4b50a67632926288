"""Processes of a Ray cluster that train one model together, as those do that torchrun begins."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

from hierarchy.errors import CoarsefineError, ConfigError, WorkerError
from hierarchy.text.wording import count
from pipelines.engines.on_ray import PATIENCE, connected, gpus_of_cluster
from pipelines.engines.worker import MOST_IN_A_ROW, OURS, Said, work_in
from stages.machine import LONGEST_WORK, is_first

SETTINGS_OF_RAY = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # paths are those of the command
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
}
logger = logging.getLogger(f"coarsefine.{__name__}")


def run_together(
    work: Callable[[], None], folder: Path, *, processes: int | None, address: str | None, on_gpus: bool
) -> None:
    """Have several processes do one piece of work, each knowing the others by what torchrun sets (``RANK`` and so on).

    Where one is lost, all of them are ended and begun again: the work goes on from what it has kept. What the first one
    logs is logged here.

    Parameters
    ----------
    work
        Picklable.
    folder
        For what Ray notes of them; all machines have it under this path.
    processes, address
        As for `pipelines.engines.engine.opened_engine`; None begins as many as there are GPUs, where they are used.
    on_gpus
        Whether each gets a GPU, where the cluster has any.

    Raises
    ------
    ConfigError
        This machine has too few GPUs for so many.
    CoarsefineError
        As `work` has raised it.
    WorkerError
        Processes were ended, and those in their place again.
    """
    os.environ.update(SETTINGS_OF_RAY)  # read when Ray Train is imported, and when it begins its own processes
    with connected(processes, address) as actors:
        import ray
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        gpus = gpus_of_cluster() if on_gpus else 0
        if processes is not None and address is None and 0 < gpus < processes:
            raise ConfigError(f"processes={processes} need a GPU each, and this machine has {gpus}: begin fewer")
        # It stands where this process does, and not on a machine that may go.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        lines = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        trainer = TorchTrainer(
            Member(work, lines, str(Path.cwd())).run,
            torch_config=TorchConfig(timeout_s=int(LONGEST_WORK.total_seconds())),
            scaling_config=ScalingConfig(num_workers=processes or gpus or actors.number, use_gpu=gpus > 0),
            run_config=RunConfig(name="group", storage_path=str(folder)),
        )
        trainer._register_sigint_handler = lambda controller: None  # it would end this process as if all were well
        for ended in range(1, MOST_IN_A_ROW + 2):
            refusals: list[CoarsefineError] = []
            try:
                with _heard(lines, refusals):
                    trainer.fit()
                return
            except ray.train.TrainingFailedError as error:  # Ray would try again what the work refuses, too
                _refuse(refusals, error, ended)


@dataclass(frozen=True)
class Member:
    """What each process does.

    Attributes
    ----------
    work
        As for `run_together`.
    lines
        A queue of Ray, which takes what the first process logs, and what the work refuses.
    folder
        To work in, see `pipelines.engines.worker.work_in`.
    """

    work: Callable[[], None]
    lines: Any
    folder: str | None = None

    def run(self) -> None:
        """Do the work."""
        work_in(self.folder)
        ours: Any = logging.getLogger(OURS)
        ours.handlers, ours.propagate = [_Sent(self.lines)], False
        ours.setLevel(logging.INFO if is_first() else logging.CRITICAL)
        try:
            self.work()
        except CoarsefineError as error:
            self.lines.put(error)
            raise


class _Sent(logging.Handler):
    def __init__(self, lines: Any) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.put(Said(record.name, record.levelno, record.getMessage()))


@contextmanager
def _heard(lines: Any, refusals: list[CoarsefineError]) -> Iterator[None]:
    """Log what processes send, as it comes, and keep what they refuse."""

    def hear() -> None:
        patience: float | None = PATIENCE
        while True:
            try:
                sent = lines.get(timeout=patience)
            except Empty:
                logger.info("waiting for Ray to begin all processes: it is slow, or the cluster has no room for them")
                sent = lines.get()
            patience = None
            if sent is None:
                return
            if isinstance(sent, Said):
                logging.getLogger(sent.logger).log(sent.level, "%s", sent.message)
            else:
                refusals.append(sent)

    listener = threading.Thread(target=hear, daemon=True)
    listener.start()
    try:
        yield
    finally:
        lines.put(None)
        listener.join()


def _refuse(refusals: Sequence[CoarsefineError], error: Exception, ended: int) -> None:
    """Raise what the work has refused, or that its processes have ended too often."""
    if refusals:
        raise refusals[0] from None
    lost = list(getattr(error, "worker_failures", {}).values())
    why = str(lost[0] if lost else error).strip().splitlines()[-1]
    if not lost:
        raise WorkerError(f"Ray has given the training up ({why}): mend that, and give the same command") from error
    if ended > MOST_IN_A_ROW:
        raise WorkerError(
            f"the processes of a training have ended {count(ended, 'time')} ({why}): where memory is short, give more "
            "or begin fewer; the same command goes on from the last checkpoint"
        ) from error
    logger.warning("a process of the training has ended (%s): all are begun again, and go on from what is kept", why)
