"""Taxonomy files: every form that loads, every problem with its line, and the way back."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hierarchy import DataError, Group, Label, Taxonomy, TaxonomyError
from hierarchy.files import syntax
from hierarchy.files import taxonomy_files as files


@pytest.fixture
def load(tmp_path):
    def _load(text: str | bytes, suffix: str = ".yaml") -> Taxonomy:
        path = tmp_path / f"taxonomy{suffix}"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return Taxonomy.from_file(path)

    return _load


@pytest.fixture
def problems(load):
    def _problems(text: str | bytes, suffix: str = ".yaml") -> str:
        with pytest.raises(TaxonomyError) as caught:
            load(text, suffix)
        return str(caught.value)

    return _problems


def ids(taxonomy: Taxonomy) -> dict[str, list[str]]:
    return {group.id: [label.id for label in group.labels] for group in taxonomy.groups}


LONG = """\
format: coarsefine/taxonomy/1
name: retail
groups:
  - name: Kitchen appliances
    description: machines and tools for cooking and preparing food
    min_size: 2
    max_size: 9
    frozen_name: yes
    built: true
    labels:
      - id: espresso                 # default: the name
        name: Espresso machines
        description: pump, capsule and fully automatic coffee machines
      - Kettles
labels:
  - Garden hoses
must_link:
  - [espresso, Kettles]
cannot_link:
  - [Kettles, Garden hoses]
retired: [toasters]
"""


def test_long_form(load):
    made = load(LONG)
    assert made.name == "retail"
    assert made.groups[0] == Group(
        "Kitchen appliances", "Kitchen appliances", "machines and tools for cooking and preparing food",
        (
            Label("espresso", "Espresso machines", "pump, capsule and fully automatic coffee machines"),
            Label("Kettles", "Kettles"),
        ),
        built=True, frozen_name=True, min_size=2, max_size=9,
    )  # fmt: skip
    assert made.unplaced == (Label("Garden hoses", "Garden hoses"),)
    assert made.must_link == (("espresso", "Kettles"),)
    assert made.retired == ("toasters",)


def test_short_forms(load):
    assert ids(load("Kitchen: [Kettles, Pans]\nGarden:\n  - Hoses\n")) == {
        "Kitchen": ["Kettles", "Pans"],
        "Garden": ["Hoses"],
    }
    assert [label.id for label in load("- a\n- b\n").unplaced] == ["a", "b"]
    assert ids(load("groups:\n  Kitchen: [Kettles]\nlabels: [Hoses]\n")) == {"Kitchen": ["Kettles"]}
    assert load("- {id: k, name: Kettles}\n- Pans\n").unplaced[0] == Label("k", "Kettles")


def test_words_stay_what_the_person_wrote(load):
    text = "- no\n- 1.0\n- 2024-01-01\n- 007\n- NA\n- null\n- 0x1F\n- 1_000\n- .inf\n- 12:30\n- 'quoted'\n"
    wanted = ["no", "1.0", "2024-01-01", "007", "NA", "null", "0x1F", "1_000", ".inf", "12:30", "quoted"]
    assert [label.name for label in load(text).unplaced] == wanted
    assert list(ids(load("no: [a]\n1.0: [b]\n"))) == ["no", "1.0"]
    assert [label.name for label in load('["a", 1.0, true]', ".json").unplaced] == ["a", "1.0", "true"]


def test_one_name_under_several_groups(load):
    made = load("Kitchen: [Other, Pans]\nGarden: [Other]\nTools: [Other]\n")
    assert ids(made) == {"Kitchen": ["Kitchen/Other", "Pans"], "Garden": ["Garden/Other"], "Tools": ["Tools/Other"]}
    assert made.resolve("Other", "Garden") == "Garden/Other"
    assert made.resolve("Other") is None
    by_id = load(
        "groups:\n- {id: k, name: Kitchen, labels: [Other]}\n- {name: Garden, labels: [Other]}\nlabels: [Other]\n"
    )
    assert ids(by_id) == {"k": ["k/Other"], "Garden": ["Garden/Other"]}
    assert by_id.unplaced[0].id == "Other"


def test_all_problems_come_at_once_in_order(load):
    with pytest.raises(TaxonomyError) as caught:
        load(
            """\
