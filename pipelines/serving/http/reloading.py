"""A model folder that is replaced while it is served: the new one answers when it is warm, the old one until then."""

import logging
import threading
from pathlib import Path
from typing import TypeAlias

from hierarchy.disk.whole_files import system_refusal
from hierarchy.errors import CoarsefineError, one_line
from pipelines.model.artifact.manifest import manifest_key
from pipelines.serving.http.service import Service
from pipelines.serving.served_model import read_served

State: TypeAlias = frozenset[tuple[str, int, int, int]] | None  # None before the first look
EVERY = 2.0  # seconds between two looks at the folder
logger = logging.getLogger(f"coarsefine.{__name__}")


class Watch:
    """Look at a model's folder again and again, in a thread of its own.

    Parameters
    ----------
    service
        Which serves the model.
    folder
        Of the model.
    device
        As for `read_served`.
    every
        Seconds between two looks.
    """

    def __init__(self, service: Service, folder: Path, *, device: str | None, every: float = EVERY) -> None:
        self.service, self.folder, self.device, self.every = service, folder, device, every
        self._seen: State = None
        self._settled: State = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more; a model that is being read is read to its end, since a process that ends under it may crash."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Take the model that the folder holds, where it is another one that can be read.

        A folder is looked into when it was the same at two looks, since it may be written file by file, and not again
        before it has changed.
        """
        state = _state(self.folder)
        if state == self._settled:
            return
        if state != self._seen:
            self._seen = state
            return
        self._settled = state
        try:
            if manifest_key(self.folder) != self.service.served.key:
                self.service.replace(read_served(self.folder, name=self.service.served.name, device=self.device))
                self.service.metrics.count_reload("taken")
        except Exception as error:  # whatever is wrong with it, the old one goes on
            self.service.metrics.count_reload("refused")
            why = str(error) if isinstance(error, CoarsefineError) else system_refusal(error) or repr(error)
            logger.error("%s is not taken, the model from before goes on: %s", self.folder, one_line(why))

    def _work(self) -> None:
        while not self._over.wait(self.every):
            self.look()


def _state(folder: Path) -> State:
    """Tell what stands in a folder: names, sizes, times and the files themselves."""
    try:
        found = [(file, file.stat()) for file in folder.rglob("*")]
    except OSError:  # it is just being exchanged
        return frozenset()
    return frozenset((str(file), one.st_size, one.st_mtime_ns, one.st_ino) for file, one in found)
