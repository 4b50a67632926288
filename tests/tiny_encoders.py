"""A tiny encoder of each family: random weights, and a tokenizer of the family's kind trained on the spot."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VOCABULARY = 400
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
MODERNBERT_TOKENS = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")


@dataclass(frozen=True)
class Family:
    """How an encoder is made, and what must be found of it.

    Attributes
    ----------
    model
        Name of its transformers classes, without ``Config`` and ``Model``.
    tokenizer
        Makes its tokenizer of texts.
    sizes
        Settings of its config.
    max_tokens
        The longest segment that it takes.
    pad_id
        What it is padded with.
    layers
        Where its layers are.
    pooler
        Whether the model has one; its checkpoints for filling in masked words have none.
    """

    model: str
    tokenizer: Callable[[Sequence[str]], Any]
    sizes: dict[str, Any]
    max_tokens: int = 64
    pad_id: int = 0
    layers: str = "encoder.layer"
    pooler: bool = False


def save_tiny(family: Family, texts: Sequence[str], folder: Path, *, head: str = "Model") -> str:
    """Save an encoder of 2 layers and 32 dimensions with a tokenizer of `texts`; return its name, the folder.

    Parameters
    ----------
    family
        Its kind.
    texts
        What the tokenizer is trained on.
    folder
        Where to.
    head
        Which of the family's classes has the weights: ``ForMaskedLM`` for a checkpoint as it is published.
    """
    import torch
    import transformers

    tokenizer = family.tokenizer(texts)
    ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "cls_token_id", "sep_token_id")}
    ids |= {"bos_token_id": ids["cls_token_id"], "eos_token_id": ids["sep_token_id"]}
    config = getattr(transformers, f"{family.model}Config")(vocab_size=len(tokenizer), **ids, **family.sizes)
    torch.manual_seed(0)
    getattr(transformers, family.model + head)(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def _word_pieces(tokenizer: str, special: Sequence[str]) -> Callable[[Sequence[str]], Any]:
    def trained(texts: Sequence[str]) -> Any:
        import transformers
        from tokenizers import BertWordPieceTokenizer

        pieces = BertWordPieceTokenizer()
        pieces.train_from_iterator(texts, VOCABULARY, special_tokens=[*special], show_progress=False)
        return getattr(transformers, tokenizer)(vocab=pieces.get_vocab())

    return trained


def _unigrams(tokenizer: str, special: Sequence[str], unknown: str) -> Callable[[Sequence[str]], Any]:
    def trained(texts: Sequence[str]) -> Any:
        import transformers
        from tokenizers import SentencePieceUnigramTokenizer

        pieces = SentencePieceUnigramTokenizer()
        pieces.train_from_iterator(texts, VOCABULARY, special_tokens=[*special], unk_token=unknown, show_progress=False)
        scored = json.loads(pieces.to_str())["model"]["vocab"]
        return getattr(transformers, tokenizer)(vocab=[(piece, score) for piece, score in scored])

    return trained


def _byte_pairs(texts: Sequence[str], special: Sequence[str]) -> Any:
    from tokenizers import ByteLevelBPETokenizer

    pieces = ByteLevelBPETokenizer()
    pieces.train_from_iterator(texts, VOCABULARY, special_tokens=[*special], show_progress=False)
    return pieces


def _roberta_tokenizer(texts: Sequence[str]) -> Any:
    from transformers import RobertaTokenizer

    pieces = json.loads(_byte_pairs(texts, ROBERTA_TOKENS).to_str())["model"]
    return RobertaTokenizer(vocab=pieces["vocab"], merges=[(left, right) for left, right in pieces["merges"]])


def _modernbert_tokenizer(texts: Sequence[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.processors import BertProcessing
    from transformers import PreTrainedTokenizerFast

    unknown, first, last, padding, mask = MODERNBERT_TOKENS
    pieces = _byte_pairs(texts, MODERNBERT_TOKENS)
    pieces.post_processor = BertProcessing((last, pieces.token_to_id(last)), (first, pieces.token_to_id(first)))
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(pieces.to_str()), unk_token=unknown, cls_token=first, sep_token=last,
        pad_token=padding, mask_token=mask, model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


FAMILIES = {
    "bert": Family(
        "Bert", _word_pieces("BertTokenizer", BERT_TOKENS), {**SIZES, "max_position_embeddings": 64}, pooler=True
    ),
    "distilbert": Family(
        "DistilBert", _word_pieces("DistilBertTokenizer", BERT_TOKENS),
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64},
        layers="transformer.layer",
    ),
    "roberta": Family(
        "Roberta", _roberta_tokenizer, {**SIZES, "max_position_embeddings": 66, "type_vocab_size": 1},
        pad_id=1, pooler=True,
    ),
    "xlm-roberta": Family(
        "XLMRoberta", _unigrams("XLMRobertaTokenizer", ROBERTA_TOKENS, "<unk>"),
        {**SIZES, "max_position_embeddings": 66, "type_vocab_size": 1}, pad_id=1, pooler=True,
    ),
    "modernbert": Family(
        "ModernBert", _modernbert_tokenizer, {**SIZES, "local_attention": 16}, max_tokens=8192, pad_id=3,
        layers="layers",
    ),
    "electra": Family(
        "Electra", _word_pieces("ElectraTokenizer", BERT_TOKENS),
        {**SIZES, "embedding_size": 16, "max_position_embeddings": 64},
    ),
    "deberta-v2": Family(
        "DebertaV2", _unigrams("DebertaV2Tokenizer", BERT_TOKENS, "[UNK]"),
        {
            **SIZES, "max_position_embeddings": 64, "type_vocab_size": 0, "relative_attention": True,
            "position_buckets": 32, "position_biased_input": False, "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
        },
    ),
    "mpnet": Family(
        "MPNet", _word_pieces("MPNetTokenizer", [*ROBERTA_TOKENS, "[UNK]"]), {**SIZES, "max_position_embeddings": 66},
        pad_id=1, pooler=True,
    ),
    "gemma3_text": Family(
        "Gemma3Text", _modernbert_tokenizer,
        {
            **SIZES, "num_key_value_heads": 2, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 16,
            "max_position_embeddings": 2048, "use_bidirectional_attention": True,
        },
        max_tokens=2048, pad_id=3, layers="layers",
    ),
}  # fmt: skip
