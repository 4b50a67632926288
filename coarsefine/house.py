"""Where the packages of this project stand, and what is said where another one of the same name stands before them."""

from importlib.util import find_spec
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
PACKAGES = ("hierarchy", "stages", "pipelines")


def check_house() -> None:
    """Check that Python takes the packages of this project for what they are called.

    Raises
    ------
    ImportError
        Another folder or file of one of these names stands before it on the path, or was imported already.
    """
    for name in PACKAGES:
        place = _place(name)
        if place != HOUSE / name:
            raise ImportError(
                f"{place} stands in front of the package {name!r} of coarsefine, which is in {HOUSE}: rename it, run "
                f"Python from elsewhere, or put {place.parent} behind {HOUSE} in sys.path",
                name=name,
                path=str(place),
            )


def _place(name: str) -> Path:
    """Return the folder, or the file, that Python imports under a name."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:  # nothing, or a folder that is no package: neither stands before ours
        return HOUSE / name
    file = Path(spec.origin).resolve()
    return file.parent if file.name.startswith("__init__.") else file
