"""Trees in the shapes that people have them in: one tree in each, what is guessed and told, and what is refused."""

import io
import json
import logging
import re
import zipfile
from datetime import date, datetime

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierarchy import Group, Label, MissingLibraryError, Taxonomy, TaxonomyError
from hierarchy.errors import ConfigError
from hierarchy.text.escaping import csv_row
from hierarchy.text.separators import guessed_separator

PATHS = [
    ("Home", "Kitchen", "Kettles"), ("Home", "Kitchen", "Pans"), ("Home", "Garden", "Hoses"), ("Office", "Pens"),
    ("Gifts",),
]  # fmt: skip
LEVELS = "Level 1,Level 2,Level 3\nHome,Kitchen,Kettles\n{0},{1},Pans\n{0},Garden,Hoses\nOffice,Pens,\nGifts,,\n"
CHILDREN = {
    "name": "shop",
    "children": [
        {"name": "Home", "size": 3, "children": [
            {"name": "Kitchen", "children": [{"name": "Kettles"}, {"name": "Pans"}]},
            {"name": "Garden", "children": ["Hoses"]},
        ]},
        {"name": "Office", "children": ["Pens"]},
        "Gifts",
    ],
}  # fmt: skip
SHAPES = {
    "paths.txt": "".join(" > ".join(path) + "\n" for path in PATHS),
    "close.txt": "".join(">".join(path) + "\r\n" for path in PATHS),
    "signs.txt": "".join("##".join(path) + "\n" for path in PATHS),
    "paths.csv": "Category path\n" + "".join(" > ".join(path) + "\n" for path in PATHS),
    "labels.csv": "nr;label\n" + "".join(f"{i};{' > '.join(path)}\n" for i, path in enumerate(PATHS)),
    "levels.csv": LEVELS.format("Home", "Kitchen"),
    "outline.csv": LEVELS.format("", ""),
    "ragged.tsv": LEVELS.format("Home", "Kitchen").replace(",\n", "\n").replace(",\n", "\n").replace(",", "\t"),
    "chinese.csv": LEVELS.format("Home", "Kitchen").replace("Level 1,Level 2,Level 3", "一级类目,二级类目,三级类目"),
    "names.yaml": "Home:\n  Kitchen: [Kettles, Pans]\n  Garden:\n  - Hoses\nOffice: [Pens]\nGifts:\n",
    "names.json": json.dumps({"Home": {"Kitchen": ["Kettles", "Pans"], "Garden": ["Hoses"]}, "Office": ["Pens"],
                              "Gifts": []}),
    "objects.json": json.dumps(CHILDREN),
    "keyed.json": json.dumps({"Home": {"groups": {"Kitchen": {"labels": ["Kettles", "Pans"]}, "Garden": ["Hoses"]}},
                              "Office": ["Pens"], "Gifts": {}}),
    "list.yaml": "".join(f"- {' > '.join(path)}\n" for path in PATHS),
    "list.json": json.dumps([" > ".join(path) for path in PATHS]),
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def _read(name: str, content: str | bytes | list[list], **shape) -> Taxonomy:
        file = tmp_path / name
        if isinstance(content, list):
            book = openpyxl.Workbook()
            for row in content:
                book.active.append(row)
            book.save(file)
        else:
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return Taxonomy.from_file(file, **shape)

    return _read


@pytest.fixture
def refused(read):
    def _refused(name: str, content: str | bytes | list[list], **shape) -> str:
        with pytest.raises(TaxonomyError) as caught:
            read(name, content, **shape)
        assert len(str(caught.value).splitlines()) <= 20
        return str(caught.value)

    return _refused


def ids(tree: Taxonomy) -> dict[str, list[str]]:
    return {group.id: [label.id for label in group.labels] for group in tree.groups}


def names(tree: Taxonomy) -> dict[str, list[str]]:
    return {group.name: [label.name for label in group.labels] for group in tree.groups}


def in_order(groups: dict[str, list[str]]) -> dict[str, list[str]]:
    return {group: sorted(groups[group]) for group in sorted(groups)}


@pytest.mark.parametrize("name", SHAPES)
def test_one_tree_in_every_shape(read, name):
    between = {"signs.txt": "##", "close.txt": ">"}.get(name, " > ")
    tree = read(name, SHAPES[name])
    kitchen, garden = f"Kitchen{between}", f"Garden{between}"
    wanted = {"Gifts": ["Gifts"], "Home": [f"{garden}Hoses", f"{kitchen}Kettles", f"{kitchen}Pans"], "Office": ["Pens"]}
    assert in_order(ids(tree)) == wanted
    assert in_order(names(tree)) == {"Gifts": ["Gifts"], "Home": ["Hoses", "Kettles", "Pans"], "Office": ["Pens"]}
    assert tree.unplaced == ()
    assert tree.resolve(between.join(PATHS[0])) == tree.resolve("Kettles") == f"{kitchen}Kettles"
    assert tree.name == ("shop" if name == "objects.json" else "")


@pytest.mark.parametrize("name", SHAPES)
def test_a_deeper_cut_and_inner_nodes(read, name):
    between = {"signs.txt": "##", "close.txt": ">"}.get(name, " > ")
    deeper = read(name, SHAPES[name], coarse_level=2)
    assert in_order(names(deeper)) == {
        "Garden": ["Hoses"], "Gifts": ["Gifts"], "Kitchen": ["Kettles", "Pans"], "Pens": ["Pens"],
    }  # fmt: skip
    assert set(deeper.group_ids) == {
        between.join(path) for path in [*PATHS[3:], ("Home", "Kitchen"), ("Home", "Garden")]
    }
    assert deeper.resolve(between.join(PATHS[0])) == "Kettles"
    with_inner = read(name, SHAPES[name], inner_nodes=True)
    assert set(names(with_inner)["Home"]) == {"Home", "Kitchen", "Garden", "Kettles", "Pans", "Hoses"}
    assert set(names(with_inner)["Office"]) == {"Office", "Pens"}
    with pytest.raises(TaxonomyError, match=r"the tree has 3 levels.* give at most coarse_level=2"):
        read(name, SHAPES[name], coarse_level=3)


def test_levels_above_the_cut_name_a_group_where_one_name_is_several(read):
    tree = read("t.txt", "A > Other > x > y\nA > New > x\nB > Other > x\nB > Other > x > z\n", coarse_level=2)
    assert ids(tree) == {"A > Other": ["x > y"], "A > New": ["x"], "B > Other": ["x > z"]}
    assert names(tree) == {"A > Other": ["y"], "New": ["x"], "B > Other": ["z"]}


def test_one_name_in_several_places_has_a_path_for_a_name_and_one_id(read):
    tree = read("t.txt", "A > p > Other\nA > q > Other\nA > q > x\nB > p > Other\nB > x\n")
    assert ids(tree) == {"A": ["A/p > Other", "q > Other", "q > x"], "B": ["B/p > Other", "x"]}
    assert names(tree) == {"A": ["p > Other", "q > Other", "x"], "B": ["Other", "x"]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.yaml", "Kettles: Kitchen\nPans: Kitchen\nHoses: Garden\nOther: Garden\n'no': Kitchen\nNew:\n"),
        ("t.json", '{"Kettles": "Kitchen", "Pans": "Kitchen", "Hoses": "Garden", "Other": "Garden", "no": "Kitchen",'
                   '"New": null}'),
        ("t.json", json.dumps([
            {"label": "Kettles", "group": "Kitchen", "n": 3}, {"label": "Pans", "group": "Kitchen"},
            {"group": "Garden", "label": "Hoses"}, {"label": "Other", "group": "Garden"},
            {"label": "no", "group": "Kitchen"}, {"label": "New", "group": None},
        ], indent=1)),
        ("t.csv", "label,group\nKettles,Kitchen\nPans,Kitchen\nHoses,Garden\nOther,Garden\nno,Kitchen\nNew,\n"),
    ],
)  # fmt: skip
def test_labels_with_their_groups(read, name, text):
    tree = read(name, text)
    assert ids(tree) == {"Kitchen": ["Kettles", "Pans", "no"], "Garden": ["Hoses", "Other"]}
    assert tree.unplaced == (Label("New", "New"),)


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("Intent,Team,Notes,What it means", {"group_column": "Team", "description_column": "what it  MEANS"}),
        ("label,category,Owner,description", {}),
        ("Name,Group,Owner,Definition", {}),
        ("Subcategory,Category,Owner,desc", {}),
        ("标签,大类,负责人,描述", {}),
        ("a,b,c,d", {"label_column": "a", "group_column": ["b"], "description_column": "d"}),
    ],
)
def test_columns_are_known_by_plain_headers_or_named(read, caplog, header, named):
    caplog.set_level(logging.INFO)
    tree = read("t.csv", f'{header}\nKettles,Kitchen,me,"boils, loudly"\nHoses,Garden,you,\n', **named)
    assert tree.groups == (
        Group("Kitchen", "Kitchen", labels=(Label("Kettles", "Kettles", "boils, loudly"),)),
        Group("Garden", "Garden", labels=(Label("Hoses", "Hoses"),)),
    )
    assert caplog.messages == [f"t.csv: columns that are not read: {header.split(',')[2]!r}"]


