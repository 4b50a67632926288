"""An encoder trained on the user's own documents by masked language modelling; no labels are needed."""

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.arguments import is_whole, text_column
from hierarchy.disk.paths import expanded, local_path
from hierarchy.errors import ConfigError, DataError, UnreadableError
from hierarchy.text.characters import is_blank
from hierarchy.text.escaping import short_repr
from hierarchy.text.wording import count
from hierarchy.wrong_values import validated
from pipelines.data.documents import Selected
from pipelines.pretraining.encoder_folder import check_encoder_folder, save_encoder
from pipelines.settings import PretrainingSettings
from stages.machine import device_of, first_goes_first, is_first, n_processes
from stages.run_folder import array_digest, cache_key, place_of_run, texts_digest

if TYPE_CHECKING:
    from stages.coarse.segments import Segmenter
    from stages.training.masked_language import Pretraining
    from stages.training.masking import MaskedWindows

PRETRAINING_VERSION = 3  # of the code: another one trains anew instead of going on with what an older one left
LIBRARIES = ("accelerate", "torch", "transformers")
HELD_OUT, MOST_HELD_OUT = 0.05, 1000  # of the documents, and documents at most
UNKNOWN_SAMPLE = 2000  # documents looked at
LAYERS, HIDDEN, VOCABULARY = 4, 256, 12_000  # of a new encoder
MOST_LAYERS, MOST_HIDDEN, VOCABULARIES = 24, 4096, (100, 200_000)
logger = logging.getLogger(f"coarsefine.{__name__}")


def pretrain(
    texts: Sequence[str],
    out: str | Path,
    *,
    encoder: str | None = None,
    layers: int = LAYERS,
    hidden: int = HIDDEN,
    vocabulary: int = VOCABULARY,
    minutes: float | None = None,
    segment_tokens: int = 256,
    masked: float = 0.15,
    training: Mapping[str, Any] | None = None,
    random_state: int = 0,
    device: str | None = None,
    run_dir: str | None = None,
) -> dict[str, Any]:
    """Train an encoder to fill in masked words of documents, and write it to a folder that `encoder` can name.

    A pretraining that was stopped goes on from its last checkpoint in the run folder, where one is named.

    Parameters
    ----------
    texts
        Documents; blank and repeated ones are left out, and a twentieth is held out (1,000 at most).
    out
        Folder of the encoder.
    encoder
        At which it begins: ``embedded``, a local folder or a Hugging Face id. None makes a ModernBERT with random
        weights and a tokenizer trained on the documents.
    layers, hidden, vocabulary
        Of a new one: its size, and the pieces of its vocabulary at most.
    minutes
        From the first step to the last; the learning rate falls by the clock. None ends it after its epochs.
    segment_tokens, masked, training
        See `pipelines.settings.PretrainingSettings`.
    random_state
        Of everything random.
    device
        Torch device; None takes a GPU where there is one.
    run_dir
        Folder for tokens and checkpoints; None takes a temporary one.

    Returns
    -------
    dict
        What ``pretraining.json`` of the folder holds: documents, tokens, and the held-out loss and perplexity of each
        epoch under ``history``.

    Raises
    ------
    ConfigError
        A value cannot be, or the training has diverged.
    DataError
        `texts` is no column of texts, there are fewer than two, or the folder cannot be written.
    EncoderError
        The encoder cannot be had, or does not know the script of the documents.
    """
    folder, encoder = local_path(out), None if encoder is None else expanded(encoder)
    texts = text_column(texts, "texts")
    values = {"segment_tokens": segment_tokens, "masked": masked, "training": dict(training or {})}
    settings = validated(PretrainingSettings, values, where="pretraining")
    check_arguments(
        settings, encoder=encoder, layers=layers, hidden=hidden, vocabulary=vocabulary, minutes=minutes, device=device,
        random_state=random_state,
    )  # fmt: skip
    check_encoder_folder(folder, encoder=encoder, run=run_dir)
    train, held_out = _parts(texts, random_state)
    if encoder is None:
        model, tokenizer = _fresh(train, layers, hidden, vocabulary, random_state)
    else:
        model, tokenizer = _loaded(encoder, random_state)
    _check_readable(tokenizer, train, encoder)
    model.to(device_of(device))
    with place_of_run(run_dir) as run:
        windows = _windows(model, tokenizer, [train, held_out], settings, run, random_state)
        result = _trained(
            model, tokenizer, windows, settings, run, minutes=minutes, random_state=random_state, fresh=encoder is None,
            documents=[texts_digest(train), texts_digest(held_out)],
        )  # fmt: skip
        record = {
            "encoder": "random weights and a tokenizer of its own" if encoder is None else _name(encoder),
            "documents": len(train),
            "held_out": len(held_out),
            "left_out": len(texts) - len(train) - len(held_out),
            "tokens": int(windows[0].lengths.sum()),
            "masked": masked,
            "minutes": minutes,
            "epochs": result.history[-1]["epoch"],
            "best_epoch": result.best_epoch,
            "history": result.history,
            "layers": model.config.num_hidden_layers,
            "hidden": model.config.hidden_size,
            "vocabulary": len(tokenizer),
            "versions": {name: version(name) for name in LIBRARIES},
        }
        if is_first():
            save_encoder(model.to("cpu"), tokenizer, folder, record)
    return record


