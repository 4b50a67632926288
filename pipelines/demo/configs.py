"""Where the configs lie: in a checkout the folder `configs/`, in an installed wheel inside the package `coarsefine`."""

from pathlib import Path

_ROOT = Path(__file__).parents[2]


def configs_folder() -> Path:
    """Return the folder of the configs and of the demo's sentences.

    Returns
    -------
    Path
        Of the checkout, of an editable install's checkout, or of the installed wheel. A folder `configs` beside the
        packages is another project's where the wheel is installed, so ours goes first.
    """
    installed = _ROOT / "coarsefine" / "configs"
    return installed if installed.is_dir() else _ROOT / "configs"
