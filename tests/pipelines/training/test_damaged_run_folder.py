"""A damaged run folder: the same call gives the same as before, says what it makes anew, and takes nothing over."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny import TINY

from hierarchy.errors import DataError
from pipelines.classifier import HierarchicalClassifier
from pipelines.cross_validation.validate import cross_validate
from pipelines.data.reading import read_documents
from pipelines.settings import Settings
from pipelines.tuning.proposals import Proposals
from pipelines.tuning.space import read_space
from pipelines.tuning.storage import open_storage
from pipelines.tuning.trials import COMPLETE, Trial
from stages.run_folder import write_checksums

EPOCHS = {**TINY["training"], "num_train_epochs": 1}
NEURAL = {"frozen": {}, "trained": {"trainable": "all"}, "joint": {"trainable": "all", "mode": "joint"}}


def empty(file):
    file.write_bytes(b"")


def cut(file):
    file.write_bytes(file.read_bytes()[:-20])


def flip(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 4
    file.write_bytes(content)


def flip_inside(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def fill(file):
    file.write_bytes(bytes(range(256)))


def be_folder(file):
    file.unlink()
    file.mkdir()


def remove(file):
    file.unlink()


DAMAGES = [empty, cut, flip, flip_inside, fill, be_folder, remove]


def damage(folder, kinds):
    """Damage each finished file of a run folder, one after the other in each of the ways."""
    files = sorted(f for f in folder.rglob("*") if f.is_file() and "checkpoint" not in str(f) and f.name != "lock")
    for place, file in enumerate(files):
        if place % 3:  # some stay whole
            kinds[place % len(kinds)](file)


def answers(classifier, english):
    """Everything of a model that its run folder could change."""
    router = classifier.model_.router
    rows = [expert for expert in (router.neural, router.lexical) if expert is not None]
    weights = [np.asarray(r.weight.todense() if hasattr(r.weight, "todense") else r.weight).tobytes() for r in rows]
    return classifier.predict_proba(english.test[0]).tobytes(), weights, [
        {name: value for name, value in entry.items() if "second" not in name and "runtime" not in name}
        for entry in classifier.model_.record["history"]
    ]  # fmt: skip


def test_ngrams(english, tmp_path, caplog):
    def fitted():
        classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, run_dir=str(tmp_path))
        return answers(classifier.fit(*english.train, validation=english.valid), english)

    before = fitted()
    for kinds in (DAMAGES, DAMAGES[::-1]):
        damage(tmp_path, kinds)
        caplog.clear()
        assert fitted() == before
        assert "is damaged" in caplog.text
    caplog.clear()
    assert fitted() == before
    assert "is damaged" not in caplog.text


@pytest.mark.parametrize("kind", ["trained", *(pytest.param(k, marks=pytest.mark.slow) for k in ("frozen", "joint"))])
def test_an_encoder(english, tiny_classifier, tmp_path, caplog, kind):
    def fitted():
        classifier = tiny_classifier(**NEURAL[kind], training=EPOCHS, run_dir=str(tmp_path))
        return answers(classifier.fit(*english.train, validation=english.valid), english)

    before = fitted()
    damage(tmp_path, DAMAGES)
    assert fitted() == before
    assert "is damaged" in caplog.text


def test_folds(english, tmp_path, caplog):
    def validated():
        classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, run_dir=str(tmp_path))
        found = cross_validate(classifier, *english.valid, folds=3, baselines=False)
        return found.scores, found.predictions.probabilities.toarray().tobytes(), found.predictions.own.tobytes()

    before = validated()
    for change in (flip_inside, be_folder):
        change(next(file for file in sorted(tmp_path.rglob("*.parquet")) if file.is_file()))
        caplog.clear()
        assert validated() == before
        assert "fold-1.parquet is damaged" in caplog.text


SPACE = {"classifier.lexical_C": {"type": "float", "low": 0.1, "high": 10}, "classifier.prior_correction": [0.0, 0.2]}
START = {"lexical_C": 1.0, "prior_correction": 0.2}


def trials(folder, number):
    """Run trials whose figure is what they tried; return those of the storage, and how many were run."""
    space = read_space(SPACE, Settings(encoder="none"))
    proposals = Proposals(space, "tpe", "accuracy", random_state=0)
    with open_storage(folder, space, "accuracy") as storage:
        finished = storage.trials()
        missing = [place for place in range(number) if place not in finished]
        for place in missing:
            params = proposals.values(place, START, [finished[other] for other in range(place)])
            curve = [step * params["prior_correction"] for step in (1, 2)]
            figures = {"accuracy": params["lexical_C"] + params["prior_correction"]}
            finished[place] = Trial(place, COMPLETE, params, figures, curve, 0.5)
            storage.keep(finished[place])
        return [finished[place] for place in range(number)], len(missing)


@pytest.mark.parametrize("change", DAMAGES)
def test_a_damaged_trial_is_run_again_with_its_values(tmp_path, caplog, change):
    before, _ = trials(tmp_path / "tune", 8)
    assert trials(tmp_path / "tune", 8) == (before, 0)
    for place in (7, 5, 0):
        change(tmp_path / "tune" / f"trial-{place}.json")
        caplog.clear()
        assert trials(tmp_path / "tune", 8) == (before, 1)
        assert f"trial-{place}.json is damaged" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 3}, {"state": "done"}, {"figures": {}}, {"params": {"classifier.zzz": 1}}, {"curve": ["high"]},
        {"seconds": None},
    ],
)  # fmt: skip
def test_a_trial_of_another_kind_with_a_checksum_that_fits(tmp_path, caplog, wrong):
    before, _ = trials(tmp_path, 4)
    file = tmp_path / "trial-2.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**kept, **wrong}), encoding="utf-8")
    write_checksums(file.with_suffix(".sha256"), file)
    assert trials(tmp_path, 4) == (before, 1)
    assert "no trial of this tune" in caplog.text


@pytest.mark.parametrize("content", ["[]", "{}", '{"0": {}}', '{"0": {"best": 0, "differences": {}, "zzz": 1}}', "{"])
def test_looks_at_test_documents_that_are_none(tmp_path, caplog, content):
    (tmp_path / "test-key.json").write_text(content, encoding="utf-8")
    write_checksums(tmp_path / "test-key.sha256", tmp_path / "test-key.json")
    space = read_space(SPACE, Settings(encoder="none"))
    with open_storage(tmp_path, space, "accuracy") as storage:
        assert storage.looks("key") == {}
    assert "no comparisons" in caplog.text or content == "{}"


def test_rows_of_another_kind_with_a_checksum_that_fits(english, tmp_path, caplog):
    def fitted():
        classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, run_dir=str(tmp_path))
        return answers(classifier.fit(*english.train, validation=english.valid), english)

    before = fitted()
    one, *others = sorted(tmp_path.rglob("*.safetensors"))
    tensors = load_file(one)
    changes = [
        {**tensors, "rows.indices": tensors["rows.indices"] + 10**9},
        {**tensors, "rows.indptr": np.array([0, 10**12])},
        {**tensors, "rows.data": tensors["rows.data"].astype(np.float64)},
        {**tensors, "rows.data": tensors["rows.data"] * np.float32("nan")},
        {"rows.weight": np.zeros((1, 3), np.float32), "rows.bias": tensors["rows.bias"]},
        {},
    ]
    for file, changed in zip(others, changes, strict=False):
        save_file(changed, file)
        write_checksums(file.with_suffix(".sha256"), file)
    assert fitted() == before
    assert caplog.text.count("no rows of these features") == len(changes)


@pytest.mark.parametrize("change", DAMAGES)
@pytest.mark.parametrize("end", ["arrow", "json", "sha256"])
def test_tables(tmp_path, caplog, change, end):
    source = tmp_path / "d.csv"
    source.write_text("text,label\n" + "".join(f"text {i},l{i % 2}\n" for i in range(50)), encoding="utf-8")

    def read():
        return read_documents(source, cache_dir=tmp_path / "cache")["text"]

    before = list(read())
    change(next((tmp_path / "cache").glob(f"*.{end}")))
    assert list(read()) == before
    assert "is damaged" in caplog.text or (end, change) == ("sha256", remove)


def test_a_table_of_another_kind_with_a_checksum_that_fits(tmp_path, caplog):
    import pyarrow as pa

    source, cache = tmp_path / "d.csv", tmp_path / "cache"
    source.write_text("text,label\none,a\ntwo,b\n", encoding="utf-8")
    before = list(read_documents(source, cache_dir=cache)["text"])
    table = next(cache.glob("*.arrow"))
    good = pa.ipc.open_stream(table.read_bytes()).read_all()
    broken = pa.StringArray.from_buffers(2, pa.array([0, 900, 3], pa.int32()).buffers()[1], pa.py_buffer(b"one"))
    place = good.column_names.index("text")
    for other in (good.drop(["text"]), good.set_column(place, good.schema.field("text"), broken)):
        with pa.OSFile(str(table), "wb") as stream, pa.ipc.new_stream(stream, other.schema) as writer:
            writer.write_table(other)
        write_checksums(table.with_suffix(".sha256"), table, table.with_suffix(".json"))
        caplog.clear()
        assert list(read_documents(source, cache_dir=cache)["text"]) == before
        assert "no documents of these columns" in caplog.text


def test_a_full_disk_names_its_cause_and_the_same_call_goes_on(english, tmp_path, monkeypatch):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, run_dir=str(tmp_path))
    written = []

    def fills_up(tensors):
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        written.append(tensors)
        return save(tensors)

    from pipelines.training.heads import save

    with monkeypatch.context() as patched:
        patched.setattr("pipelines.training.heads.save", fills_up)
        with pytest.raises(DataError, match=r"No space left on device\): free some space.*the same command goes on"):
            classifier.fit(*english.train, validation=english.valid)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 4
    assert not [file for file in tmp_path.rglob(".*") if file.is_file()]
    classifier.fit(*english.train, validation=english.valid)