def check_arguments(
    settings: PretrainingSettings,
    *,
    encoder: str | None = None,
    layers: int = LAYERS,
    hidden: int = HIDDEN,
    vocabulary: int = VOCABULARY,
    minutes: float | None = None,
    device: str | None = None,
    random_state: int = 0,
) -> None:
    """Check the arguments of `pretrain` before any work.

    Raises
    ------
    ConfigError
        With all problems of its own arguments at once, else with those of ``training``.
    """
    from stages.coarse.fresh_encoder import HEAD_SIZE, POSITIONS
    from stages.training.masked_language import check_pretraining

    problems = []
    if minutes is not None and not (isinstance(minutes, Real) and 0 < minutes < float("inf")):
        problems.append(f"minutes {short_repr(minutes)} must be a number above 0")
    if not is_whole(random_state, 0):
        problems.append(f"random_state {short_repr(random_state)} must be a whole number, 0 or more")
    if encoder == "none":
        problems.append("encoder 'none' reads nothing: name one, or begin with a new one (--new; in Python None)")
    if encoder is None:
        if not is_whole(layers, 1, MOST_LAYERS):
            problems.append(f"layers {short_repr(layers)} must be from 1 to {MOST_LAYERS}")
        if not is_whole(hidden, HEAD_SIZE, MOST_HIDDEN) or hidden % HEAD_SIZE:
            problems.append(f"hidden {short_repr(hidden)} must be a multiple of {HEAD_SIZE}, at most {MOST_HIDDEN}")
        if not is_whole(vocabulary, *VOCABULARIES):
            least, most = VOCABULARIES
            problems.append(f"vocabulary {short_repr(vocabulary)} must be from {least} to {most:,}")
        if settings.segment_tokens > POSITIONS:
            problems.append(f"segment_tokens {settings.segment_tokens} must be at most {POSITIONS} for a new encoder")
    if problems:
        raise ConfigError(problems)
    check_pretraining(settings.training, device=device, minutes=minutes)


def _parts(texts: Sequence[str], random_state: int) -> tuple[Selected, Selected]:
    """Documents to train on and documents held out: none is blank, and none stands in both or twice."""
    seen: set[int] = set()
    places = []
    for place, text in enumerate(texts):
        if not is_blank(text) and hash(text) not in seen:
            seen.add(hash(text))
            places.append(place)
    if len(places) < 2:
        raise DataError(f"there is {count(len(places), 'document')} that is neither blank nor repeated: give more")
    order = np.random.default_rng(random_state).permutation(places)
    held_out = min(MOST_HELD_OUT, max(1, round(HELD_OUT * len(order))))
    logger.info("%s to train on, %d held out", count(len(order) - held_out, "document"), held_out)
    return Selected(texts, np.sort(order[held_out:])), Selected(texts, np.sort(order[:held_out]))


def _fresh(train: Sequence[str], layers: int, hidden: int, vocabulary: int, random_state: int) -> tuple[Any, Any]:
    import torch

    from stages.coarse.fresh_encoder import fresh_modernbert, train_tokenizer

    logger.info("a tokenizer is trained on the documents ...")
    with first_goes_first():
        tokenizer = train_tokenizer(train, vocabulary)
    torch.manual_seed(random_state)
    model = fresh_modernbert(tokenizer, layers=layers, hidden=hidden)
    logger.info(
        "a new encoder: %d layers, %d dimensions, %d pieces in the vocabulary, %.1f million weights",
        layers, hidden, len(tokenizer), model.num_parameters() / 1e6,
    )  # fmt: skip
    return model, tokenizer


