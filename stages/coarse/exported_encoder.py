"""An encoder that a runtime computes: made of one of torch, it reads where neither torch nor transformers is installed.

Its folder holds what OpenVINO reads (``openvino_model.xml`` and ``.bin``), the rules of its tokenizer, and
``exported.json``, which says what else there is to know. `stages.coarse.exporting` writes it.
"""

import hashlib
import json
import logging
import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hierarchy.embedding.pretrained import is_panic
from hierarchy.errors import EncoderError, first_line, need
from stages.coarse.chunks import ON_PROCESSOR, alike, padded_ids, unit_places
from stages.coarse.encoder_files import check_growth
from stages.coarse.fast_tokenizer import RULES, FastTokenizer
from stages.coarse.segment_encoder import SegmentEncoder
from stages.coarse.signal_stack import kept_signal_stack

Dtype: TypeAlias = Literal["float32", "bfloat16", "int8"]
GRAPH, WEIGHTS, DESCRIPTION = "openvino_model.xml", "openvino_model.bin", "exported.json"
FILES = (GRAPH, WEIGHTS, RULES, DESCRIPTION)
TELEMETRY = "openvino_telemetry"
INPUTS, STATES = ("input_ids", "attention_mask"), "last_hidden_state"
SIZE = Annotated[int, Field(ge=1, lt=2**31)]
logger = logging.getLogger(f"coarsefine.{__name__}")