format: coarsefine/taxonomy/2
nam: retail
groups:
  - name: Kitchen
    labl: 3
    labels:
      - Kettles
      - Kettles
      -
      - {name: [a]}
      - id: x
        id: y
        name: foo
        built: true
      - Foo: bar
      - [a]
      - {name: "  "}
      - {description: d}
      - {id: "", name: q}
  - name: Empty
    labels: []
  - labels: [q2]
  - name: Sizes
    labels: {a: b}
    min_size: 5
    max_size: 3
    built: maybe
  - lone
  - {name: Zero, labels: [z], min_size: 0, max_size: many}
  - {name: Zero, labels: [z2]}
must_link: [[Kettles, Kettls], [z]]
cannot_link: [a]
retired: [z, [z]]
"""
        )
    wanted = [
        "line 1: format is 'coarsefine/taxonomy/2'; this version reads 'coarsefine/taxonomy/1'",
        "line 2: unknown key 'nam' in a taxonomy; did you mean 'name'?",
        "line 5: unknown key 'labl' in a group; did you mean 'labels'?",
        "line 8: label id 'Kettles' is used twice (first on line 7)",
        "line 9: this label is empty",
        "line 10: the name of a label is a list",
        "line 12: key 'id' is used twice (first on line 11)",
        "line 14: unknown key 'built' in a label; a label may have id, name, description",
        "line 15: label 'Foo' is read as a key with a value; put a name that holds ': ' in quotes",
        "line 16: a label is a list here",
        "line 17: this label has an empty name",
        "line 18: this label has no name",
        "line 19: the id of label 'q' is empty",
        "line 20: group 'Empty' is empty",
        "line 22: this group has no name",
        "line 23: group 'Sizes' has min_size 5 above max_size 3",
        "line 24: 'labels' should hold a list, but holds a mapping",
        "line 27: built is 'maybe'; write true or false",
        "line 28: group 'lone' has no labels",
        "line 29: max_size is 'many'; write a whole number",
        "line 29: min_size of group 'Zero' is 0",
        "line 30: group id 'Zero' is used twice (first on line 29)",
        "line 31: must_link names 'Kettls', which is no label id; did you mean 'Kettles'?",
        "line 31: must_link entry ['z'] needs two or more different label ids",
        "line 32: cannot_link holds 'a'; each entry is a list of label ids",
        "line 33: retired holds a list where a label id should stand",
        "line 33: 'z' is retired, yet a label uses this id",
    ]
    for part, problem in zip(wanted, caught.value.problems, strict=True):
        assert problem.startswith(part)
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[0], lines[18], lines[-1]) == (
        20, "taxonomy.yaml: 27 problems", f"  - {caught.value.problems[17]}", "  and 9 more"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("just words\n", "holds one value, 'just words'"),
        ("[]\n", "there are no labels at all"),
        ("groups: []\n", "there are no labels at all"),
        ("Kitchen:\n", "line 1: group 'Kitchen' is empty"),
        ("name: retail\nKitchen: [a]\n",
         "line 1: 'name' should hold a list of labels, but holds 'retail'; for a taxonomy with a name"),
        ("a:\n  b: [c\n d: e\n", "line 3, column 3: this is no valid YAML"),
        ("a:\n\t- b\n", "line 2, column 1: this is no valid YAML (while scanning for the next token, found character"),
        ("a:\n\t- b\n", "indent with blanks, not with tabs"),
        ("- a: b: c\n", "put a name that holds ': ' in quotes"),
        ("- @home\n", "put a name that begins with a special character in quotes"),
        ("- &x a\n- *x\n", "line 2: the alias *x is not read; write the entry out"),
        ("a: &l [x]\nb:\n  <<: *l\n", "the alias *l is not read"),
        ("groups:\n- {name: a, labels: [b], <<: {x: y}}\n", "line 2: the merge key '<<' is not read"),
        ("- a\n---\n- b\n", "line 2: a second document begins"),
        ("- a\n- b\x07\n", "line 2: the character #x0007 may not stand in YAML"),
        ("[" * 100_000, "nested deeper than 20 levels"),
        ("- " * 100_000, "nested deeper than 20 levels"),
        ("? [a]\n: [b]\n", "line 1: a key is a list"),
        (b"- a\n- caf\xe9\n", "line 2: byte 9 (0xe9) is not UTF-8; save the file as UTF-8"),
        ("- a\n".encode("utf-16"), "saved as UTF-16; save it as UTF-8"),
        ("groups:\n- {name: A, labels: [a]}\n- {name: B, labels: [b]}\nmust_link: [[a, b]]\n",
         "line 4: must_link joins 'a' and 'b', which stand in different pinned groups"),
        ("groups:\n- {name: A, labels: [a, b]}\ncannot_link: [[a, b]]\n",
         "line 3: cannot_link parts 'a' and 'b', which are both pinned in group 'A'"),
        ("labels: [a, b, c]\nmust_link: [[a, b], [b, c]]\ncannot_link: [[a, c]]\n",
         "line 3: cannot_link parts 'a' and 'c', which must_link joins"),
    ],
)  # fmt: skip
def test_yaml_problems(problems, text, message):
    assert message in problems(text)


@pytest.mark.parametrize(
    ("suffix", "text", "hint"),
    [
        (".yaml", "Kettles: Kitchen\nHoses: Garden\n", "is 'Kettles' the label and 'Kitchen' the group, or the other"),
        (".json", json.dumps({f"label {i}": f"G{i}" for i in range(1500)}, indent=0), "so nothing tells: write each"),
        (".yaml", "Kettles: Kitchen\nPans: Kitchen\nGarden: [Hoses]\n", "write one way: all labels with their group"),
        (".yaml", "data:\n  train: a.csv\nclassifier:\n  encoder: none\n", "seems to be a config"),
        (".json", '[{"text": "a", "label": "b"}]', "seems to hold documents: give it as data.train"),
        (".json", '{"text": "a", "label": "b"}', "seems to hold documents"),
        (".json", '{"format": "coarsefine/model", "settings": {}}', "name the folder in which it lies"),
        (".csv", "text,label\nhello,a\n", "seems to hold documents"),
        (".csv", "Kettles,Kitchen\nToasters,Kitchen\n", "the first line must name the columns"),
        (".jsonl", '{"text": "a", "label": "b"}\n', "seems to hold documents"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_recognised(problems, suffix, text, hint):
    told = problems(text, suffix)
    assert hint in told.splitlines()[0]
    assert len(told.splitlines()) <= 20


@pytest.mark.parametrize(
    "text", ["a: b\nKitchen: [Kettles]\nGarden: [Hoses]\n", "groups:\n- {name: A, lables: [a]}\n", "- [a]\n- b\n"]
)
def test_one_wrong_entry_makes_no_other_kind(problems, text):
    assert "seem" not in problems(text)


def test_a_flood_is_capped_and_all_problems_are_kept(load):
    with pytest.raises(TaxonomyError) as caught:
        load("".join(f"label {i}: G\n" for i in range(1331)) + "Kitchen: [Kettles]\n")
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[-1][-27:], len(caught.value.problems)) == (6, " (and 1,326 more like this)", 1331)
    with pytest.raises(TaxonomyError) as caught:
        load(f"Kitchen: [{'x' * 9000}, {'x' * 9000}]\n")
    assert len(str(caught.value)) < 1200
    assert str(caught.value).endswith("give one of them another 'id:' or remove it")


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".yaml", "A: [Other, A/Other]\nB: [Other]\n"),
        (".yaml", "A: [Other]\nB: [Other]\nC: [A/Other]\n"),
        (".yaml", "groups:\n- {name: A, labels: [Other]}\nlabels: [Other, A/Other]\n"),
        (".csv", "label,group\nOther,A\nOther,B\nA/Other,B\n"),
    ],
)
def test_a_made_id_that_meets_a_label_is_explained(problems, suffix, text):
    told = problems(text, suffix)
    assert "label id 'A/Other' is used twice (first on line " in told
    assert "label 'Other' of group 'A' gets it, since its name stands in several places" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": ["b"],\n "a": ["d"]}', "line 2: key 'a' is used twice (first on line 1)"),
        ('{"a": ["b",\n "c",\n "b"]}', "line 3: label id 'b' is used twice (first on line 1)"),
        ('{"a": ["b",]}', "line 1, column 12: this is no valid JSON"),
        ('["a", NaN]', "NaN is no JSON value"),
        ('["a", null]', "line 1: this label is empty"),
        ('{"groups": {}}', "there are no labels at all"),
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
        ("", "line 1, column 1: this is no valid JSON"),
        ('{"a": ["b\n"]}', "line 1, column 10: this is no valid JSON (Invalid control character); "),
    ],
)
def test_json_problems(problems, text, message):
    assert message in problems(text, ".json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,group,label\n", "line 1: column 'label' stands 2 times; keep one"),
        ("", "the file is empty; write a line with the columns, label and group, and a line a label"),
        ("\n", "the file is empty"),
        ("label,group\n", "there are no labels at all"),
        ("label,group\na,A\nb,B\na,A\n", "line 4: 'A > a' stands twice (first on line 2); remove or rename one"),
        ("label,group\na,A\n,B\n", "line 3: the label is empty"),
        ("label,group\na,b,A\n", "line 2: 3 cells, but the header has 2; quote cells that hold ','"),
        ('label,group\n"a,A\nb,A\n', "line 2: this row cannot be read"),
    ],
)
def test_table_problems(problems, text, message):
    assert message in problems(text, ".csv")


def test_tables(load):
    made = load("label,group\na,A\n\nb,A\na,B\nc,\n", ".csv")
    assert ids(made) == {"A": ["A/a", "b"], "B": ["B/a"]}
    assert made.unplaced == (Label("c", "c"),)
    assert (
        load("Label;Group\na;A\n", ".csv")
        == load("label\tgroup\na\tA\n", ".tsv")
        == load("\ufefflabel,group\na,A\n", ".csv")
    )
    named = load('label,group,name,description\na1,A,"Alpha, one","what\nit is"\n', ".csv")
    assert named.labels == (Label("a1", "Alpha, one", "what\nit is"),)
    assert "line 4: 'A > x'" in _message(load, 'label,group\n"x",A\ny,A\nx,A\n')


def _message(load, text: str) -> str:
    with pytest.raises(TaxonomyError) as caught:
        load(text, ".csv")
    return str(caught.value)


def test_other_files(tmp_path, load):
    with pytest.raises(TaxonomyError, match=r"ends in '\.ods'; a taxonomy file ends in one of \.yaml"):
        Taxonomy.from_file(tmp_path / "t.ods")
    with pytest.raises(TaxonomyError, match=r"cannot be read \(No such file"):
        Taxonomy.from_yaml(tmp_path / "absent.yaml")
    assert load("\ufeff- a\n").unplaced[0].name == "a"


def test_without_libyaml_the_same(load, problems, monkeypatch):
    with_c = load(LONG)
    monkeypatch.setattr(syntax, "_Loader", yaml.SafeLoader)
    assert load(LONG) == with_c
    assert "line 2: the alias *x" in problems("- &x a\n- *x\n")
    assert "nested deeper" in problems("[" * 100_000)


NAMES = st.text(min_size=1, max_size=12).filter(lambda text: text.strip())
TEXTS = st.sampled_from(
    ["", "plain", "with: colon", "# hash", "- dash", "no", "12", "a\nb", "\u2028", "😀", "'\"", " x "]
)


@st.composite
def taxonomies(draw):
    label_ids = draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
    labels = [Label(x, draw(st.one_of(st.just(x), NAMES, st.just("Other"))), draw(TEXTS)) for x in label_ids]
    group_ids = draw(st.lists(NAMES, max_size=len(labels), unique=True))
    groups = tuple(
        Group(
            x, draw(st.one_of(st.just(x), NAMES)), draw(TEXTS), (labels.pop(),),
            draw(st.booleans()), draw(st.booleans()),
            *draw(st.sampled_from([(None, None), (1, 4), (2, None)])),
        )
        for x in group_ids
    )  # fmt: skip
    unused = draw(st.lists(NAMES.filter(lambda x: x not in label_ids), max_size=2))
    return Taxonomy(groups, tuple(labels), draw(TEXTS), retired=tuple(unused))


@given(taxonomies())
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_written_files_read_back(tmp_path_factory, taxonomy):
    folder = tmp_path_factory.mktemp("round")
    assert taxonomy.to_yaml(folder / "t.yaml") == (folder / "t.yaml").read_bytes().decode()
    assert Taxonomy.from_yaml(folder / "t.yaml") == taxonomy
    # Another reader that converts types sees the same words.
    data = yaml.safe_load(taxonomy.to_yaml())
    assert all(isinstance(x if isinstance(x, str) else x["name"], str) for x in data.get("labels", []))
    taxonomy.to_json(folder / "t.json")
    assert Taxonomy.from_json(folder / "t.json") == taxonomy


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ('label\tgroup\n"a\tG\nb"\tH\nc\tH\n', ".tsv"),
        ('label\tgroup\na\t"G\nb\tH"\n', ".tsv"),
        ('label\tgroup\tdescription\na\tG\t"x\nb\tG\ty"\n', ".tsv"),
        ('label,group\n"a,G\nb",H\n', ".csv"),
        ('label;group\n"a;G\nb";H\n', ".csv"),
    ],
)
def test_rows_that_a_stray_quote_swallows_are_refused(problems, text, suffix):
    message = problems(text, suffix)
    assert "line 2: the " in message
    assert "holds several rows" in message


def test_links_and_csv_go_round(tmp_path, load):
    made = load(LONG)
    made.to_yaml(tmp_path / "t.yaml")
    assert Taxonomy.from_yaml(tmp_path / "t.yaml") == made
    made.to_csv(tmp_path / "t.tsv")
    back = Taxonomy.from_csv(tmp_path / "t.tsv")
    assert (back.labels, back.unplaced, back.group_ids) == (made.labels, made.unplaced, made.group_ids)


def test_ten_thousand_labels_load(tmp_path):
    rows = [
        f"  - name: group {g}\n    labels:\n"
        + "".join(
            f"      - id: l{g}-{i}\n        name: Label {g} {i}\n        description: some words\n" for i in range(40)
        )
        for g in range(250)
    ]
    path = tmp_path / "large.yaml"
    path.write_text("groups:\n" + "".join(rows))
    assert len(Taxonomy.from_yaml(path).labels) == 10_000


def test_shared_taxonomies_go_round(shared_taxonomy, tmp_path):
    for name in ("google_en/taxonomy_600.json", "google_zh/taxonomy_600.json"):
        tree = shared_taxonomy(name)
        made = Taxonomy.from_data(list(tree), list(tree.values()))
        made.to_yaml(tmp_path / "t.yaml")
        assert Taxonomy.from_yaml(tmp_path / "t.yaml") == made
        assert len(made.labels) == len(tree)
        assert Path(tmp_path / "t.yaml").read_text("utf-8").count("\\u") == 0  # Chinese stays readable


FORMULAS = ("=1+1", "'=1+1", "''=1", "+5", "-5", "@SUM(1)", "＝1", "a;=1", "plain", "'tis", '"=1"')


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_spreadsheet_computes_nothing_in_a_table_and_its_texts_come_back(tmp_path, suffix):
    labels = tuple(Label(f"{text}x", text, f"{text} described") for text in FORMULAS)
    tree = Taxonomy(groups=(Group("=G", "=G", labels=labels[:5]),), unplaced=labels[5:])
    path = tmp_path / f"t.{suffix}"
    tree.to_csv(path)
    cells = re.split(r"[,\t\n]", path.read_text(encoding="utf-8"))
    assert not [
        cell for cell in cells if re.match(r"""["']?[=+\-@＝]""", cell) and not cell.lstrip('"').startswith("'")
    ]
    assert Taxonomy.from_file(path) == tree
    written = path.read_bytes()
    Taxonomy.from_file(path).to_csv(path)
    assert path.read_bytes() == written


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u0085", "\u2028", "\t"])
def test_ids_that_a_table_would_change_are_not_written_into_one(tmp_path, blank):
    for tree in (
        Taxonomy(groups=(Group("g", "g", labels=(Label(f"a{blank}", "a"),)),)),
        Taxonomy(groups=(Group("g", "g", labels=(Label("a", "a"),)),), unplaced=(Label(f"{blank}b", "b"),)),
        Taxonomy(groups=(Group(f"g{blank}", "g", labels=(Label("a", "a"),)),)),
    ):
        with pytest.raises(TaxonomyError, match=r"begins or ends with a blank.*write \.yaml or \.json"):
            tree.to_csv(tmp_path / "t.csv")
    assert not list(tmp_path.iterdir())


