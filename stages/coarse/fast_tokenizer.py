"""A fast tokenizer without transformers: the ``tokenizer.json`` of an exported encoder, read by tokenizers alone."""

from collections.abc import Sequence
from typing import Any

RULES = "tokenizer.json"


class FastTokenizer:
    """What `stages.coarse.segments` asks of a tokenizer of transformers, and no more.

    Parameters
    ----------
    rules
        A ``tokenizers.Tokenizer``.
    pad_token_id, unk_token_id
        Ids of padding and of what is unknown; None where there is none.

    Attributes
    ----------
    is_fast
        True: its tokens know their characters.
    backend_tokenizer
        The rules.
    """

    is_fast = True

    def __init__(self, rules: Any, *, pad_token_id: int | None, unk_token_id: int | None) -> None:
        rules.no_truncation()  # how it was last used stands in the file
        rules.no_padding()
        self.backend_tokenizer = rules
        self.pad_token_id = pad_token_id
        self.unk_token_id = unk_token_id

    @classmethod
    def from_json(cls, rules: bytes, *, pad_token_id: int | None, unk_token_id: int | None) -> "FastTokenizer":
        """Make it of the content of a ``tokenizer.json``."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_buffer(rules), pad_token_id=pad_token_id, unk_token_id=unk_token_id)

    def __len__(self) -> int:
        return int(self.backend_tokenizer.get_vocab_size(with_added_tokens=True))

    def __call__(
        self, texts: Sequence[str], *, return_offsets_mapping: bool = False, **_: Any
    ) -> dict[str, list[list[Any]]]:
        """Tokenize texts whole and without special tokens, which is all that is asked for.

        Parameters
        ----------
        texts
            Of any length.
        return_offsets_mapping
            Whether ``offset_mapping``, (start, end) of each token's characters, stands beside ``input_ids``.
        """
        read = self.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
        found = {"input_ids": [one.ids for one in read]}
        return found | ({"offset_mapping": [one.offsets for one in read]} if return_offsets_mapping else {})