def _loaded(encoder: str, random_state: int) -> tuple[Any, Any]:
    import torch

    from stages.coarse.masked_encoder import is_sentence_encoder, load_masked_encoder

    torch.manual_seed(random_state)  # of a head that begins at random
    model, tokenizer = load_masked_encoder(encoder)
    if is_sentence_encoder(encoder):
        logger.warning(
            "%s is a sentence encoder: filling in words, it loses what makes the vectors of near texts near. Compare "
            "classifiers with it and without; for label texts and to build groups take it as it was (label_encoder)",
            encoder,
        )
    return model, tokenizer


def _check_readable(tokenizer: Any, texts: Sequence[str], encoder: str | None) -> None:
    from stages.coarse.segments import UNKNOWN_TOKEN_LIMIT, unknown_token_share

    some = np.unique(np.linspace(0, len(texts) - 1, UNKNOWN_SAMPLE).astype(int))
    share = unknown_token_share(tokenizer, [texts[int(place)] for place in some])
    if share > UNKNOWN_TOKEN_LIMIT:
        remedy = (
            "give a larger vocabulary" if encoder is None else "name one for your language, or take a new one (--new)"
        )
        whose = "its new tokenizer" if encoder is None else f"the encoder {encoder!r}"
        raise UnreadableError(f"{share:.0%} of the tokens of these documents are unknown to {whose}: {remedy}")


def _windows(
    model: Any, tokenizer: Any, parts: Sequence[Selected], settings: PretrainingSettings, run: Path, random_state: int
) -> "list[MaskedWindows]":
    """Windows of the documents that are trained on, and of those held out."""
    from stages.coarse.encoder import Encoder
    from stages.training.masking import MaskedWindows, cached_marked_tokens

    segmenter: Segmenter = Encoder(transformer=model.base_model, tokenizer=tokenizer).segmenter(
        segment_tokens=settings.segment_tokens, overlap=0
    )
    windows = []
    for what, part in zip(("documents", "held-out documents"), parts, strict=True):
        with first_goes_first():
            tokens = cached_marked_tokens(part, segmenter, run, what=f"tokens of {what}")
        windows.append(MaskedWindows(tokens, segmenter, random_state=random_state))
        if not len(windows[-1]):
            raise DataError(f"the {what} have no tokens for this encoder: give other documents")
    train = windows[0]
    logger.info(
        "%s of up to %d tokens, %.3g tokens in all; masked: %g %% of the words (in scripts without spaces: of tokens)",
        count(len(train), "window"), settings.segment_tokens, train.lengths.sum(), 100 * settings.masked,
    )  # fmt: skip
    return windows


def _trained(
    model: Any, tokenizer: Any, windows: "Sequence[MaskedWindows]", settings: PretrainingSettings, run: Path, *,
    minutes: float | None, random_state: int, fresh: bool, documents: list[str],
) -> "Pretraining":  # fmt: skip
    from stages.features import token_key
    from stages.training.masked_language import pretraining_settings, train_masked_language
    from stages.training.masking import MARKS_VERSION, MaskWords

    train, held_out = windows
    arguments = pretraining_settings(settings.training, fresh=fresh, device=model.device, minutes=minutes)
    key = cache_key(
        made_by=[PRETRAINING_VERSION, MARKS_VERSION, {name: version(name) for name in LIBRARIES}, n_processes()],
        settings=settings.model_dump(exclude={"training"}),
        arguments=arguments,
        minutes=minutes,
        random_state=random_state,
        tokens=token_key(train.segmenter),
        weights={name: array_digest(tensor.cpu().numpy()) for name, tensor in model.state_dict().items()},
        config=model.config.to_diff_dict(),
        documents=documents,
    )[:16]
    return train_masked_language(
        model, train=train, held_out=held_out, masks=MaskWords(tokenizer, settings.masked), settings=arguments,
        folder=run / f"pretraining-{key}", random_state=random_state, minutes=minutes,
    )  # fmt: skip


def _name(encoder: str) -> str:
    """Return what an encoder is called: where a folder lies is nobody else's concern."""
    folder = Path(encoder)
    return folder.resolve().name if folder.is_dir() else encoder