def test_a_column_that_is_nearly_known_is_told(read, caplog):
    caplog.set_level(logging.INFO)
    read("t.csv", "label,gruop,x\na,A,\n")
    assert caplog.messages == ["t.csv: columns that are not read: 'gruop', 'x'; did you mean 'group'?"]


def test_headers_of_published_taxonomies(read):
    iab = "Unique ID\tParent\tName\tTier 1\tTier 2\n1\t\tAuto\tAuto\t\n2\t1\tVans\tAuto\tVans\n"
    assert read("iab.tsv", iab).groups == (Group("1", "Auto", labels=(Label("2", "Vans"),)),)
    levels = "Code,Level_1 Name,LEVEL 2 name,Title,Definition\n10,A,b,x,what b is\n11,A,c,y,\n"
    assert read("t.csv", levels).groups == (Group("A", "A", labels=(Label("10", "b", "what b is"), Label("11", "c"))),)


def test_ids_beside_names(read):
    tree = read("t.csv", "Code,Label,Group\n007,Kettles,Kitchen\n1.0,Other,Kitchen\n2,Other,Garden\n")
    assert tree.labels == (Label("007", "Kettles"), Label("1.0", "Other"), Label("2", "Other"))
    tree = read("t.csv", "number,what\n007,Kettles\n", id_column="number", label_column="what")
    assert tree.unplaced == (Label("007", "Kettles"),)


