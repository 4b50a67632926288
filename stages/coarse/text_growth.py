"""How much longer a tokenizer makes a text before it cuts it: a few lines of rules can ask for all memory there is."""

import base64
import json
from math import prod
from pathlib import Path
from typing import Any

from hierarchy.errors import EncoderError

RULES = "tokenizer.json"
MOST = 2000  # characters of one; with NFKD, lower case and the table of SentencePiece it is about 1,300
# Characters that one becomes at most; all other steps take away, or add no more than stands in the file.
GROWTH = {
    "NFC": 3, "NFD": 4, "NFKC": 18, "NFKD": 18, "Lowercase": 2, "BertNormalizer": 3, "ByteLevel": 4, "Metaspace": 2,
}  # fmt: skip


def check_growth(name: str, folder: Path) -> None:
    """Refuse a tokenizer whose rules, one after the other, blow a text up; before any text is given to it.

    Parameters
    ----------
    name, folder
        The encoder as it was asked for, and where it lies.

    Raises
    ------
    EncoderError
        One character could become more than `MOST`.
    """
    if not (folder / RULES).is_file():
        return
    rules = json.loads((folder / RULES).read_text(encoding="utf-8"))
    if _growth(rules.get("normalizer")) * _growth(rules.get("pre_tokenizer")) > MOST:
        raise EncoderError(
            f"encoder {name!r}: the rules in {RULES} (normalizer, pre_tokenizer) can make a text more than {MOST:,} "
            f"times as long: save the encoder with its own {RULES}"
        )


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
