"""A path names exactly one file or folder, whatever pyarrow and datasets would make of its characters."""

import datetime
import shutil
import struct
import tempfile

import pytest

from hierarchy.errors import DataError
from pipelines.data.reading import read_documents

datasets = pytest.importorskip("datasets")
pa = pytest.importorskip("pyarrow")

NAMES = [
    "t[1]",
    "what?",
    "x*",
    "a::b",
    "s3:x",
    "file:x",
    "~x",
    "%20",
    "#1",
    "中ü",
    "data [v2]/t",
    "a::b/c",
    "**/t",
    "{a,b}",
]
TABLE = {"text": ["one", "two", "three"], "label": ["A", "B", "A"]}
OTHER = {"text": ["ANOTHER"], "label": ["X"]}


def write_parquet(table, path):
    import pyarrow.parquet as pq

    with path.open("wb") as file:
        pq.write_table(pa.table(table), file)


def write_arrow(table, path, new=None):
    table = pa.table(table)
    with path.open("wb") as file, (new or pa.ipc.new_file)(file, table.schema) as writer:
        writer.write_table(table)


def write_csv(table, path):
    lines = [",".join(table), *(",".join(map(str, cells)) for cells in zip(*table.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_folder(table, path):
    with tempfile.TemporaryDirectory() as plain:
        datasets.Dataset.from_dict(table).save_to_disk(plain)  # which takes no such name
        shutil.copytree(plain, path)


WRITERS = {".parquet": write_parquet, ".arrow": write_arrow, ".csv": write_csv, "": write_folder}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_a_pattern_or_an_address(name, suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # relative names are the ones that look like addresses
    path = tmp_path / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix:
        for decoy in ("t1", "what2", "xy", "b", "x", "t", "a"):
            WRITERS[suffix](OTHER, tmp_path / f"{decoy}{suffix}")
    WRITERS[suffix](TABLE, path)
    documents = read_documents(f"{name}{suffix}", cache_dir=f"{name}.tables")
    assert list(documents["text"]) == TABLE["text"]
    assert list(documents["label"]) == TABLE["label"]
    assert (tmp_path / f"{name}.tables").is_dir()


def test_answers_and_out_of_fold_files_have_such_names_too(tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    from hierarchy.disk.output import write_parquet
    from pipelines.cross_validation.out_of_fold import read_out_of_fold

    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        out = (tmp_path / f"{name}.parquet").relative_to(tmp_path)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(pa.table(TABLE), out)
        with out.open("rb") as file:
            assert pq.read_table(file).to_pydict() == TABLE
        with pytest.raises(DataError, match="these are no out-of-fold predictions"):  # it was read
            read_out_of_fold(out)


@pytest.mark.parametrize("kind", ["parquet", "file", "stream", "folder"])
def test_only_the_wanted_columns_are_read(kind, tmp_path):
    table = {**TABLE, "nested": [{"a": [1]}] * 3, "day": [datetime.date(2024, 1, 1)] * 3, "text.more": ["no"] * 3}
    path = tmp_path / {"parquet": "t.parquet", "folder": "t"}.get(kind, "t.arrow")
    if kind == "folder":
        write_folder(table, path)
    elif kind == "parquet":
        write_parquet(table, path)
    else:
        write_arrow(table, path, pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)
    documents = read_documents(path, label="day", cache_dir=tmp_path / "cache")
    assert documents.column_names == ["text", "row", "label", "label_count"]
    assert list(documents["text"]) == TABLE["text"]
    assert list(documents["label"]) == ["2024-01-01"] * 3
    with pytest.raises(DataError, match="row 0: column 'nested' holds an object"):
        read_documents(path, label="nested", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ""])
def test_class_numbers_have_their_names(suffix, tmp_path):
    classes = datasets.ClassLabel(names=["007", "NA"])
    features = {"text": datasets.Value("string"), "one": classes, "many": datasets.Sequence(classes)}
    table = datasets.Dataset.from_dict(
        {"text": ["x", "y"], "one": [1, -1], "many": [[1], [0, 1]]}, datasets.Features(features)
    )
    path = tmp_path / f"t{suffix}"
    if suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.save_to_disk(tmp_path / "t")
        if suffix:
            next((tmp_path / "t").glob("*.arrow")).rename(path)
    read = {name: list(read_documents(path, label=name)["label"]) for name in ("one", "many")}
    assert read == {"one": ["NA", None], "many": ["NA", '["007", "NA"]']}


def test_types_that_other_libraries_write(tmp_path):
    table = {
        "text": pa.array(["x", None, "z"], pa.large_string()),
        "category": pa.array(["a", "b", "a"]).dictionary_encode(),
        "bytes": pa.array([b"a", "中".encode(), None]),
        "number": pa.array([1.5, None, float("nan")], pa.float32()),
    }
    write_parquet(table, tmp_path / "t.parquet")
    write_arrow(table, tmp_path / "t.arrow")
    for path in (tmp_path / "t.parquet", tmp_path / "t.arrow"):
        assert list(read_documents(path, label="category")["text"]) == ["x", "", "z"]
        assert list(read_documents(path, label="category")["label"]) == ["a", "b", "a"]
        assert list(read_documents(path, label="bytes")["label"]) == ["a", "中", None]
        assert list(read_documents(path, label="number")["label"]) == ["1.5", None, None]


def test_long_tables_come_in_pieces(tmp_path):
    table = {"text": [f"t{i}" for i in range(1001)], "label": ["a"] * 1001}
    write_parquet(table, tmp_path / "t.parquet")
    write_arrow(table, tmp_path / "t.arrow")
    for path in (tmp_path / "t.parquet", tmp_path / "t.arrow"):
        documents = read_documents(path)
        assert list(documents["row"]) == list(range(1001))
        assert list(documents["text"]) == table["text"]


def test_damaged_folders_are_refused_with_their_place(tmp_path):
    datasets.DatasetDict(train=datasets.Dataset.from_dict(TABLE)).save_to_disk(tmp_path / "d")
    (tmp_path / "d" / "train" / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"d: cannot be read: "):
        read_documents(tmp_path / "d")
    (tmp_path / "d" / "train" / "state.json").unlink()
    with pytest.raises(DataError, match=r"d: cannot be read: .*state\.json"):
        read_documents(tmp_path / "d")


def test_a_column_that_stands_there_twice(tmp_path):
    table = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["text", "text", "label"])
    write_parquet(table, tmp_path / "t.parquet")
    write_arrow(table, tmp_path / "t.arrow")
    for path in (tmp_path / "t.parquet", tmp_path / "t.arrow"):
        with pytest.raises(DataError, match="the column 'text' stands there twice"):
            read_documents(path)


@pytest.mark.parametrize("offsets", [[0, 3, 2**30], [0, 2**31 - 1, 7], [0, -5, 7], [9, 3, 7]])
@pytest.mark.parametrize("opened", [pa.ipc.new_file, pa.ipc.new_stream], ids=["file", "stream"])
def test_offsets_that_lead_out_of_a_file_are_refused(tmp_path, opened, offsets):
    table, file = pa.table({"text": ["one", "four"], "label": ["A", "B"]}), tmp_path / "t.arrow"
    with file.open("wb") as stream, opened(stream, table.schema) as writer:
        writer.write_table(table)
    whole = file.read_bytes()
    file.write_bytes(whole.replace(struct.pack("<3i", 0, 3, 7), struct.pack("<3i", *offsets)))
    assert file.read_bytes() != whole
    with pytest.raises(DataError, match=r"t\.arrow: cannot be read"):
        read_documents(file, cache_dir=tmp_path / "cache")