def test_several_named_columns_are_levels(read):
    text = "what,area,team\nKettles,Kitchen,Home\nHoses,Garden,Home\nPens,Office,Work\n"
    tree = read("t.csv", text, label_column="what", group_column=["team", "area"])
    assert ids(tree) == {"Home": ["Kitchen > Kettles", "Garden > Hoses"], "Work": ["Office > Pens"]}


PARENTS = (
    "id,parent_id,name,description\n3,2,Kettles,they boil\n1,0,Home,all of it\n2,1,Kitchen,\n4,,Office,\n5,4,Pens,\n"
)


def test_ids_with_the_ids_above_them(read):
    tree = read("t.csv", PARENTS)
    assert tree.groups == (
        Group("1", "Home", "all of it", (Label("3", "Kettles", "they boil"),)),
        Group("4", "Office", labels=(Label("5", "Pens"),)),
    )
    assert tree == read(
        "t.csv", PARENTS.replace("id,parent_id,name", "a,b,c"), id_column="a", parent_column="b", label_column="c"
    )


def test_names_with_the_names_above_them_are_ids(read):
    edges = (
        "child,parent\nKettles,Kitchen\nPans,Kitchen\nHoses,Garden\nKitchen,Home\nGarden,Home\nPens,Office\nGifts,\n"
    )
    tree = read("edges.csv", edges)
    assert ids(tree) == {"Home": ["Kettles", "Pans", "Hoses"], "Office": ["Pens"], "Gifts": ["Gifts"]}
    assert names(tree) == ids(tree)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            "7,9,Saws\n",
            "line 7: no row has the id '9', which stands above '7'; add its row, or leave the cell of a top",
        ),
        ("7,8,Saws\n8,7,Axes\n", "line 7: the rows stand above themselves: '7' below '8' below '7'; give one of them"),
        ("7,7,Saws\n", "line 7: the rows stand above themselves: '7' below '7'"),
        ("3,1,Saws\n", "line 7: id '3' stands twice (first on line 2); give each row its own"),
        (",1,Saws\n", "line 7: the id is empty"),
        ("7,1,\n", "line 7: the name is empty"),
        ("7,1,Kitchen\n", "line 7: 'Home > Kitchen' stands twice (first on line 4), and nodes below it: below which?"),
    ],
)
def test_ids_that_make_no_tree(refused, rows, said):
    assert said in refused("t.csv", PARENTS + rows.replace("\n", ",\n"))


