"""A queue that is full, answers that come too late, and models that take the place of others."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.serving.http.reloading import Watch
from pipelines.serving.served_model import Answers, ServedModel, read_served

TEXTS = ["the kettle was boiling", "printer ink paper toner"]


class Slow:
    """A model that waits until it is told to go on."""

    def __init__(self) -> None:
        self.is_asked, self.go = threading.Event(), threading.Event()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    model, answer = Slow(), Answers.__call__

    def waits(self: Answers, texts: Any) -> Any:
        model.is_asked.set()
        assert model.go.wait(30)
        return answer(self, texts)

    monkeypatch.setattr(Answers, "__call__", waits)
    yield model
    model.go.set()


def test_a_full_queue_says_when_to_come_again(client: Callable[..., Any], slow: Slow):
    ours = client(limits={"queue_tokens": 5, "seconds": 60})
    statuses: list[int] = []
    asked = [threading.Thread(target=lambda: statuses.append(_ask(ours).status_code)) for _ in range(2)]
    asked[0].start()
    assert slow.is_asked.wait(30)  # the first is computed, the second waits
    asked[1].start()
    _until(lambda: ours.service.batcher.waiting[0] == 1)
    full = _ask(ours)
    assert full.status_code == 429
    assert int(full.headers["retry-after"]) >= 1
    assert full.json()["error"]["code"] == "busy"
    slow.go.set()
    for one in asked:
        one.join(30)
    assert statuses == [200, 200]
    assert _ask(ours).status_code == 200


def test_what_comes_too_late_is_a_503(client: Callable[..., Any], slow: Slow):
    ours = client(limits={"seconds": 0.05})
    late = _ask(ours)
    assert late.status_code == 503
    assert late.json()["error"]["code"] == "unavailable"
    slow.go.set()


def test_a_model_has_answered_before_it_is_served(lexical_folder: Path, monkeypatch: pytest.MonkeyPatch):
    lengths: list[int] = []
    monkeypatch.setattr(Answers, "__call__", lambda _, texts: lengths.extend(map(len, texts)))
    read_served(lexical_folder, name="shop", device=None)
    assert min(lengths) == 0
    assert max(lengths) > 1_000


@pytest.fixture
def folder(lexical_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lexical_folder, tmp_path / "shop"))


@pytest.fixture
def watched(client: Callable[..., Any], folder: Path) -> tuple[Any, Watch]:
    ours = client(model=read_served(folder, name="shop", device=None))
    return ours, Watch(ours.service, folder, device=None)


@pytest.fixture
def another(fitted_lexical: Any, english: Any) -> Any:
    """The same model with another figure in its record, so that its version is another."""
    import copy

    return copy.copy(fitted_lexical).calibrate(*english.test, precision=0.5)


def test_a_new_model_takes_the_place_of_the_old_one(watched: tuple[Any, Watch], folder: Path, another: Any):
    ours, watch = watched
    before = _ask(ours).json()
    looks(watch)
    assert _ask(ours).json() == before
    for outcome in ("taken", "refused"):  # an alert on their increase needs them before the first
        assert f'coarsefine_reloads_total{{outcome="{outcome}"}} 0.0' in ours.get("/metrics").text
    another.save_pretrained(folder)
    looks(watch)
    after = _ask(ours).json()
    assert after["model"] == {"name": "shop", "version": ServedModel("shop", _key(folder), another.model_).version}
    assert after["model"] != before["model"]
    figures = ours.get("/metrics").text
    assert 'coarsefine_reloads_total{outcome="taken"} 1.0' in figures
    assert f'version="{after["model"]["version"]}"' in figures
    assert before["model"]["version"] not in figures


def test_a_folder_that_is_written_file_by_file_is_read_when_it_is_whole(
    watched: tuple[Any, Watch], folder: Path, another: Any, tmp_path: Path
):
    ours, watch = watched
    before = _ask(ours).json()["model"]
    looks(watch)
    another.save_pretrained(tmp_path / "new")
    for file in sorted((tmp_path / "new").iterdir()):
        shutil.copy(file, folder)
        watch.look()
        assert _ask(ours).json()["model"] == before
    assert '{outcome="refused"} 0.0' in ours.get("/metrics").text
    looks(watch)
    assert _ask(ours).json()["model"] != before


@pytest.mark.parametrize("damage", ["file", "manifest", "gone"])
def test_a_damaged_model_is_refused_and_told_once(
    watched: tuple[Any, Watch], folder: Path, another: Any, damage: str, caplog: pytest.LogCaptureFixture
):
    ours, watch = watched
    before = _ask(ours).json()
    another.save_pretrained(folder)
    if damage == "gone":
        shutil.rmtree(folder)
    else:
        name = "model.safetensors" if damage == "file" else "manifest.json"
        (folder / name).write_bytes((folder / name).read_bytes()[:-20])
    looks(watch)
    looks(watch)
    assert _ask(ours).json() == before
    assert 'coarsefine_reloads_total{outcome="refused"} 1.0' in ours.get("/metrics").text
    assert sum("is not taken" in record.message for record in caplog.records) == 1
    shutil.rmtree(folder, ignore_errors=True)
    another.save_pretrained(folder)  # mended
    looks(watch)
    assert _ask(ours).json()["model"] != before["model"]


def test_the_end_waits_for_a_model_that_is_being_read(
    watched: tuple[Any, Watch], folder: Path, another: Any, monkeypatch: pytest.MonkeyPatch
):
    reads, read = threading.Event(), threading.Event()

    def slowly(*_: Any, **__: Any) -> Any:
        reads.set()
        assert not read.wait(0.2)
        read.set()
        raise OSError

    monkeypatch.setattr("pipelines.serving.http.reloading.read_served", slowly)
    watch = Watch(watched[0].service, folder, device=None, every=0.01)
    another.save_pretrained(folder)
    watch.start()
    assert reads.wait(30)
    watch.close()
    assert read.is_set()


def test_what_waits_is_answered_by_the_model_that_it_came_to(
    client: Callable[..., Any], served: Any, another: Any, slow: Slow
):
    ours = client()
    answered: list[Any] = []
    asked = threading.Thread(target=lambda: answered.append(_ask(ours).json()))
    asked.start()
    assert slow.is_asked.wait(30)
    ours.service.replace(ServedModel("shop", "f" * 64, another.model_))
    slow.go.set()
    asked.join(30)
    assert answered[0]["model"]["version"] == served.version
    assert _ask(ours).json()["model"]["version"] == "f" * 12


def looks(watch: Watch) -> None:
    """It takes two to know that nobody writes any more."""
    watch.look()
    watch.look()


def _ask(client: Any) -> Any:
    return client.post("/predict", json={"texts": TEXTS[:1]})


def _key(folder: Path) -> str:
    from pipelines.model.artifact.manifest import manifest_key

    return manifest_key(folder)


def _until(holds: Callable[[], bool]) -> None:
    import time

    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.002)