def test_a_table_of_other_columns_is_read_as_it_stands(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("label,group\n'=a,'-G\n=b,'-G\n", encoding="utf-8")
    tree = Taxonomy.from_file(path)
    assert (tree.label_ids, tree.group_ids) == (("'=a", "=b"), ("'-G",))


@pytest.mark.parametrize("write", ["to_yaml", "to_json", "to_csv"])
def test_a_taxonomy_is_written_whole_or_not_at_all(tmp_path, write, monkeypatch):
    tree, file, link = Taxonomy(unplaced=(Label("a", "a"),)), tmp_path / "t.csv", tmp_path / "link.csv"
    file.write_text("earlier", encoding="utf-8")
    link.symlink_to(file)

    def full(self, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(DataError, match="cannot be written"):
            getattr(tree, write)(link)
    assert file.read_text(encoding="utf-8") == "earlier"
    getattr(tree, write)(link)
    assert link.is_symlink()
    assert Taxonomy.from_yaml(file).labels == () if write == "to_yaml" else file.stat().st_size > 7
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link.csv", "t.csv"]
    with pytest.raises(DataError, match="its folder is not there"):
        getattr(tree, write)(tmp_path / "none" / "t.yaml")


HUGE = "9" * 5000  # digits, more than Python reads


@pytest.mark.parametrize("written", [HUGE, f"-{HUGE}", f"1e{HUGE}", "１２", "1.5", "true", "1_000"])
def test_numbers_that_are_no_size(problems, written):
    said = problems(f"groups:\n  - name: K\n    min_size: {written}\n    labels: [a, b]\n")
    assert said.startswith("taxonomy.yaml: line 3: min_size is ")


def test_numbers_of_thousands_of_digits_in_json(problems, load):
    said = problems(f'{{"groups": [{{"name": "K", "min_size": {HUGE}, "labels": ["a", "b"]}}]}}', ".json")
    assert "min_size is '999" in said
    assert load(f'{{"groups": {{"K": [{HUGE}, 2]}}}}', ".json").label_ids == (HUGE, "2")


def test_a_file_that_has_to_be_waited_for_is_none(tmp_path, monkeypatch):
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    monkeypatch.setattr("stat.S_ISREG", lambda _: True)  # as of /proc/kmsg
    with pytest.raises(TaxonomyError, match="no file of a disk"):
        files.read_text(pipe)
    os.close(writer)


def test_pipes_and_devices_are_no_files(tmp_path):
    pipe, endless = tmp_path / "pipe.yaml", tmp_path / "endless.yaml"
    os.mkfifo(pipe)  # nobody writes to it
    endless.symlink_to("/dev/zero")
    for place in (pipe, endless):
        with pytest.raises(TaxonomyError, match="no file of a disk but a pipe or a device"):
            Taxonomy.from_file(place)


def test_a_file_that_is_no_list_by_its_size_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 2**20)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"- a\n" * 2**18)
    large.open("ab").write(b"x")
    with pytest.raises(TaxonomyError, match="more than 1 MB"):
        Taxonomy.from_file(large)


