"""The folder of a pretrained encoder: model, tokenizer, record and card, written whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hierarchy.disk.locks import held
from hierarchy.disk.output import OutputFolder, check_outputs
from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import cannot_write
from hierarchy.disk.whole_folders import folder_problem, put_back, remove_left_overs, whole_folder
from hierarchy.embedding.pretrained import quiet_transformers
from hierarchy.errors import DataError
from hierarchy.text.escaping import markdown
from stages.coarse.encoder_files import WEIGHTS
from stages.run_folder import made_folder

RECORD, FORMAT = "pretraining.json", "coarsefine/pretraining"
TEMPLATE = Path(__file__).with_name("card.md")


def check_encoder_folder(folder: Path, *, encoder: str | None = None, run: str | Path | None = None) -> None:
    """Refuse a folder that no encoder can be written to, before there is one.

    Parameters
    ----------
    folder
        One that `save_encoder` has written is replaced.
    encoder
        Which is read; None where it is not read from a folder.
    run
        The run folder.

    Raises
    ------
    DataError
        The folder holds something else, cannot be written, or would take the place of what is read or of the run.
    """
    put_back(folder)
    written = OutputFolder("out", folder, replaced=True)
    runs = [] if run is None else [OutputFolder("run_dir", local_path(run))]
    check_outputs([written, *runs], {} if encoder in (None, "embedded") else {"encoder": encoder})
    if (problem := folder_problem(folder)) is not None:
        raise DataError(problem)
    if folder.is_dir() and (strange := sorted(_names(folder) - _written(folder))):
        raise DataError(f"{str(folder)!r} holds {strange[0]!r}, which no pretraining has written: name a new folder")


def save_encoder(model: Any, tokenizer: Any, folder: Path, record: Mapping[str, Any]) -> None:
    """Write an encoder with its head and tokenizer, as transformers reads them, a record and a card.

    Parameters
    ----------
    model, tokenizer
        Of transformers.
    folder
        See `check_encoder_folder`.
    record
        What the encoder was trained on.

    Raises
    ------
    DataError
        It cannot be written.
    BusyError
        Another process writes there.
    """
    try:
        with made_folder(folder.absolute().parent, folder), held(folder) as is_kept:
            if is_kept:
                remove_left_overs(folder)
            check_encoder_folder(folder)
            with whole_folder(folder, lambda: []) as part:
                with quiet_transformers():
                    model.save_pretrained(part)
                    tokenizer.save_pretrained(part)
                (part / "README.md").write_text(_card(record), encoding="utf-8")
                # It comes out private: as readable as the other files.
                (part / WEIGHTS).chmod((part / "README.md").stat().st_mode)
                content = {"format": FORMAT, **record, "files": sorted(_names(part) | {RECORD})}
                (part / RECORD).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{cannot_write(folder, error)}; the same command goes on from the run folder") from error


def figure(value: float | None, digits: int) -> str:
    """Return a loss or a perplexity as a table shows it; None is what came out of a training that has diverged."""
    return "no number" if value is None else f"{value:.{digits}f}"


def _card(record: Mapping[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    escaped = {name: markdown(value) if isinstance(value, str) else value for name, value in record.items()}
    templates = Environment(undefined=StrictUndefined, trim_blocks=True)  # noqa: S701 - Markdown, escaped above
    templates.filters["figure"] = figure
    return templates.from_string(TEMPLATE.read_text(encoding="utf-8")).render(record=escaped) + "\n"


def _names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def _written(folder: Path) -> set[str]:
    """Names that the record of an earlier pretraining says are its own."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        return set(record["files"]) if record["format"] == FORMAT else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
