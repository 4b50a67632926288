"""Which model a file belongs to: a model is read as damaged as soon as one of its files is written anew."""

from pathlib import Path

from hierarchy.disk.strict_json import parse_json

MANIFEST = "manifest.json"
_LARGEST = 1 << 20  # bytes; a manifest lists a thousand files at most


def model_of(file: Path) -> Path | None:
    """Return the folder of the model whose manifest lists a file, or is that file; None where there is none."""
    file = file.resolve()
    return next((folder for folder in file.parents if _lists(folder / MANIFEST, file)), None)


def _lists(manifest: Path, file: Path) -> bool:
    try:
        if not manifest.is_file() or manifest.stat().st_size > _LARGEST:
            return False
        listed = parse_json(manifest.read_bytes())["sha256"]
        own = isinstance(listed, dict)
        return own and (file == manifest or file.relative_to(manifest.parent).as_posix() in listed)
    except (OSError, ValueError, TypeError, KeyError):  # another program's, or none that can be read
        return False
