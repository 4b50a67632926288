"""The files of a local encoder, looked at before anything is built of them: each can ask for all memory there is.

Its config.json may say another size than its weights have, and a few rules of its tokenizer.json may blow a text up.
"""

import base64
import json
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from hierarchy.errors import EncoderError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
LARGEST = 2**20  # of a number in a config that no dimension of the weights is as large as: positions, mostly
REPEATS = re.compile(r"(^|_)(layers?|blocks?|experts?|groups?|group_num|depths?)(_sizes|_repeats)?$")
NO_SIZE = re.compile(r"theta|base|scale|scaling|seed|version")
MOST_LAYERS = 1000  # of a config without weights
SLACK = 10_000_000  # numbers that may be missing in the file: a pooler, tables that are computed
RULES = "tokenizer.json"
MOST_GROWTH = 2000  # characters of one; with NFKD, lower case and the table of SentencePiece it is about 1,300
# Characters that one becomes at most; all other steps take away, or add no more than stands in the file.
GROWTH = {
    "NFC": 3, "NFD": 4, "NFKC": 18, "NFKD": 18, "Lowercase": 2, "BertNormalizer": 3, "ByteLevel": 4, "Metaspace": 2,
}  # fmt: skip


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
    import torch
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


def check_growth(name: str, folder: Path) -> None:
    """Refuse a tokenizer whose rules, one after the other, blow a text up; before any text is given to it.

    Parameters
    ----------
    name, folder
        The encoder as it was asked for, and where it lies.

    Raises
    ------
    EncoderError
        One character could become more than `MOST_GROWTH`.
    """
    if not (folder / RULES).is_file():
        return
    rules = json.loads((folder / RULES).read_text(encoding="utf-8"))
    if _growth(rules.get("normalizer")) * _growth(rules.get("pre_tokenizer")) > MOST_GROWTH:
        raise EncoderError(
            f"encoder {name!r}: the rules in {RULES} (normalizer, pre_tokenizer) can make a text more than "
            f"{MOST_GROWTH:,} times as long: save the encoder with its own {RULES}"
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


def _growth(rule: Any) -> float:
    if rule is None:
        return 1
    kind = rule["type"]
    if kind == "Sequence":
        return prod(map(_growth, rule.get("normalizers") or rule.get("pretokenizers") or ()))
    if kind == "Replace":
        return _growth_of_replacing(rule["pattern"], len(rule["content"]))
    if kind == "Precompiled":
        return _longest(base64.b64decode(rule["precompiled_charsmap"] or b""))
    return GROWTH.get(kind, 1)


def _growth_of_replacing(pattern: dict[str, str], length: int) -> float:
    replaced = len(pattern.get("String", ""))
    # A regular expression can stand for nothing at all, between any two characters.
    return max(1, length / replaced) if replaced else 1 + length


def _longest(table: bytes) -> int:
    """Return the characters of the longest text in a table of SentencePiece: a trie, and texts that end in zeros."""
    texts = table[4 + int.from_bytes(table[:4], "little") :].split(b"\0")
    return max(1, *(len(text.decode("utf-8", "replace")) for text in texts))
