"""What counts as a column of values, and the one sentence that anything else is told."""

import array
import io
from collections import UserList, deque
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from hierarchy.arguments import column, document_columns, pair, whole_number
from hierarchy.building.builder import TaxonomyBuilder
from hierarchy.errors import ConfigError, DataError
from hierarchy.measuring.measures import measure
from hierarchy.measuring.quality import taxonomy_quality
from hierarchy.taxonomy import Taxonomy

VALUES = ["one", "two", "three"]


class Series:
    """A series as polars has it: no ``tolist``, no ``ndim``, and no sequence to Python."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def to_list(self):
        return list(self.values)


class Frame:
    """A table as polars has it: ``columns`` are names, and iterating gives columns."""

    def __init__(self, **columns):
        self.data = columns

    columns = property(lambda self: list(self.data))

    def __len__(self):
        return len(next(iter(self.data.values()), ()))

    def __iter__(self):
        return map(Series, self.data.values())

    def __getitem__(self, name):
        return Series(self.data[name])


def columns_of_every_library():
    pd, pa, datasets = (pytest.importorskip(name) for name in ("pandas", "pyarrow", "datasets"))
    shuffled = pd.Series(VALUES, index=[2, 0, 1])
    table = pa.table({"text": VALUES})
    return {
        "list": VALUES,
        "tuple": tuple(VALUES),
        "deque": deque(VALUES),
        "UserList": UserList(VALUES),
        "array of objects": np.array(VALUES, dtype=object),
        "array of one column": np.array(VALUES)[:, None],
        "series": shuffled,
        "series of categories": shuffled.astype("category"),
        "series of strings": shuffled.astype("string"),
        "index": pd.Index(VALUES),
        "categorical": pd.Categorical(VALUES),
        "extension array": pd.array(VALUES),
        "frame": pd.DataFrame({"text": shuffled}),
        "frame with a number for a name": pd.DataFrame({0: VALUES}),
        "Arrow array": pa.array(VALUES),
        "Arrow dictionary": pa.array(VALUES).dictionary_encode(),
        "Arrow chunks": pa.chunked_array([VALUES[:1], VALUES[1:]]),
        "Arrow table": table,
        "Arrow batch": table.to_batches()[0],
        "dataset": datasets.Dataset(table),
        "column of a dataset": datasets.Dataset(table)["text"],
        "polars series": Series(VALUES),
        "polars frame": Frame(text=VALUES),
    }


def test_every_column_is_its_values():
    for kind, given in columns_of_every_library().items():
        values = column(given, "texts")
        assert list(values) == VALUES, kind
        assert list(values[1:]) == VALUES[1:], kind
        assert len(values) == 3, kind


def test_a_column_of_a_dataset_stays_on_disk():
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_dict({"text": VALUES})
    given = table["text"]
    assert column(given, "texts") is given
    assert type(column(table, "texts")) is type(given)


def test_numbers_become_plain():
    pd = pytest.importorskip("pandas")
    for given in (np.arange(3), np.arange(3)[:, None], pd.Series(range(3)), array.array("i", range(3)), range(3)):
        values = column(given, "labels")
        assert [type(value) for value in values] == [int] * 3
        assert list(values) == [0, 1, 2]


def refused():
    pd, pa, datasets = (pytest.importorskip(name) for name in ("pandas", "pyarrow", "datasets"))
    two = {"title": VALUES, "body": VALUES}
    doubled = pd.DataFrame([["a", "b"]], columns=["text", "text"])
    several = "with the columns 'title', 'body': give one of them, texts['title']"
    once = "can be read only once: give list(texts)"
    return [
        ("one", "texts is a single string: put it into a list"),
        (np.array([VALUES]), "of shape (1, 3): give its row, texts[0]"),
        (np.str_("one"), "texts is a single string"),
        (b"one", "texts is a single bytes"),
        (bytearray(b"one"), "texts is a single bytearray"),
        (None, "texts is None: give a list"),
        (3, "texts is an int: give a list"),
        (float("nan"), "texts is a float: give a list"),
        (pd.NA, "texts is a NAType: give a list"),
        (Path("file.txt"), "Path: give a list"),
        (np.array("one"), "texts is an ndarray of one value and no dimension: put it into a list"),
        (np.array([VALUES, VALUES]), "texts is an ndarray of shape (2, 3): give one column, for example texts[:, 0]"),
        (np.zeros((2, 2, 2)), "shape (2, 2, 2)"),
        (pd.DataFrame(two), f"texts is a DataFrame {several}"),
        (pd.DataFrame({str(i): VALUES for i in range(9)}), "'0', '1', '2', '3', '4' and 4 more: give one"),
        (doubled, "with the columns 'text', 'text': give one of them, texts.iloc[:, 0]"),
        (pd.DataFrame(index=[0, 1]), "texts is a DataFrame without columns"),
        (pa.table(two), f"texts is a Table {several}"),
        (datasets.Dataset.from_dict(two), f"texts is a Dataset {several}"),
        (Frame(**two), f"texts is a Frame {several}"),
        (datasets.DatasetDict(train=datasets.Dataset.from_dict(two)), "a DatasetDict with the keys 'train'"),
        (datasets.IterableDataset.from_generator(lambda: iter(())), "an IterableDataset, which is no sequence"),
        (two, "texts is a dict with the keys 'title', 'body': give one of its values, texts['title']"),
        ({}, "texts is a dict without keys: give a list"),
        (two.keys(), "texts is a dict_keys, which has no order"),
        (two.values(), "texts is a dict_values, which is no sequence: give list(texts)"),
        (set(VALUES), "texts is a set, which has no order: give a list"),
        (frozenset(VALUES), "texts is a frozenset, which has no order"),
        ((text for text in VALUES), f"texts is a generator, which {once}"),
        (iter(VALUES), f"texts is a list_iterator, which {once}"),
        (map(str, VALUES), f"texts is a map, which {once}"),
        (zip(VALUES, VALUES, strict=True), f"texts is a zip, which {once}"),
        (count(), f"texts is a count, which {once}"),
        (io.StringIO("one\ntwo"), f"texts is a StringIO, which {once}"),
    ]


def test_whatever_else_can_be_iterated_is_told_in_one_sentence():
    for given, message in refused():
        with pytest.raises(DataError) as caught:
            column(given, "texts")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_pair_is_two_and_no_more():
    assert pair((VALUES, VALUES), "validation") == (VALUES, VALUES)
    for wrong, what in (
        ([("one", "a"), ("two", "b"), ("three", "c")], "a list of 3"),
        ((VALUES,), "a tuple of 1"),
        ({"texts": VALUES, "labels": VALUES}, "a dict"),
        (np.array([VALUES, VALUES]), "an ndarray"),
        ("ab", "a str"),
        (zip(VALUES, VALUES, strict=True), "a zip"),
    ):
        with pytest.raises(DataError, match=rf"validation is {what}: give a pair, validation=\(texts, labels\)"):
            pair(wrong, "validation")


def test_whole_numbers():
    assert [whole_number(value, "top_k") for value in (1, np.int64(7), np.uint8(2))] == [1, 7, 2]
    for wrong in (0, -1, 1.0, 2.5, True, np.True_, "3", None, float("nan")):
        with pytest.raises(ConfigError, match=r"top_k is .*: give a whole number from 1 up"):
            whole_number(wrong, "top_k")


def test_a_tree_from_columns_takes_what_a_column_is():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"label": ["a", "b", "c"], "group": ["G", None, "G"]}, index=[5, 0, 1])
    expected = Taxonomy.from_data(["a", "b", "c"], ["G", None, "G"])
    assert Taxonomy.from_data(frame["label"], frame["group"]) == expected
    assert Taxonomy.from_data(frame[["label"]], frame[["group"]]) == expected
    with pytest.raises(DataError, match="targets is a DataFrame with the columns 'label', 'group'"):
        Taxonomy.from_data(frame)
    with pytest.raises(DataError, match="groups is a set"):
        Taxonomy.from_data(["a"], {"G"})
    with pytest.raises(DataError, match="targets is a single string"):
        Taxonomy.from_data("abc")


def test_a_builder_takes_what_a_column_is():
    pd = pytest.importorskip("pandas")
    builder = TaxonomyBuilder(n_groups=2, min_group_size=1, encoder="none")
    labels = ["red wine", "white wine", "garden hose", "water hose"]
    expected = builder.build(labels)
    assert builder.build(pd.DataFrame({"label": labels})) == expected
    assert builder.build(deque(labels)) == expected
    texts = [f"{label} {word}" for label in labels for word in ("old", "new", "good")]
    documents = (texts, [label for label in labels for _ in range(3)])
    assert builder.build(labels, tuple(map(pd.Series, documents))) == builder.build(labels, documents)
    for wrong, message in (
        ({"labels": "wine"}, "labels is a single string"),
        ({"labels": [*labels, None]}, r"labels\[4\] is None"),
        ({"labels": set(labels)}, "labels is a set"),
        ({"documents": list(zip(*documents, strict=True))}, "documents is a list of 12: give a pair"),
        ({"documents": (texts, labels)}, "12 documents and 4 labels: one label belongs to each document"),
        ({"documents": (iter(texts), documents[1])}, r"documents\[0\] is a list_iterator"),
        ({"documents": ([*texts[1:], None], documents[1])}, r"documents\[0\]\[11\] is None \(NoneType\), not a string"),
        ({"documents": ([[0.5, 1.0]] * 12, documents[1])}, r"\(list\), not a string; vectors are a numpy array"),
        ({"documents": (np.ones(12), documents[1])}, r"of shape \(12,\): vectors are \(documents, dimensions\)"),
        ({"documents": (np.full((12, 2), np.nan), documents[1])}, r"documents\[0\]\[0\] holds NaN"),
        ({"documents": (texts, [*documents[1][1:], 1.5])}, r"documents\[1\]\[11\] is 1.5"),
    ):
        with pytest.raises(DataError, match=message):
            builder.build(**{"labels": labels, **wrong})


def test_figures_of_a_tree_take_what_a_column_is():
    pd = pytest.importorskip("pandas")
    tree = Taxonomy.from_data(["red wine", "white wine", "hose"], ["drink", "drink", "garden"])
    texts = [f"{label} {word}" for label in tree.label_ids for word in ("old", "new", "good")]
    labels = [label for label in tree.label_ids for _ in range(3)]
    expected = taxonomy_quality(measure(tree, (texts, labels), encoder="none"))
    frame = pd.DataFrame({"text": texts, "label": labels}, index=range(9, 0, -1))
    assert taxonomy_quality(measure(tree, (frame["text"], frame[["label"]]), encoder="none")) == expected
    with pytest.raises(DataError, match="9 documents and 8 labels"):
        measure(tree, (texts, labels[1:]), encoder="none")
    with pytest.raises(DataError, match="documents is a DataFrame: give a pair"):
        measure(tree, frame, encoder="none")


def test_vectors_of_documents_stay_as_they_are():
    vectors = np.ones((3, 2), dtype=np.float32)
    contents, labels = document_columns((vectors, np.array([1, 2, 3])))
    assert contents is vectors
    assert labels == ["1", "2", "3"]
