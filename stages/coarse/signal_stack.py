"""The stack on which a thread handles signals stays its own, whatever a library does in it."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """``stack_t`` of Linux."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """After the block this thread handles signals on the stack on which it did before.

    OpenVINO's plugin for processors gives the thread that loads it a stack of its own, and unmaps that when it goes.
    Where several have come and gone, the one in use is no longer there: the next signal that Python handles, SIGTERM
    or the end of a child, then kills the process without a word.
    """
    if sys.platform != "linux":  # nowhere else does it do so
        yield
        return
    system = ctypes.CDLL(None)
    before = _Stack()
    system.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        system.sigaltstack(ctypes.byref(before), None)