def test_rows_above_and_below_a_circle_are_no_problem_of_their_own(refused):
    chain = "".join(f"{i},{i + 1},n\n" for i in range(10, 40)) + "40,25,n\n"
    said = refused("t.csv", f"id,parent,name\n{chain}")
    assert said.count("above themselves") == 1
    assert "'25' below '26' below '27' below '28' below '29' below '...' below '25'" in said


def test_several_tops_are_groups_and_one_is_told(read, caplog):
    read("t.csv", "id,parent,name\n1,,All\n2,1,Home\n3,2,Kettles\n")
    assert caplog.messages == ["t.csv: all labels stand below 'All': cut the tree at a deeper level (coarse_level=2)"]


def leaves_of(paths: list[list[str]]) -> set[tuple[str, ...]]:
    inner = {tuple(path[:-1]) for path in paths}
    return {tuple(path) for path in paths} - inner


GOOGLE = "# Google_Product_Taxonomy_Version: 2021-09-21\n{}Animals\n{}Animals > Live\n{}Animals > Live > Fish\n{}Arts\n"


def test_google_s_product_taxonomy(read):
    tree = read("taxonomy.en-US.txt", GOOGLE.format(*[""] * 4))
    assert ids(tree) == {"Animals": ["Live > Fish"], "Arts": ["Arts"]}
    tree = read("taxonomy-with-ids.en-US.txt", GOOGLE.format("1 - ", "3237 - ", "2 - ", "8 - "))
    assert tree.groups == (
        Group("1", "Animals", labels=(Label("2", "Fish"),)), Group("8", "Arts", labels=(Label("8", "Arts"),)),
    )  # fmt: skip


@pytest.mark.parametrize(("language", "leaves", "groups"), [("en", 4612, 191), ("zh", 3682, 175)])
def test_google_s_whole_taxonomy_loads_at_both_levels(read, shared_taxonomy, caplog, language, leaves, groups):
    paths = shared_taxonomy(f"google_{language}/paths.json")
    text = "# Google_Product_Taxonomy_Version: 2021-09-21\n" + "".join(" > ".join(path) + "\n" for path in paths)
    for level, number in ((1, 21), (2, groups)):
        tree = read("google.txt", text, coarse_level=level)
        assert (len(tree.labels), len(tree.groups)) == (leaves, number)
        assert {tree.resolve(" > ".join(leaf)) for leaf in leaves_of(paths)} == set(tree.label_ids)
    assert any("6 lines say again what another says" in message for message in caplog.messages) == (language == "zh")
    numbered = "".join(f"{i} - {' > '.join(path)}\n" for i, path in enumerate(paths))
    assert len(read("google.txt", numbered).labels) == leaves + 6 * (language == "zh")


def test_a_list_of_names_is_of_labels_without_groups(read):
    for name, text in (("t.txt", "Kettles\n\nPans > 2 l\nHoses\n"), ("t.csv", "label\nKettles\nPans > 2 l\nHoses\n")):
        assert [label.id for label in read(name, text).unplaced] == ["Kettles", "Pans > 2 l", "Hoses"]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["A > b", "A > c", "B > d", "B > e"], " > "),
        (["A>b", "A>c", "A"], ">"),
        (["A > b>c", "A > d", "A > e", "A > f>g"], " > "),  # `b>c` is a name
        (["A##b", "A##c > d", "A##e"], "##"),
        (["A -> b", "A -> c", "B -> d", "B -> e"], " -> "),  # no group is called `A -`
        (["A=>b", "A=>c"], "=>"),
        (["甲＞乙", "甲＞丙"], "＞"),
        (["A > b", "c", "d"], None),  # few
        (["age > 30", "weight > 80", "height > 2"], None),  # nothing in common
        (["A/b", "A/c", "A/d"], None),  # names often have a slash
        ([], None),
    ],
)
def test_a_separator_is_guessed_with_evidence(lines, found):
    assert guessed_separator(lines) == found


