"""The encoder: token ids of a segment into a vector for each of its units, with any Hugging Face encoder by name."""

import functools
import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from hierarchy.embedding.pretrained import quiet_transformers
from stages.coarse.chunks import Chunk, chunked, tokens_at_once
from stages.coarse.loading import load_transformer
from stages.coarse.segment_encoder import SegmentEncoder
from stages.coarse.segments import tokenizer_rules
from stages.machine import ahead

# In an encoder's config, what its vectors do not depend on; nor do they on rates of dropout.
NOT_READ = {"_name_or_path", "architectures", "transformers_version", "dtype", "id2label", "label2id"}

Read: TypeAlias = Callable[..., Tensor]  # input_ids and attention_mask to (segments, tokens, hidden)
logger = logging.getLogger(f"coarsefine.{__name__}")


class Encoder(nn.Module, SegmentEncoder):
    """A pretrained transformer with its tokenizer, giving one vector a unit.

    Parameters
    ----------
    transformer
        A transformers encoder.
    tokenizer
        Its fast tokenizer.
    pooling
        ``mean`` over the tokens of a unit, or ``cls``: the first token of a segment, which is one unit then.
    dtype
        ``float32``, ``bfloat16``, or ``auto``: bf16 where the device computes it natively. In bf16 what a segment is
        read beside moves its vector by rounding: probabilities by up to 0.01, in fp32 by up to 1e-5.
    """

    def __init__(self, *, transformer: nn.Module, tokenizer: Any, pooling: str = "mean", dtype: str = "auto") -> None:
        super().__init__()
        self.transformer = transformer
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.dtype = dtype
        self.fitting = sys.maxsize  # padded tokens that fit in the memory of the device, as far as is known

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        source: str | None = None,
        pooling: str = "mean",
        dtype: str = "auto",
        attention_dropout: float | None = None,
    ) -> "Encoder":
        """Load an encoder by name.

        Parameters
        ----------
        name
            ``embedded``, a local folder, or a Hugging Face id.
        pooling, dtype
            As for the class.
        source, attention_dropout
            As for `stages.coarse.loading.load_transformer`.

        Raises
        ------
        EncoderError
            As `stages.coarse.loading.load_transformer` says.
        """
        transformer, tokenizer = load_transformer(name, source=source, attention_dropout=attention_dropout)
        return cls(transformer=transformer, tokenizer=tokenizer, pooling=pooling, dtype=dtype)

    @property
    def hidden_size(self) -> int:
        """Dimensions of a vector."""
        return int(self.transformer.config.hidden_size)

    @property
    def max_tokens(self) -> int:
        """Longest segment that the encoder takes, special tokens included."""
        config = self.transformer.config
        limits = [int(self.tokenizer.model_max_length)]
        positions = getattr(config, "max_position_embeddings", None)
        if positions:
            # RoBERTa and its kin count positions from padding_idx + 1
            table = getattr(getattr(self.transformer, "embeddings", None), "position_embeddings", None)
            padding = getattr(table, "padding_idx", None)
            limits.append(positions if padding is None else positions - padding - 1)
        return min(limits)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.transformer.parameters()).device

    @property
    def runtime(self) -> str:
        """The version of torch."""
        return version("torch")

    @property
    def vector_type(self) -> np.dtype:
        """float16 where it reads in bf16, else float32."""
        return np.dtype("float16" if self._bf16() else "float32")

    def tokens_per_chunk(self, chosen: int | Literal["auto"], *, training: bool = False) -> int:
        """Return the padded tokens that go through the encoder at once: those chosen, or what fits this machine."""
        return tokens_at_once(self.device, self.hidden_size, training=training) if chosen == "auto" else chosen

    def forward(self, chunks: Iterable[Chunk]) -> Tensor:
        """Encode chunk by chunk and put the vectors back in the order of the batch.

        A chunk that does not fit in the memory of a GPU is halved, and so are those after it.

        Parameters
        ----------
        chunks
            Segments sorted by length, as `chunked` cuts them.

        Returns
        -------
        Tensor
            (units of all segments, hidden) float32.
        """
        with self._autocast():
            return self._in_order(chunks, self._states)

    def encode(
        self,
        input_ids: Sequence[Sequence[int] | np.ndarray],
        units: np.ndarray | None = None,
        *,
        tokens_per_chunk: int | Literal["auto"] = "auto",
    ) -> np.ndarray:
        """Encode segments without gradients; parameters and result as for `SegmentEncoder.encode`."""
        at_once, kept = self.tokens_per_chunk(tokens_per_chunk), self.vector_type
        largest = float(np.finfo(kept).max)
        chunks = chunked(input_ids, units, tokens_per_chunk=at_once, pad_id=self.pad_id)
        with torch.inference_mode():
            if self.device.type == "cuda":  # the next chunk is padded and on its way while the card works
                chunks = ahead(chunk.pin_memory() for chunk in chunks)
            if self._holds_bf16():
                weights = {name: weight.bfloat16() for name, weight in self.transformer.named_parameters()}
                vectors = self._in_order(chunks, functools.partial(self._states_with, weights))
            else:
                vectors = self(chunks)
            return vectors.clamp(-largest, largest).to(getattr(torch, kept.name)).cpu().numpy()

    def fingerprint(self) -> str:
        """SHA-256 over weights, tokenizer, config, pooling and dtype: what the vectors depend on."""
        config = {name: value for name, value in self._config().items() if "dropout" not in name}
        read = json.dumps([self.pooling, self._bf16(), config], sort_keys=True, default=str)
        return self._content(hashlib.sha256(read.encode()))

    def dropout_rates(self) -> dict[str, Any]:
        """Rates of dropout by the names of the config: what a training of the encoder depends on beside its vectors."""
        return {name: value for name, value in self._config().items() if "dropout" in name}

    def content_fingerprint(self) -> str:
        """SHA-256 over weights and tokenizer alone: the same on every machine."""
        return self._content(hashlib.sha256())

    def save(self, folder: Path) -> None:
        """Write the encoder and its tokenizer as transformers does."""
        with quiet_transformers():
            self.transformer.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)

    def _config(self) -> dict[str, Any]:
        return {name: value for name, value in self.transformer.config.to_dict().items() if name not in NOT_READ}

    def _content(self, digest: "hashlib._Hash") -> str:
        digest.update(json.dumps(tokenizer_rules(self.tokenizer), sort_keys=True).encode())
        for name, tensor in sorted(self.transformer.state_dict().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
        return digest.hexdigest()

    def _in_order(self, chunks: Iterable[Chunk], read: Read) -> Tensor:
        # Nothing here waits for the device: sizes and places were counted before the chunks went there.
        vectors, places = zip(*self._unit_vectors(chunks, read), strict=True)
        joined = torch.cat(vectors)
        return torch.zeros_like(joined).index_copy(0, torch.cat(places), joined)  # (units, hidden)

    def _unit_vectors(self, chunks: Iterable[Chunk], read: Read) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the vectors of chunk after chunk, and their places in the batch."""
        for chunk in chunks:
            waiting = [chunk.to(self.device, non_blocking=True)]
            while waiting:
                part = waiting.pop()
                fits = part.input_ids.numel() <= self.fitting or len(part.input_ids) == 1
                vectors = self._vectors_if_they_fit(part, read) if fits else None
                if vectors is None:
                    waiting += part.halves()
                else:
                    yield vectors, part.index

    def _vectors_if_they_fit(self, chunk: Chunk, read: Read) -> Tensor | None:
        try:
            mask = chunk.attention_mask if chunk.is_padded else None
            hidden = read(input_ids=chunk.input_ids, attention_mask=mask)  # (segments, tokens, hidden)
            return self._pool(hidden.float(), chunk)
        except torch.OutOfMemoryError:
            if len(chunk.input_ids) == 1:
                raise
        tokens = chunk.input_ids.numel()
        self.fitting = tokens // 2
        torch.cuda.empty_cache()  # what the attempt took, in pieces of other sizes
        logger.warning("%d tokens at once do not fit in the GPU's memory: %d from now on", tokens, self.fitting)
        return None

    def _states(self, **inputs: Any) -> Tensor:
        states: Tensor = self.transformer(**inputs).last_hidden_state
        return states

    def _states_with(self, weights: dict[str, Tensor], **inputs: Any) -> Tensor:
        states: Tensor = functional_call(self.transformer, weights, kwargs=inputs).last_hidden_state
        return states

    def _autocast(self) -> AbstractContextManager[Any]:
        # Switched off, it would also switch off what surrounds it: the Trainer's own bf16 or fp16.
        return torch.autocast(self.device.type, torch.bfloat16) if self._bf16() else nullcontext()

    def _pool(self, hidden: Tensor, chunk: Chunk) -> Tensor:
        # hidden (segments, tokens, hidden) float32 -> (units of all segments, hidden)
        if self.pooling == "cls":
            return hidden[:, 0]
        bounds, slots = chunk.bounds, chunk.slots
        place = torch.arange(hidden.shape[1], device=hidden.device)
        inside = (place >= bounds[:, :-1, None]) & (place < bounds[:, 1:, None])  # (segments, units, tokens)
        with torch.autocast(hidden.device.type, enabled=False):  # a sum of many tokens
            sums = inside.to(hidden.dtype) @ hidden  # (segments, units, hidden)
        tokens = bounds.diff().flatten()[slots].unsqueeze(1)  # (units of all segments, 1)
        return sums.flatten(0, 1)[slots] / tokens

    def _holds_bf16(self) -> bool:
        """Whether it reads with weights in bf16: on a GPU autocast would turn them all into bf16 for each chunk."""
        return self.device.type == "cuda" and self._bf16()

    def _bf16(self) -> bool:
        return self.dtype == "bfloat16" or (self.dtype == "auto" and computes_bf16(self.device))


def computes_bf16(device: torch.device) -> bool:
    """Whether bf16 is native on `device`; on a processor without it bf16 is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and _processor_computes_bf16()


@functools.cache
def _processor_computes_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
