"""Checkpoints that a kill at any moment cannot spoil: each has its checksums, and one that is not whole is not used."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerState
from transformers.trainer_utils import rotate_checkpoints

from hierarchy.disk.whole_files import is_left_over, whole_file
from stages.machine import first_goes_first
from stages.run_folder import LIST, is_finished, write_checksums, writing

# Of a checkpoint, as Trainer names them, and our checksums of them all.
WEIGHTS, STATE, CHECKSUMS = "model.safetensors", "trainer_state.json", f"whole{LIST}"
logger = logging.getLogger(f"coarsefine.{__name__}")


class CheckedTrainer(Trainer):
    """Trainer, whose checkpoints are finished with checksums before older ones go."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        super()._save_checkpoint(model, trial)
        self.args.save_total_limit = limit
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            folder = Path(str(self.args.output_dir))
            _finish(folder / f"checkpoint-{self.state.global_step}")
            best = self.state.best_model_checkpoint
            rotate_checkpoints(str(folder), save_total_limit=limit, best_model_checkpoint=best, use_mtime=True)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint in `folder` that is whole, as that of its best epoch is; remove the others."""
    found = (checkpoint for checkpoint in folder.glob("checkpoint-*") if checkpoint.name[11:].isdecimal())
    for checkpoint in sorted(found, key=lambda c: int(c.name[11:]), reverse=True):
        if _is_whole(checkpoint):
            return checkpoint
        logger.info("%s is not whole: the training goes on from an earlier one, or begins anew", checkpoint)
        _remove(checkpoint)
    return None


def state_of(checkpoint: Path) -> TrainerState:
    """Read the state of a checkpoint; where the run folder was moved, its note of the best checkpoint goes with it."""
    file = checkpoint / STATE
    with first_goes_first():
        state = TrainerState.load_from_json(str(file))
        best = state.best_model_checkpoint
        if best is not None and Path(best).parent != checkpoint.parent:
            state.best_model_checkpoint = str(checkpoint.parent / Path(best).name)
            with writing(file):
                with whole_file(file) as part:
                    state.save_to_json(str(part))
                _finish(checkpoint)
    return state


def _finish(checkpoint: Path) -> None:
    write_checksums(checkpoint / CHECKSUMS, *_contents(checkpoint))


def _contents(checkpoint: Path) -> list[Path]:
    files = (file for file in checkpoint.iterdir() if file.is_file() and file.name != CHECKSUMS)
    return sorted(file for file in files if not is_left_over(file.name))


def _remove(checkpoint: Path) -> None:
    with writing(checkpoint):
        if checkpoint.is_symlink() or not checkpoint.is_dir():
            checkpoint.unlink()
        else:
            shutil.rmtree(checkpoint)


def _is_whole(checkpoint: Path) -> bool:
    if not _is_finished(checkpoint):
        return False
    best = json.loads((checkpoint / STATE).read_bytes()).get("best_model_checkpoint")  # its log may hold NaN
    return best is None or Path(best).name == checkpoint.name or _is_finished(checkpoint.with_name(Path(best).name))


def _is_finished(checkpoint: Path) -> bool:
    needed = [checkpoint / WEIGHTS, checkpoint / STATE]
    return checkpoint.is_dir() and is_finished(checkpoint / CHECKSUMS, *needed, *_contents(checkpoint))