def test_names_that_may_be_paths_are_told(read, caplog):
    files = {"t.txt": "A > b\nC > d\n", "t.csv": "path\nA > b\nC > d\n", "t.yaml": "- A > b\n- C > d\n"}
    for name, text in files.items():
        caplog.clear()
        assert [label.id for label in read(name, text).unplaced] == ["A > b", "C > d"]
        assert "most names hold ' > ' and are not cut there" in caplog.text
        if name != "t.yaml":
            assert ids(read(name, text, separator=" > ")) == {"A": ["b"], "C": ["d"]}
    caplog.clear()
    read("t.txt", "A\n  b\n  c\n")
    assert "lines are indented, which says nothing here (first: line 2)" in caplog.text


def test_lines_of_a_text_end_as_in_an_editor(read, refused):
    assert ids(read("t.txt", "A > b\u2028c\r\nA > d\x0ce\rA > f")) == {"A": ["b\u2028c", "d\x0ce", "f"]}
    assert "line 3: the path '> c'" in refused("t.txt", "A > a\u2028\nA > b\n> c\n")


def test_what_stands_most_often_in_a_header_parts_its_cells(read):
    for header in ("label;group;what it is, in words", 'label;"group";"a,b,c,d"', "label\tgroup\twhat, in words"):
        text = f"{header}\na;A;x\nb;A;y\n".replace(";", "\t" if "\t" in header else ";")
        assert ids(read("t.csv", text)) == {"A": ["a", "b"]}
    assert ids(read("t.csv", "label,group;x\na,A\n", group_column="group;x")) == {"A": ["a"]}


def test_a_separator_is_named(read, refused):
    assert ids(read("t.txt", "A/b\nA/c/d\n", separator="/")) == {"A": ["b", "c/d"]}
    whole = read("t.txt", "A > b\nA > c\nB > d\nB > e\n", separator="none")
    assert len(whole.unplaced) == 4
    both = read("t.csv", "label,group\nc > d,A > B\n", separator=" > ", coarse_level=2)
    assert ids(both) == {"A > B": ["c > d"]}
    assert ids(read("t.csv", "label,group\nc > d,A\ne > f,A\n")) == {"A": ["c > d", "e > f"]}
    for path in ("A > > c", "> c", "A > c >", "A > c > "):
        for separator in (">", " > ", None):
            said = refused("t.txt", f"A > b\nA > d\n{path}\n", separator=separator)
            assert f"line 3: the path '{path.strip()}' has an empty name" in said


def test_empty_levels_are_filled_where_that_is_safe_and_told(read, refused, caplog):
    caplog.set_level(logging.INFO)
    read("outline.csv", SHAPES["outline.csv"])
    assert (
        "outline.csv: 2 rows begin with empty levels, which are taken from the row above (first on line 3)"
        in caplog.messages
    )
    assert "line 2: an empty level stands above one" in refused("t.csv", "Level 1,Level 2\n,b\nA,c\n")
    assert "line 3: an empty level stands above one" in refused("t.csv", "L1,L2,L3\nA,b,c\nA,,d\n")
    assert "line 3: no level is filled" in refused("t.csv", "L1,L2,note\nA,b,\n,,x\n")


