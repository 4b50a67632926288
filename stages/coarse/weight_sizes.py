"""Whether the weights of a local encoder are as large as its config.json says, read before anything is built of it."""

import json
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from hierarchy.errors import EncoderError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
LARGEST = 2**20  # of a number in a config that no dimension of the weights is as large as: positions, mostly
REPEATS = re.compile(r"(^|_)(layers?|blocks?|experts?|groups?|group_num|depths?)(_sizes|_repeats)?$")
NO_SIZE = re.compile(r"theta|base|scale|scaling|seed|version")
MOST_LAYERS = 1000  # of a config without weights
SLACK = 10_000_000  # numbers that may be missing in the file: a pooler, tables that are computed


def check_sizes(name: str, folder: Path) -> int:
    """Compare the numbers in config.json with the header of the weights, before a list or a layer is made of them.

    Parameters
    ----------
    name, folder
        The encoder as it was asked for, and where it lies.

    Returns
    -------
    int
        How many numbers the weights are; 0 without any.

    Raises
    ------
    EncoderError
        A number in the config is far beyond what the weights hold.
    """
    shapes = list(_shapes(name, folder))
    largest = max([LARGEST, *(size for shape in shapes for size in shape)])
    for key, value in _numbers(json.loads((folder / "config.json").read_text(encoding="utf-8"))):
        most = len(shapes or range(MOST_LAYERS)) if REPEATS.search(key) else largest
        if value > most and not NO_SIZE.search(key):
            raise EncoderError(
                f"encoder {name!r}: {key} {value} in config.json is more than its weights are made for (at most "
                f"{most}): save config.json and weights of the same model together"
            )
    return sum(prod(shape) for shape in shapes)


def check_model_size(name: str, folder: Path, config: Any, stored: int) -> None:
    """Refuse a config that makes a larger model than the weights fill; the model is counted without memory.

    Parameters
    ----------
    name, folder
        The encoder as it was asked for, and where it lies.
    config
        Of transformers.
    stored
        As `check_sizes` counted it.

    Raises
    ------
    EncoderError
        There are no weights in safetensors, or the model would be more than twice as large.
    """
    if not stored:
        _refuse_absent_weights(name, folder)
    from transformers import AutoModel
    from transformers.initialization import no_init_weights

    with torch.device("meta"), no_init_weights():
        model = AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False)
    wanted = sum(tensor.numel() for tensors in (model.parameters(), model.buffers()) for tensor in tensors)
    if wanted > 2 * stored + SLACK:
        raise EncoderError(
            f"encoder {name!r}: config.json asks for {wanted:,} numbers and the weights hold {stored:,}: save "
            "config.json and weights of the same model together"
        )


def _shapes(name: str, folder: Path) -> Iterator[list[int]]:
    for file in _files(name, folder):
        with safe_open(file, framework="pt") as tensors:
            for key in tensors.keys():  # noqa: SIM118 - no mapping
                yield tensors.get_slice(key).get_shape()


def _files(name: str, folder: Path) -> list[Path]:
    """Return the files of weights, as transformers would choose them."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        parts = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        foreign = sorted(part for part in parts if Path(part).name != part)
        if foreign:
            raise EncoderError(f"encoder {name!r}: {INDEX} names {foreign[0]!r}, which lies in another folder")
        return [folder / part for part in sorted(parts)]
    return []


def _refuse_absent_weights(name: str, folder: Path) -> None:
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.ckpt") for path in folder.glob(pattern))
    if pickles:
        raise EncoderError(
            f"encoder {name!r}: its weights are a pickle ({pickles[0]}), which can hold code and is not loaded: save "
            f"the encoder as {WEIGHTS} (save_pretrained of transformers), or name another"
        )
    raise EncoderError(f"encoder {name!r} cannot be loaded ({WEIGHTS} is missing): copy or save the whole encoder")


def _numbers(content: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """Yield each whole number of a config with the key that it stands under, in lists and sections too."""
    if isinstance(content, dict):
        for name, inner in content.items():
            if name not in ("id2label", "label2id"):
                yield from _numbers(inner, name)
    elif isinstance(content, list):
        for inner in content:
            yield from _numbers(inner, key)
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield key, int(content) if abs(content) < 1e18 else 10**18
