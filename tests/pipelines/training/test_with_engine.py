"""A training whose work is shared out: what workers leave in the run folder is what one process would leave there."""

import logging
import pickle
from contextlib import nullcontext

import pytest

from hierarchy.errors import ConfigError
from pipelines.engines.engine import opened_engine
from pipelines.engines.local import ThisProcess
from pipelines.training.encoders import Encoders
from pipelines.training.fit import settings_of
from pipelines.training.with_engine import Encoding, encode_parts, training_engine


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr("stages.shards.SHARD_DOCUMENTS", 20)


@pytest.fixture
def opened(monkeypatch):
    """The engines that trainings have opened: of two processes each, but all is done in this one."""
    calls = []

    def engine(*given, **options):
        opened_engine(*given, **options)
        return nullcontext(Noted(calls))

    monkeypatch.setattr("pipelines.training.with_engine.opened_engine", engine)
    return calls


class Noted(ThisProcess):
    """This process, as an engine that pickles what it is given and notes how many tasks it had."""

    def __init__(self, calls):
        object.__setattr__(self, "calls", calls)

    def map(self, start, tasks, **options):
        tasks = list(tasks)
        self.calls.append(len(tasks))
        return super().map(pickle.loads(pickle.dumps(start)), tasks, **options)  # noqa: S301 - ours


def kept(folder):
    """Tokens and vectors of a run folder."""
    files = (file for part in ("tokens", "vectors") for file in (folder / part).iterdir())
    return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in files}


def trained(tiny_classifier, english, folder, **settings):
    """A classifier, trained within `training_engine` or without."""
    return tiny_classifier(run_dir=str(folder), **settings).fit(*english.train, validation=english.valid)


def answers(classifier, english):
    return classifier.predict_proba(english.test[0]).tobytes()


def test_tasks_leave_what_a_training_leaves(tiny_classifier, english, tmp_path, opened):
    alone = trained(tiny_classifier, english, tmp_path / "alone")
    assert opened == []
    with training_engine(processes=2):
        shared = trained(tiny_classifier, english, tmp_path / "shared")
    assert kept(tmp_path / "shared") == kept(tmp_path / "alone")
    assert opened == [len([name for name in kept(tmp_path / "alone") if name.endswith("counts.npy")]) // 2]
    assert answers(shared, english) == answers(alone, english)

    for file in sorted((tmp_path / "shared" / "vectors").glob("*.sha256"))[:2]:
        file.unlink()  # as a kill leaves them
    with training_engine(processes=2):
        trained(tiny_classifier, english, tmp_path / "shared")
        trained(tiny_classifier, english, tmp_path / "shared")
    assert opened[1:] == [2]
    assert kept(tmp_path / "shared") == kept(tmp_path / "alone")


@pytest.mark.parametrize("mode", ["chained", "joint"])
def test_both_modes_and_built_groups_share_their_work(tiny_classifier, english, tmp_path, opened, mode):
    with training_engine(processes=2):
        trained(tiny_classifier, english, tmp_path, mode=mode, taxonomy=None, label_documents=False)
    assert len(opened) == 1


def test_what_max_segments_leaves_out_is_told(tiny_classifier, english, tmp_path, caplog, opened):
    long = [" ".join([text] * 6) for text in english.train[0]]
    classifier = tiny_classifier(run_dir=str(tmp_path), lexical=False, max_segments=1)
    with training_engine(processes=2), caplog.at_level(logging.WARNING):
        classifier.fit(long, english.train[1], validation=(long[:20], english.train[1][:20]))
    assert len(opened) == 1
    told = [line for line in caplog.messages if "leaves out" in line]
    assert len(told) == 1
    assert told[0].startswith("vectors of documents: max_segments 1 leaves out ")


def test_a_worker_with_another_encoder_is_refused(tiny_classifier, english, tmp_path):
    encoders = Encoders(settings_of(tiny_classifier().get_params(deep=False)))
    with pytest.raises(ConfigError, match="a worker would make other vectors"):
        Encoding(encoders, tmp_path, "another key")()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "none"}, "encoder: none leaves nothing"),
        ({"trainable": "all"}, "torchrun --nproc_per_node"),
        ({"max_segments": 2}, "n-grams choose the segments"),
    ],
)
def test_where_there_is_nothing_to_share_it_is_refused(tiny_classifier, english, tmp_path, settings, message):
    with training_engine(processes=2), pytest.raises(ConfigError, match=message):
        trained(tiny_classifier, english, tmp_path / "run", **settings)


def test_arguments_are_checked_at_once(monkeypatch):
    with pytest.raises(ConfigError, match="engine='spark'"), training_engine("spark"):
        pass
    with pytest.raises(ConfigError, match="that of a Ray cluster"), training_engine(address="auto"):
        pass
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="leave torchrun out"), training_engine(processes=2):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_two_processes_leave_the_bytes_of_one(tiny_classifier, english, tmp_path, monkeypatch, request, engine):
    if engine == "ray":
        monkeypatch.setenv("HOME", request.getfixturevalue("home_of_ray"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    encoders = Encoders(settings_of(tiny_classifier().get_params(deep=False)))
    parts = [english.train[0], english.valid[0]]
    for name, opened in (
        ("alone", lambda: nullcontext(ThisProcess())),
        ("shared", lambda: opened_engine(engine, processes=2)),
    ):
        encode_parts(opened, encoders, tmp_path / name, parts)
    assert kept(tmp_path / "shared") == kept(tmp_path / "alone")