def _workbook(**sheets: list[list]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return book


def _saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_an_excel_file_is_read_as_it_is_shown(read):
    book = _workbook(
        one=[["label", "group", "owner"], [7, True], [1.5, date(2024, 1, 2)], [2e3, datetime(2024, 1, 2, 3)], [],
             [7, "A "], [0.5, "A"], [2, "A"]]
    )  # fmt: skip
    book["one"]["A6"].number_format, book["one"]["A7"].number_format = "0000", "0%"
    book["one"]["A8"].number_format = "0.00"
    assert ids(read("t.xlsx", _saved(book))) == {
        "TRUE": ["7"], "2024-01-02": ["1.5"], "2024-01-02 03:00:00": ["2000"], "A": ["0007", "50%", "2.00"],
    }  # fmt: skip


def test_of_formulas_the_value_counts_that_was_computed_last(read, refused):
    data = _saved(_workbook(one=[["label", "group"], ["a", '="A"&"B"'], ["b", "=C1"]]))
    assert "2 problems" in (said := refused("t.xlsx", data))
    assert "line 2: the cell B2 holds a formula without a value; open and save it in a spreadsheet" in said

    def with_values(kind: str, *values: str) -> bytes:
        out, left = io.BytesIO(), iter(values)
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            for part in old.namelist():
                content = old.read(part).decode()
                if "worksheets" in part:
                    content = content.replace('r="B2"', 'r="B2" t="str"').replace('r="B3"', f'r="B3" t="{kind}"')
                    content = re.sub(r"<v ?/>|<v></v>", lambda _: f"<v>{next(left)}</v>", content)
                new.writestr(part, content)
        return out.getvalue()

    assert ids(read("t.xlsx", with_values("str", "AB", "C"))) == {"AB": ["a"], "C": ["b"]}
    assert (
        refused("t.xlsx", with_values("e", "AB", "#REF!"))
        == "t.xlsx: line 3: the cell B3 holds the error #REF!; mend it"
    )


def test_merged_cells_hold_for_each_row_that_they_fill(read):
    book = _workbook(one=[["team", "label"], ["A", "a"], [None, "b"], ["B", "c"], [None, "d"]])
    book["one"].merge_cells("A2:A3")
    tree = read("t.xlsx", _saved(book), group_column="team")
    assert ids(tree) == {"A": ["a", "b"], "B": ["c"]}
    assert tree.unplaced == (Label("d", "d"),)  # an empty cell is one: nothing says that it is as the one above


def test_a_sheet_is_named(read, refused):
    data = _saved(_workbook(first=[["label"], ["a"]], second=[["label"], ["b"]], none=[]))
    assert read("t.xlsx", data).unplaced[0].id == "a"
    assert read("t.xlsx", data, sheet="second").unplaced[0].id == "b"
    assert "there is no sheet 'secnd'; did you mean 'second'?: name another with sheet=..." in refused(
        "t.xlsx", data, sheet="secnd"
    )
    assert "sheet 'none' is empty; there are 'first', 'second': name one with sheet=..." in refused(
        "t.xlsx", data, sheet="none"
    )
    assert "the file is empty" in refused("t.xlsx", _saved(_workbook(none=[])))
    hidden = _workbook(first=[["label"], ["a"]], second=[["label"], ["b"]])
    hidden["first"].sheet_state = "hidden"
    assert read("t.xlsx", _saved(hidden)).unplaced[0].id == "b"
    assert "no Excel file that can be read" in refused("t.xlsx", b"label,group\n")
    assert "no Excel file that can be read" in refused("t.xlsx", data[:-100])


def test_without_openpyxl_one_line_says_what_to_install(read, monkeypatch):
    data = _saved(_workbook(one=[["label"], ["a"]]))
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    monkeypatch.setitem(__import__("sys").modules, "openpyxl.cell", None)
    for act in (lambda: read("t.xlsx", data), lambda: Taxonomy(unplaced=(Label("a", "a"),)).to_file("t.xlsx")):
        with pytest.raises(MissingLibraryError, match="install it with: pip install openpyxl"):
            act()


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx"])
@pytest.mark.parametrize("name", ["outline.csv", "ids.csv", "paths.txt"])
def test_a_sheet_goes_to_yaml_and_back(read, tmp_path, name, suffix):
    tree = read(name, SHAPES.get(name, PARENTS + "6,,=1+1,\n9,6,-5,+4\n"), coarse_level=1)
    tree.to_file(tmp_path / "t.yaml")
    Taxonomy.from_file(tmp_path / "t.yaml").to_file(tmp_path / f"t.{suffix}")
    back = Taxonomy.from_file(tmp_path / f"t.{suffix}")
    assert back == tree
    written = (tmp_path / f"t.{suffix}").read_bytes()
    back.to_file(tmp_path / f"again.{suffix}")
    if suffix == "xlsx":  # which holds the time, too
        cells = [cell.value for row in openpyxl.load_workbook(tmp_path / "t.xlsx").active.iter_rows() for cell in row]
        assert not [cell for cell in cells if isinstance(cell, str) and cell.startswith(("=", "-", "+"))]
    else:
        assert (tmp_path / f"again.{suffix}").read_bytes() == written


NAMES = st.sampled_from(["a", "b", "no", "007", "C, d", "x: y", "茶", "e>f"])
NODES = st.lists(st.lists(NAMES, min_size=1, max_size=4), min_size=2, max_size=12)


@given(NODES, st.integers(1, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_tree_is_the_same_in_every_shape(tmp_path_factory, nodes, level, inner_nodes):
    paths = sorted({tuple(node[:length]) for node in nodes for length in range(1, len(node) + 1)})
    deepest = max(map(len, paths))
    if deepest < 2:
        return
    numbers = {path: i for i, path in enumerate(paths, 1)}
    nested: dict = {}
    for path in paths:
        below = nested
        for name in path:
            below = below.setdefault(name, {})

    def table(rows: list) -> str:
        return "".join(csv_row(row) for row in rows)

    levels = [f"L{i}" for i in range(1, deepest + 1)]
    cut = {"coarse_level": min(level, deepest - 1), "inner_nodes": inner_nodes}
    files = {
        "t.txt": ("\n".join(" > ".join(path) for path in paths), {"separator": " > "}),
        "p.csv": (table([["path"], *([" > ".join(path)] for path in paths)]), {"separator": " > "}),
        "l.csv": (table([levels, *([*path, *[""] * (deepest - len(path))] for path in paths)]), {}),
        "n.json": (json.dumps({"name": "", "children": [nested]}), {}),
        "i.csv": (
            table([["id", "parent", "name"], *([numbers[p], numbers.get(p[:-1], ""), p[-1]] for p in paths)]),
            {},
        ),
    }
    folder, trees = tmp_path_factory.mktemp("same"), {}
    for name, (text, more) in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        trees[name] = Taxonomy.from_file(folder / name, **more, **cut)
    one, *others, with_ids = trees.values()
    assert all(other == one for other in others)
    assert [[label.name for label in group.labels] for group in with_ids.groups] == [
        [label.name for label in group.labels] for group in one.groups
    ]
    inner = {path[:-1] for path in paths}
    labels = [path for path in paths if path not in inner or (inner_nodes and len(path) >= cut["coarse_level"])]
    assert len(one.labels) == len(labels)
    # A path of one name says no more than a name, which may stand in several places.
    found = [one.resolve(" > ".join(path)) for path in labels if len(path) > 1]
    assert None not in found
    assert len(set(found)) == len(found)


CELLS = st.text(st.sampled_from("ab Ü茶=-+'\",;\t>#"), min_size=1, max_size=6).map(str.strip).filter(bool)


LABELS = st.dictionaries(CELLS, st.tuples(CELLS, CELLS | st.just("")), min_size=1, max_size=3)


@given(st.dictionaries(CELLS, LABELS, max_size=3), st.booleans())
@settings(max_examples=30, deadline=None)
def test_any_table_comes_back(tmp_path_factory, groups, named):
    tree = Taxonomy(tuple(
        Group(f"{i}{name}" if named else name, name, name if named else "",
              tuple(Label(f"{i}{label}", *told) for label, told in labels.items()))
        for i, (name, labels) in enumerate(groups.items())
    ), (Label("x", "x"),))  # fmt: skip
    folder = tmp_path_factory.mktemp("tables")
    for suffix in ("csv", "tsv", "xlsx"):
        tree.to_file(folder / f"t.{suffix}")
        assert Taxonomy.from_file(folder / f"t.{suffix}") == tree


@pytest.mark.parametrize(
    ("name", "text", "shape", "said"),
    [
        ("t.yaml", "Kitchen: [a]\n", {"coarse_level": 2}, "coarse_level=2 has no effect on a file that says itself"),
        ("t.yaml", "Home: {Kitchen: [a]}\n", {"label_column": "x"}, "label_column='x' has no effect on names within"),
        ("t.csv", "label\na\n", {"inner_nodes": True}, "inner_nodes=True has no effect on labels without groups"),
        ("t.csv", "label,group\na,A\n", {"sheet": "x"}, "sheet='x' has no effect on such a table"),
        ("t.csv", "L1,L2\na,A\n", {"separator": ">"}, "separator='>' has no effect on such a table"),
        ("t.txt", "A > b\n", {"id_column": "x"}, "id_column='x' has no effect on a text"),
        ("t.csv", "label,group\na,A\n", {"label_column": "lable"}, "column 'lable' is missing, there are 'label'"),
        ("t.csv", "label,a,a\nx,y,z\n", {"group_column": "a"}, "column 'a' stands 2 times; keep one"),
        ("t.csv", "group,x\nA,y\n", {}, "no column says that it holds the labels, there are 'group', 'x'"),
        ("t.csv", "label,name,name\nx,y,z\n", {}, "column 'name' stands 2 times; keep one"),
        ("t.csv", "id,parent,x\n1,,y\n", {"group_column": "x"}, "not both: leave out parent_column=..."),
        ("t.csv", "a,b\nx,y\n", {}, "no column says that it holds the labels, there are 'a', 'b'; name it"),
        ("t.csv", "text,label\nhello,a\nho,b\n", {}, "seems to hold documents: give it as data.train"),
        ("t.txt", "a\tb\n", {}, "line 1: a tab stands in a path; let the name of a table end in .tsv"),
        ("t.txt", "\n", {}, "the file is empty; write a path a line"),
        ("t.txt", "a\na\n", {"separator": ""}, "an empty separator parts nothing: give separator='none'"),
        ("t.yaml", "a: x\nb: x\na: y\n", {}, "line 3: key 'a' is used twice (first on line 1)"),
        ("t.yaml", "Home:\n  Kitchen: Kettles\n", {}, "line 2: 'Kitchen' holds 'Kettles'; write what stands below it"),
        ("t.json", '[{"label": "a", "group": "A"},\n{"label": "", "group": "A"}]', {}, "line 2: the label is empty"),
        ("t.json", '{"A": {"b": [["c"]]}}', {}, "line 1: a list stands in a list; write a name before it"),
        ("t.json", '{"A": {"b": [""]}}', {}, "line 1: a node has no name"),
        ("t.json", '{"a":' * 30 + "1" + "}" * 30, {}, "names are nested deeper than 20 levels"),
        ("t.txt", "A > b\nA > c\nA > " + "d > " * 300 + "e\n", {}, "line 3: names are nested deeper than 20 levels"),
        ("t.csv", "id,parent\n0,\n" + "".join(f"{i},{i - 1}\n" for i in range(1, 5000)), {},
         "t.csv: line 22: names are nested deeper than 20 levels"),
        ("t.txt", "A > b\nA > c > d\n".encode("utf-16"), {}, "the file is saved as UTF-16; save it as UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(refused, name, text, shape, said):
    assert said in refused(name, text, **shape)


def test_a_level_is_a_whole_number(tmp_path):
    for level in (0, True, "1", 1.5):
        with pytest.raises(ConfigError, match="coarse_level"):
            Taxonomy.from_file(tmp_path / "t.csv", coarse_level=level)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "label,group\n" + "".join(f"x{i},A,{i}\n" for i in range(500)) + ",A\n" * 500),
        ("t.csv", "id,parent,name\n" + "".join(f"{i},q{i},n{i}\n" for i in range(900))),
        ("t.txt", "".join(f"A > > x{i}\n" for i in range(900))),
        ("t.yaml", "".join(f"A{i}:\n  b: [[c]]\n  d: e{i}\n" for i in range(900))),
        ("t.csv", "L1,L2\n" + "".join(f"A{i},b\nA{i},b\n" for i in range(900))),
    ],
)
def test_equal_problems_are_counted(refused, name, text):
    said = refused(name, text)
    assert "more like this)" in said
    assert len(said.splitlines()) <= 11
