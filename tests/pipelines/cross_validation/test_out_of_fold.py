"""Out-of-fold predictions: their file, their average, and what the builder reads of them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from handmade_predictions import made

from hierarchy import TaxonomyBuilder
from hierarchy.errors import DataError
from pipelines.cross_validation.out_of_fold import averaged, joined, keep_best, read_out_of_fold


@pytest.fixture
def predictions():
    return made(
        ["a", "b", "c", "a"],
        [[0.7, 0.2, 0.1], [0.6, 0.4, 0.0], [0.5, 0.5, 0.0], [0.1, 0.1, 0.8]],
        own=[0.7, 0.4, np.nan, 0.1],
        trees=({"a": "g", "b": "g"}, {"a": "g", "b": "h", "c": "h"}),
        ids=("x", None, "z", "007"),
    )


def test_the_file_holds_everything(predictions, tmp_path):
    file = tmp_path / "out-of-fold.parquet"
    predictions.write(file)
    read = read_out_of_fold(file)
    for name in ("rows", "keys", "folds", "targets", "own"):
        np.testing.assert_array_equal(getattr(read, name), getattr(predictions, name))
    assert (read.label_ids, read.trees, read.ids) == (predictions.label_ids, predictions.trees, predictions.ids)
    np.testing.assert_array_equal(read.probabilities.toarray(), predictions.probabilities.toarray())
    line = pq.read_table(file).to_pylist()[0]
    assert line["labels"] == ["a", "b", "c"]  # the most probable first
    assert pq.read_table(file).to_pylist()[2]["probability"] is None


def test_groups_are_those_of_the_documents_fold(predictions):
    assert predictions.groups_of(0, "a", "b") == ("g", "g")
    assert predictions.groups_of(1, "a", "b") == ("g", "h")
    assert predictions.groups_of(0, "c") == (None,)


def test_other_files_are_refused(tmp_path, predictions):
    with pytest.raises(DataError, match="there is no file"):
        read_out_of_fold(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="no Parquet file"):
        read_out_of_fold(tmp_path / "text.parquet")
    predictions.write(tmp_path / "good.parquet")
    pq.write_table(pq.read_table(tmp_path / "good.parquet").drop_columns(["labels"]), tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="the columns labels are missing"):
        read_out_of_fold(tmp_path / "bad.parquet")


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("row", lambda n: [-1] * n, "row or fold"),
        ("fold", lambda n: [99] * n, "row or fold"),
        ("row", lambda n: ["one"] * n, "another kind"),
        ("row", lambda n: [None] * n, "empty cells"),
        ("key", lambda n: ["xyz"] * n, "16 hexadecimal digits"),
        ("label", lambda n: [None] * n, "empty cells"),
        ("probability", lambda n: [float("nan")] * n, "a probability is none"),
        ("probability", lambda n: [7.0] * n, "a probability is none"),
        ("labels", lambda n: [["a"] * 9] * n, "one probability for each"),
        ("probabilities", lambda n: [[]] * n, "one probability for each"),
    ],
)
def test_values_that_no_cross_validation_writes_are_refused(tmp_path, predictions, column, values, words):
    table = predictions.table()
    broken = table.set_column(table.column_names.index(column), column, pa.array(values(len(table))))
    pq.write_table(broken, tmp_path / "broken.parquet")
    with pytest.raises(DataError, match=words):
        read_out_of_fold(tmp_path / "broken.parquet")


@pytest.mark.parametrize("about", ["[]", "{", '{"groups": 3}', '{"groups": [], "names": []}', '{"groups": [[1]]}'])
def test_metadata_of_another_kind_are_refused(tmp_path, predictions, about):
    text = about.replace("{", '{"format": "coarsefine/out-of-fold/1", ') if about.endswith("}") else about
    table = predictions.table().replace_schema_metadata({"coarsefine": text})
    pq.write_table(table, tmp_path / "broken.parquet")
    with pytest.raises(DataError):
        read_out_of_fold(tmp_path / "broken.parquet")


def test_parts_are_put_in_the_order_of_their_rows():
    one = made(["a", "b"], [[0.9, 0.1], [0.2, 0.8]], rows=[3, 0])
    other = made(["c"], [[0.3, 0.7]], rows=[1], names=["b", "c"])
    whole = joined([one, other], [{}])
    assert whole.rows.tolist() == [0, 1, 3]
    assert [whole.label_ids[t] for t in whole.targets] == ["b", "c", "a"]
    np.testing.assert_allclose(whole.probabilities.toarray(), [[0.2, 0.8, 0], [0, 0.3, 0.7], [0.9, 0.1, 0]])


def test_repeats_are_averaged():
    one = made(["a", "b"], [[0.9, 0.1], [0.0, 1.0]], own=[0.9, np.nan])
    other = made(["a", "b"], [[0.5, 0.5], [0.4, 0.6]], own=[0.5, 0.6])
    mean = averaged([one, other])
    np.testing.assert_allclose(mean.own, [0.7, 0.6], rtol=1e-6)
    np.testing.assert_allclose(mean.probabilities.toarray(), [[0.7, 0.3], [0.2, 0.8]], rtol=1e-6)


def test_only_the_best_labels_are_kept():
    kept = keep_best(np.array([[0.1, 0.6, 0.3], [1.0, 0.0, 0.0]]), [2, 0, 1], 4, k=2)
    np.testing.assert_allclose(kept.toarray(), [[0.6, 0.3, 0, 0], [0, 0, 1, 0]], rtol=1e-6)
    assert kept.nnz == 3  # a probability of 0 is not kept


def test_the_probe_speaks_of_labels_in_any_order(predictions):
    probe = predictions.probe(["c", "new", "b", "a"])
    assert probe.targets.tolist() == [3, 2, 0, 3]
    assert probe.best[:, 0].tolist()[:2] == [3, 3]
    np.testing.assert_allclose(probe.confusion[3], [0.45, 0, 0.15, 0.4], rtol=1e-5)  # documents 1 and 4
    np.testing.assert_allclose(probe.confusion.sum(axis=1), [1, 0, 1, 1], rtol=1e-5)
    assert probe.routing_recall(np.array([0, 0, 1, 1]), 1) == 0.5  # of c the group ties, and 4 is taken for it
    assert predictions.probe(["b", "a"]).targets.tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="none of the out-of-fold predictions"):
        predictions.probe(["other"])


def test_the_builder_groups_what_the_predictions_confuse():
    labels = [f"l{i}" for i in range(8)]
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(8), 10)
    vectors = rng.normal(size=(80, 16)).astype(np.float32)  # tells nothing
    wrong = np.zeros((80, 8))
    wrong[np.arange(80), targets] = 0.5
    wrong[np.arange(80), targets ^ 4] = 0.5  # l0 with l4, l1 with l5, ...
    predictions = made([labels[t] for t in targets], wrong)
    builder = TaxonomyBuilder(4, 2, 2, encoder="none", signals={"confusion": 1.0})
    built = builder.build(labels, (vectors, [labels[t] for t in targets]), confusions=predictions.probe)
    groups = {frozenset(label.id for label in group.labels) for group in built.groups}
    assert groups == {frozenset((f"l{i}", f"l{i + 4}")) for i in range(4)}