def test_of_a_table_with_many_columns_a_few_are_named(problems):
    said = problems(",".join(map(str, range(20_000))) + "\n", ".csv")
    assert "no column says that it holds the labels, there are '0', '1'" in said
    assert "and 19,990 more; name it with label_column=..." in said


def test_unsorted_groups_are_marked_by_a_comment_that_changes_nothing(load):
    rest = Group("rest", "Rest: 'all' # other", "what is\nleft", labels=(Label("a", "a"), Label("b", "B", "- name: c")))
    tree = Taxonomy(groups=(Group("one", "one", labels=(Label("x", "x"),)), rest), unplaced=(Label("y", "y"),))
    text = tree.to_yaml(unsorted=["rest"])
    lines = text.splitlines()
    place = lines.index("  # unsorted: these labels have little in common")
    assert "Rest" in "".join(lines[place + 1 : place + 3])
    assert text.count("# unsorted") == 1
    assert "\n".join(lines[:place] + lines[place + 1 :]) + "\n" == tree.to_yaml()
    assert load(text) == tree


def test_a_table_tells_what_it_does_not_hold(tmp_path, caplog):
    caplog.set_level("INFO", "coarsefine")
    group = Group("g", "G", labels=(Label("a", "A"), Label("b", "B")))
    Taxonomy((group,)).to_file(tmp_path / "plain.csv")
    assert caplog.messages == []
    pinned = replace(group, labels=(Label("a", "A", pinned=True), Label("b", "B")), max_size=9)
    owned = Taxonomy((pinned,), must_link=(("a", "b"),), merged_into={"c": "a"}, retired=("d",))
    for name in ("t.yaml", "t.json", "t.tsv"):
        owned.to_file(tmp_path / name)
    owned.to_csv(tmp_path / "u.csv")
    lost = "pins, sizes of groups, links, merged labels, retired labels"
    said = [f"{name}: a table does not hold {lost}: keep the tree as YAML, too" for name in ("t.tsv", "u.csv")]
    assert caplog.messages == said