class Description(BaseModel):
    """``exported.json``.

    Parameters
    ----------
    runtime, dtype
        What computes it, and in what: ``int8`` are weights and activations, the rest of it float32.
    pooling
        As for `SegmentEncoder`.
    hidden_size, max_tokens
        As for `SegmentEncoder`.
    pad_token_id, unk_token_id
        Of the tokenizer.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    runtime: Literal["openvino"] = "openvino"
    dtype: Dtype
    pooling: Literal["mean", "cls"]
    hidden_size: SIZE
    max_tokens: SIZE
    pad_token_id: Annotated[int, Field(ge=0)] | None
    unk_token_id: Annotated[int, Field(ge=0)] | None


class ExportedEncoder(SegmentEncoder):
    """An encoder that OpenVINO computes on the processor. Several threads may use it: they go through one by one.

    Parameters
    ----------
    folder
        Where its files lie; they are read once, and `save` writes what was read.
    name
        What messages call it; None is the folder.

    Raises
    ------
    EncoderError
        A file is missing or damaged, or they do not fit together.
    MissingLibraryError
        OpenVINO or tokenizers is not installed.
    """

    def __init__(self, folder: Path, *, name: str | None = None) -> None:
        name = str(folder) if name is None else name
        need_openvino("tokenizers", what="an exported encoder stands on OpenVINO with tokenizers")
        try:
            check_growth(name, folder)
            self._files = {file: (folder / file).read_bytes() for file in FILES}
            self.description = Description.model_validate_json(self._files[DESCRIPTION])
            self.tokenizer = FastTokenizer.from_json(
                self._files[RULES],
                pad_token_id=self.description.pad_token_id,
                unk_token_id=self.description.unk_token_id,
            )
            self._request = _compiled(self._files, self.description.dtype).create_infer_request()
        except BaseException as error:  # pydantic, the system, tokenizers and OpenVINO have no common one
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise EncoderError(f"encoder {name!r} cannot be loaded ({first_line(error)}): export it again") from error
        self.pooling = self.description.pooling
        self._one_by_one = threading.Lock()
        self._check(name)

    @property
    def hidden_size(self) -> int:
        """Dimensions of a vector."""
        return self.description.hidden_size

    @property
    def max_tokens(self) -> int:
        """Longest segment that the encoder takes, special tokens included."""
        return self.description.max_tokens

    @property
    def vector_type(self) -> np.dtype:
        """float16 where it reads in bf16, else float32."""
        return np.dtype("float16" if self.description.dtype == "bfloat16" else "float32")

    @property
    def runtime(self) -> str:
        """OpenVINO with its version, and the dtype."""
        return f"openvino {version('openvino')} {self.description.dtype}"

    def encode(
        self,
        input_ids: Sequence[Sequence[int] | np.ndarray],
        units: np.ndarray | None = None,
        *,
        tokens_per_chunk: int | Literal["auto"] = "auto",
    ) -> np.ndarray:
        """Encode segments; parameters and result as for `SegmentEncoder.encode`."""
        at_once = ON_PROCESSOR if tokens_per_chunk == "auto" else tokens_per_chunk
        lengths = np.array([len(ids) for ids in input_ids])
        units = np.ones_like(lengths) if units is None else units
        first_units = np.cumsum(units) - units  # place of each segment's first unit in the batch
        vectors = np.empty((int(units.sum()), self.hidden_size), dtype=self.vector_type)
        largest = float(np.finfo(vectors.dtype).max)
        with self._one_by_one:
            for some in alike(lengths, tokens_per_chunk=at_once):
                ids, mask = padded_ids([input_ids[i] for i in some], self.pad_id)
                bounds, there, index = unit_places(lengths[some], units[some], first_units[some])
                hidden = self._states(ids, mask)
                pooled = hidden[:, 0] if self.pooling == "cls" else _unit_means(hidden, bounds, there)
                vectors[index] = pooled.clip(-largest, largest)
        return vectors

    def fingerprint(self) -> str:
        """SHA-256 over its files."""
        digests = {file: hashlib.sha256(content).hexdigest() for file, content in self._files.items()}
        return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write its files to a folder, made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in self._files.items():
            (folder / file).write_bytes(content)

    def _states(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Hidden states (segments, tokens, hidden) float32; the next call overwrites them."""
        self._request.infer(dict(zip(INPUTS, (ids, mask), strict=True)))
        states: np.ndarray = self._request.get_tensor(STATES).data
        return states

    def _check(self, name: str) -> None:
        """Let it read its last token: what comes out must be vectors of the size that it says."""
        last = max(self.tokenizer.backend_tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
        try:
            hidden = self._states(np.array([[last]]), np.ones((1, 1), dtype=np.int64))
        except Exception as error:  # OpenVINO's own
            raise EncoderError(f"encoder {name!r} cannot read ({first_line(error)}): export it again") from error
        if hidden.shape != (1, 1, self.hidden_size) or not np.isfinite(hidden).all():
            raise EncoderError(
                f"encoder {name!r} gives numbers of shape {list(hidden.shape)} that are no vectors of "
                f"{self.hidden_size} dimensions: export it again"
            )


def need_openvino(*others: str, what: str) -> None:
    """Import OpenVINO, and other libraries that stand on it, without what they send; see `hierarchy.errors.need`."""
    with without_telemetry():
        need("openvino", *others, what=what)


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Let ``openvino_telemetry`` count as not installed: what is imported goes on with a stub, and sends nothing.

    OpenVINO tells Google Analytics as soon as it is imported, from a fork of this process, with all its threads' locks.
    """
    before = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # what import takes for "not there"
    try:
        yield
    finally:
        if before is None:
            del sys.modules[TELEMETRY]
        else:
            sys.modules[TELEMETRY] = before


@kept_signal_stack()
def computes(dtype: Dtype) -> bool:
    """Whether this processor computes in a dtype natively. Without VNNI it has int8, and gains little by it.

    OpenVINO was imported before, see `need_openvino`.
    """
    from openvino import Core

    capability = {"float32": "FP32", "bfloat16": "BF16", "int8": "INT8"}[dtype]
    return capability in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def is_exported(files: Collection[str], part: str) -> bool:
    """Whether a part of a model, by the names of the model's files, is an exported encoder."""
    return f"{part}/{DESCRIPTION}" in files


@kept_signal_stack()
def _compiled(files: Mapping[str, bytes], dtype: Dtype) -> Any:
    from openvino import Core

    core = Core()
    try:
        graph = core.read_model(files[GRAPH], files[WEIGHTS])
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]  # the lines before it are places in the source of OpenVINO
        raise EncoderError(reason) from error
    names = {name for port in graph.inputs for name in port.get_names()}
    if names != set(INPUTS) or [STATES in port.get_names() for port in graph.outputs] != [True]:
        raise EncoderError(f"{GRAPH} does not turn {' and '.join(INPUTS)} into {STATES}")
    if not computes(dtype):
        logger.warning("this processor has no %s: the exported encoder computes in float32, with other answers", dtype)
    hint = {"float32": "f32", "int8": "f32", "bfloat16": "bf16"}[dtype]
    how = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": _threads()}
    return core.compile_model(graph, "CPU", how)


def _threads() -> int:
    """As many as ``OMP_NUM_THREADS`` says, which torch and NumPy follow and OpenVINO does not; 0 is all cores."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(int(said), os.cpu_count() or 1) if said.isdecimal() else 0


def _unit_means(hidden: np.ndarray, bounds: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Mean of the states of each unit's tokens.

    Parameters
    ----------
    hidden
        (segments, tokens, hidden) float32.
    bounds
        (segments, most units + 1) where each unit begins and the last one ends.
    there
        (segments, most units) bool, which units there are.

    Returns
    -------
    numpy.ndarray
        (units of all segments, hidden) float32.
    """
    place = np.arange(hidden.shape[1])
    inside = (place >= bounds[:, :-1, None]) & (place < bounds[:, 1:, None])  # (segments, units, tokens)
    sums = inside.astype(np.float32) @ hidden  # (segments, units, hidden)
    return np.asarray(sums[there] / np.diff(bounds)[there][:, None], dtype=np.float32)
