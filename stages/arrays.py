"""What the arrays of a file must be like, checked before native code is given them.

scipy, torch and numpy trust indices, pointers and shapes: a wrong one ends in a crash or in foreign memory, and a NaN
in answers that are none. So each file that is read back has a specification, name by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from hierarchy.errors import ArtifactError, first_line

LARGEST = 1e9  # of numbers that are no whole ones: what is above overflows in float32 once it is multiplied
MOST = 2**48  # of documents: sums of such numbers stay within 64 bits
COPY_AGAIN = "copy it again, or make it anew"


@dataclass(frozen=True)
class Array:
    """What one array must be like. Numbers that are no whole ones must be finite, and up to `LARGEST`.

    Attributes
    ----------
    dtype
        Its name in numpy.
    shape
        A number, or the name of a length, which is the same wherever it stands; ``name + 1`` is one more.
    below
        Name of a length: whole numbers from 0 up to it, not included.
    counts
        Whole numbers from 0 up.
    rising
        None stands lower than the one before.
    complete
        Every number below `below` is there; only where it is rising too.
    pointers
        Name of a length: index pointers of a sparse matrix, from 0 to it, rising.
    holds
        Names of the lengths that it holds.
    required
        Whether it must be there.
    """

    dtype: str
    shape: tuple[str | int, ...]
    below: str = ""
    counts: bool = False
    rising: bool = False
    complete: bool = False
    pointers: str = ""
    holds: tuple[str, ...] = ()
    required: bool = True

    def problem(self, array: np.ndarray, sizes: dict[str, int]) -> str:
        """Say what is wrong with an array; empty where nothing is. Lengths that `sizes` lacks are put into it."""
        if array.dtype.name != self.dtype:
            return f"holds {array.dtype.name}, not {self.dtype}"
        if array.ndim != len(self.shape) or not all(map(_fits, array.shape, self.shape, [sizes] * array.ndim)):
            return f"has the shape {list(array.shape)}, not {_in_words(self.shape, sizes)}"
        return self._problem_of_values(array, sizes) if array.size else ""

    def _problem_of_values(self, array: np.ndarray, sizes: Mapping[str, int]) -> str:
        low, high = array.min(), array.max()
        if array.dtype.kind == "f" and not (float(low) >= -LARGEST and float(high) <= LARGEST):  # NaN is neither
            return f"holds numbers that are not finite, or above {LARGEST:g}"
        if self.below and not 0 <= low <= high < sizes[self.below]:
            return f"holds {low if low < 0 else high}, and there are {sizes[self.below]} {self.below}"
        if self.counts and not 0 <= low <= high < MOST:
            return f"holds {low if low < 0 else high}, which is no number of documents"
        if (self.rising or self.pointers) and (array[1:] < array[:-1]).any():
            return "falls, where it must rise"
        if self.complete and 1 + np.count_nonzero(array[1:] != array[:-1]) < sizes[self.below]:
            return f"leaves out some of the {sizes[self.below]} {self.below}"
        if self.pointers and (array[0], array[-1]) != (0, sizes[self.pointers]):
            return f"goes from {array[0]} to {array[-1]}, not from 0 to {sizes[self.pointers]}"
        if self.holds and array.tolist() != [sizes[name] for name in self.holds]:
            return f"says {array.tolist()}, not {_in_words(self.holds, sizes)}"
        return ""


def row_arrays(prefix: str, *, rows: str, columns: str, sparse: bool) -> dict[str, Array]:
    """Specify what `stages.fine.rows.Rows.tensors` writes.

    Parameters
    ----------
    prefix
        As it was given there.
    rows, columns
        Names of the lengths; that of the columns of sparse rows must be known before.
    sparse
        CSR, or dense.
    """
    bias = {f"{prefix}.bias": Array("float32", (rows,))}
    if not sparse:
        return {f"{prefix}.weight": Array("float32", (rows, columns)), **bias}
    entries = f"entries of {prefix}"
    return {
        f"{prefix}.data": Array("float32", (entries,)),
        f"{prefix}.indices": Array("int32", (entries,), below=columns),
        f"{prefix}.indptr": Array("int64", (f"{rows} + 1",), pointers=entries),
        **bias,
        f"{prefix}.shape": Array("int64", (2,), holds=(rows, columns)),
    }


def check_arrays(
    arrays: Mapping[str, np.ndarray],
    expected: Mapping[str, Array],
    sizes: Mapping[str, int] | None = None,
    *,
    where: str,
    remedy: str = COPY_AGAIN,
) -> dict[str, int]:
    """Compare arrays with what they must be like, in the order of `expected`.

    Parameters
    ----------
    arrays
        By name.
    expected
        Specification of each.
    sizes
        Lengths that are known already.
    where, remedy
        For the message: the file, and what to do.

    Returns
    -------
    dict[str, int]
        All lengths.

    Raises
    ------
    ArtifactError
        Names each array that is missing, unknown, or other than it must be.
    """
    found = dict(sizes or {})
    problems = []
    for name, array in expected.items():
        if name in arrays:
            wrong = array.problem(arrays[name], found)
            problems += [f"{name} {wrong}"] if wrong else []
        elif array.required:
            problems.append(f"{name} is missing")
        if problems:  # what follows rests on these lengths
            break
    problems += [f"{name!r} is no array of this file" for name in sorted(set(arrays) - set(expected))]
    if problems:
        raise ArtifactError([f"{problem}: {remedy}" for problem in problems], where)
    return found


def read_arrays(file: str | Path, *, remedy: str = COPY_AGAIN) -> dict[str, np.ndarray]:
    """Read a safetensors file; what it holds is still to be checked.

    Raises
    ------
    ArtifactError
        It cannot be read.
    """
    from safetensors.numpy import load_file

    try:
        return load_file(file)
    # A dtype that numpy lacks is another kind of error in each version of safetensors.
    except (SafetensorError, OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise ArtifactError(f"it cannot be read ({first_line(error)}): {remedy}", str(file)) from error


def _fits(length: int, wanted: str | int, sizes: dict[str, int]) -> bool:
    if isinstance(wanted, int):
        return length == wanted
    name, _, more = wanted.partition(" + ")
    return sizes.setdefault(name, length - int(more or 0)) == length - int(more or 0)


def _in_words(lengths: tuple[str | int, ...], sizes: Mapping[str, int]) -> str:
    """Write a shape with the lengths that are known: ``[12 labels, features]``."""
    words = []
    for length in lengths:
        name, _, more = str(length).partition(" + ")
        known = sizes.get(name)
        words.append(str(length) if known is None else f"{known + int(more or 0)} {'' if more else name}".strip())
    return f"[{', '.join(words)}]"
