"""An encoder of torch into one that OpenVINO computes, `stages.coarse.exported_encoder.ExportedEncoder`.

transformers exports its own models (`transformers.exporters`, experimental), and NNCF quantizes them. Both send events
to Google Analytics through ``openvino_telemetry``: here it counts as not installed.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from hierarchy.embedding.pretrained import only_errors
from hierarchy.errors import EncoderError, first_line
from stages.coarse.chunks import padded_ids
from stages.coarse.encoder import Encoder
from stages.coarse.exported_encoder import (
    DESCRIPTION,
    GRAPH,
    INPUTS,
    STATES,
    Description,
    Dtype,
    ExportedEncoder,
    computes,
    need_openvino,
    without_telemetry,
)
from stages.coarse.fast_tokenizer import RULES
from stages.coarse.signal_stack import kept_signal_stack

SEGMENTS = 300  # of mixed length, on which int8 is fitted
EXPORTERS = ("openvino", "nncf", "transformers", "torch")  # whose versions decide the numbers
logger = logging.getLogger(f"coarsefine.{__name__}")


def export_encoder(encoder: Encoder, folder: Path, *, dtype: Dtype, segments: Sequence[np.ndarray]) -> ExportedEncoder:
    """Write an encoder for OpenVINO and read it back.

    Parameters
    ----------
    encoder
        Of torch.
    folder
        Where its files go; made if missing.
    dtype
        In what it computes.
    segments
        (tokens,) ids of segments as it will meet them; of these, `SEGMENTS` of mixed length fit the steps of int8.

    Raises
    ------
    EncoderError
        Its architecture cannot be exported, or this processor does not compute in `dtype`.
    MissingLibraryError
        OpenVINO or NNCF is not installed.
    """
    check_exportable(dtype)
    with without_telemetry(), kept_signal_stack():
        with _quiet():
            try:
                graph = _graph(encoder)
                if dtype == "int8":
                    graph = _quantized(graph, encoder.pad_id, _mixed(segments))
            except Exception as error:  # torch, OpenVINO and NNCF have no common one
                kind = encoder.transformer.config.model_type
                raise EncoderError(
                    f"an encoder of the kind {kind!r} cannot be exported: {first_line(error)}"
                ) from error
        _write(encoder, graph, folder, dtype)
    return ExportedEncoder(folder)


def check_exportable(dtype: Dtype) -> None:
    """Refuse what cannot be exported here; raises as `export_encoder`."""
    need_openvino(*["nncf"] * (dtype == "int8"), what="an export is made by OpenVINO (int8 with NNCF)")
    if not computes(dtype):
        raise EncoderError(f"this processor does not compute in {dtype}: export float32, or on another machine")


def export_versions(dtype: Dtype) -> dict[str, str]:
    """Versions of the libraries that made an export."""
    return {name: version(name) for name in EXPORTERS if name != "nncf" or dtype == "int8"}


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the libraries say, and leave the log as it was: NNCF puts a class and a handler of its own into it."""
    kind, root = logging.getLoggerClass(), logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    levels = [handler.level for handler in handlers]
    try:
        with only_errors(), catch_warnings(), redirect_stdout(StringIO()):
            simplefilter("ignore")
            yield
    finally:
        logging.setLoggerClass(kind)
        root.setLevel(level)
        root.handlers[:] = handlers
        for handler, its_level in zip(handlers, levels, strict=True):
            handler.setLevel(its_level)


def _graph(encoder: Encoder) -> Any:
    """Export the transformer with segments and tokens of any number; of its answers only the states stay."""
    import torch
    from transformers.exporters import OpenVINOConfig, OpenVINOExporter

    ids = torch.full((2, min(16, encoder.max_tokens)), encoder.pad_id)
    ids[:, :2] = torch.tensor(encoder.tokenizer("a")["input_ids"][:2])
    axes = {0: torch.export.Dim("segments"), 1: torch.export.Dim("tokens", max=encoder.max_tokens)}
    exported = OpenVINOExporter().export(
        encoder.transformer,
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        config=OpenVINOConfig(dynamic=True, dynamic_shapes=dict.fromkeys(INPUTS, axes)),
    )
    graph = exported.program
    for result in graph.get_results():
        if STATES not in result.output(0).get_names():
            graph.remove_result(result)
    return graph


def _quantized(graph: Any, pad_id: int, segments: Sequence[np.ndarray]) -> Any:
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    samples = [dict(zip(INPUTS, padded_ids([ids], pad_id), strict=True)) for ids in segments]
    # The overflow fix spends a bit of the weights: without it sums overflow on processors that lack VNNI.
    advanced = AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE)
    return nncf.quantize(
        graph,
        nncf.Dataset(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(samples),
        advanced_parameters=advanced,
    )


def _mixed(segments: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Choose segments from the shortest to the longest, evenly."""
    order = np.argsort([len(ids) for ids in segments], kind="stable")
    picks = np.linspace(0, len(order) - 1, min(SEGMENTS, len(order))).round().astype(int)
    return [segments[order[pick]] for pick in picks]


def _write(encoder: Encoder, graph: Any, folder: Path, dtype: Dtype) -> None:
    from openvino import save_model

    folder.mkdir(parents=True, exist_ok=True)
    save_model(graph, str(folder / GRAPH), compress_to_fp16=False)
    (folder / RULES).write_text(json.dumps(_rules(encoder), ensure_ascii=False), encoding="utf-8")
    said = {
        "dtype": dtype,
        "pooling": encoder.pooling,
        "hidden_size": encoder.hidden_size,
        "max_tokens": encoder.max_tokens,
        "pad_token_id": encoder.tokenizer.pad_token_id,
        "unk_token_id": encoder.tokenizer.unk_token_id,
    }
    (folder / DESCRIPTION).write_text(Description.model_validate(said).model_dump_json(indent=1), encoding="utf-8")


def _rules(encoder: Encoder) -> dict[str, Any]:
    rules: dict[str, Any] = json.loads(encoder.tokenizer.backend_tokenizer.to_str())
    return {**rules, "truncation": None, "padding": None}
