"""What transformers would show on its own while models are read and written: our own lines say what is going on."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide its bars about weights and its reports on them in the block; downloads, which take long, keep their bars."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, enable_progress_bars
    from transformers.utils import logging

    bars, level, downloads = (
        logging.is_progress_bar_enabled(),
        logging.get_verbosity(),
        not are_progress_bars_disabled(),
    )
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if downloads:
        enable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
