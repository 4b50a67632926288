"""What whole trainings and their answers come from beside documents, tree and settings: told by content, not by name.

Folds, trials and finished shards of predictions rest on nearly all of this project, so they are kept for its whole code
and not for a version that somebody has to remember to raise.
"""

import hashlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from hierarchy.errors import ConfigError, EncoderError
from hierarchy.taxonomy import Taxonomy
from pipelines.data.augmentation import load_function
from pipelines.data.documents import Documents
from pipelines.data.splits import fingerprint
from pipelines.model.record import library_version
from pipelines.settings import MACHINE, Settings
from stages.run_folder import cache_key, texts_digest

T = TypeVar("T")
HOUSE = Path(__file__).parents[2]
PACKAGES = ("hierarchy", "stages", "pipelines")
LIBRARIES = (
    "accelerate", "numpy", "openvino", "optuna", "scikit-learn", "scipy", "sentence-transformers", "tokenizers",
    "torch", "transformers",
)  # fmt: skip


@cache
def code_and_libraries() -> dict[str, str | None]:
    """SHA-256 of this project's code, and the version of each library that decides an answer; None without it."""
    return {"code": _code(HOUSE), **{name: library_version(name) for name in LIBRARIES}}


@dataclass(frozen=True)
class SameVersions(Generic[T]):
    """Work for other processes, which refuse it where their code or libraries are others: figures would be, too.

    Attributes
    ----------
    work
        Picklable.
    versions
        Of code and libraries where the work is begun.
    """

    work: Callable[[], T]
    versions: Mapping[str, str | None] = field(default_factory=lambda: code_and_libraries())

    def __call__(self) -> T:
        """Do the work; raises ConfigError where versions differ."""
        here = code_and_libraries()
        differ = [name for name in self.versions if here.get(name) != self.versions[name]]
        if differ:
            raise ConfigError(f"a worker has another version of: {', '.join(differ)}; install the same on all machines")
        return self.work()


def work_key(
    settings: Settings,
    taxonomy: Taxonomy | None,
    *documents: Documents,
    encoders: Iterable[str | None],
    functions: Iterable[str | None],
    no_matter: Collection[str] = MACHINE,
    **more: Any,
) -> str:
    """Name a work of several trainings by all that they depend on: 16 hexadecimal digits.

    Parameters
    ----------
    settings, taxonomy, documents
        That all of them start from.
    encoders, functions
        Names that the settings may have; what stands behind them counts.
    no_matter
        Settings that change no answer.
    more
        What else matters.
    """
    return cache_key(
        made_by=code_and_libraries(),
        encoders=encoder_contents(encoders),
        functions=function_sources(functions),
        settings=settings.model_dump(exclude=set(no_matter)),
        taxonomy=None if taxonomy is None else taxonomy.to_json(),
        documents=[fingerprint(part.texts, part.labels) for part in documents],
        **more,
    )[:16]


def encoder_contents(names: Iterable[str | None]) -> dict[str, Any]:
    """Return what each encoder is, by its name; None where it cannot be had, which its training will tell."""
    contents: dict[str, Any] = {}
    for name in {*names} - {None, "none"}:
        assert name is not None  # noqa: S101 - tells the type checker
        from stages.coarse.encoder import Encoder

        contents[name] = None
        with suppress(EncoderError):
            encoder = Encoder.from_pretrained(name, dtype="float32")
            contents[name] = [encoder.fingerprint(), encoder.dropout_rates()]
    return contents


def function_sources(names: Iterable[str | None]) -> dict[str, str | None]:
    """SHA-256 of the module of each function (``module:function``), by its name; None where Python has no source."""
    return {name: _source(name) for name in names if name is not None}


def _code(house: Path) -> str:
    files = sorted(file for package in PACKAGES for file in (house / package).rglob("*.py"))
    return texts_digest(
        part for file in files for part in (file.relative_to(house).as_posix(), file.read_text(encoding="utf-8"))
    )


def _source(name: str) -> str | None:
    try:
        function = load_function(name)
    except ConfigError:
        return None
    places: tuple[Any, ...] = (inspect.getmodule(function), function)
    for place in places:  # in a notebook the module has no file
        with suppress(OSError, TypeError):
            return hashlib.sha256(inspect.getsource(place).encode("utf-8", "surrogatepass")).hexdigest()
    return None
