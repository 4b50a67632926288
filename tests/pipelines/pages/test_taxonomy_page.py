"""The page of `taxonomy show --html`."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Reader

from hierarchy import Group, Label, MissingLibraryError, Taxonomy, TaxonomyError
from hierarchy.editing.edit_files import MARK, tree_mark
from pipelines.pages.heat import HEAT_GROUPS, heat_cells
from pipelines.pages.taxonomy import taxonomy_page
from pipelines.pages.taxonomy.label_map import label_map
from pipelines.pages.taxonomy.treemap import squarified, treemap

ROOT = Path(__file__).parents[3]
MEGABYTE = 1_000_000
STRANGE = ("<script>alert(1)</script>", "</script><b>", "a & b", "\"q\" 'r'", "${title}", "$$x^2$$", "<!--")


def tree(**groups):
    return Taxonomy(
        groups=tuple(Group(g, g.title(), labels=tuple(Label(x, x) for x in labels)) for g, labels in groups.items())
    )


SHOP = tree(lamps=["red lamp", "blue lamp", "steel lamp"], chairs=["red chair", "blue chair", "glass lamp"])


def documents_of(taxonomy, each=8, noise=1.0):
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(len(taxonomy.labels)), each)
    X = np.eye(len(taxonomy.labels))[owner] + rng.normal(size=(len(owner), len(taxonomy.labels))) * noise
    return X, [taxonomy.label_ids[i] for i in owner]


def columns_of(page, name):
    """The data of one of the page's sources, as the browser will read them."""
    literal = re.search(r"const docs_json = '(.*?)';", page).group(1)
    [document] = json.loads(unescape(literal.replace(r"\\", "\\"))).values()
    found, stack = [], [document]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if node.get("name") == "ColumnDataSource" and node.get("attributes", {}).get("name") == name:
                found.append(dict(node["attributes"]["data"]["entries"]))
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    [columns] = found
    return columns


def test_the_page_stands_alone(embed):
    page = taxonomy_page(SHOP, documents_of(SHOP), embed=embed)
    reader = Reader(page)
    loads = [attrs for _, attrs in reader.tags if {"src", "href", "action", "data"} & set(attrs)]
    assert loads == []
    assert not any(tag in ("link", "iframe", "object", "base") for tag, _ in reader.tags)
    assert not re.search(r"@import|url\(\s*['\"]?https?:", "".join(re.findall(r"<style>.*?</style>", page, re.DOTALL)))
    policy = next(a["content"] for tag, a in reader.tags if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'")  # the browser refuses whatever the library might want to load
    assert "http" not in policy


def test_headline_plots_and_lists(embed):
    page = taxonomy_page(SHOP, documents_of(SHOP), embed=embed, title="My shop")
    text = " ".join(Reader(page).text)
    assert "My shop" in text
    for told in ("48", "documents", "routing recall@3", "100.0%", "Groups taken for others", "Map of the labels"):
        assert told in text
    assert re.search(r"glass lamp.*Chairs.*Lamps", text, re.DOTALL)  # the misfit
    for name in ("treemap", "map", "heat"):
        assert f'"name":"{name}"' in page
    columns = columns_of(page, "labels")
    assert columns["name"] == [label.name for label in SHOP.labels]
    assert {"documents", "sent_to", "shade", "margin", "left", "left_narrow", "x", "y"} < set(columns)


def tree_data(page):
    """What the page's script writes edits with."""
    return json.loads(re.search(r'<script type="application/json" id="tree-data">(.*?)</script>', page).group(1))


def test_the_tree_to_be_edited(embed):
    waiting = Taxonomy(SHOP.groups, (Label("7", "tall lamp"),), "shop")
    page = taxonomy_page(waiting, embed=embed, file="my shop.yaml")
    assert tree_data(page) == {
        "name": "shop", "mark": MARK + tree_mark(waiting),
        "groups": [["lamps", "Lamps"], ["chairs", "Chairs"]], "unplaced": [["7", "tall lamp"]],
    }  # fmt: skip
    reader = Reader(page)
    places = [attrs["data-label"] for tag, attrs in reader.tags if tag == "li" and "data-label" in attrs]
    assert places == [str(i) for i in range(7)]
    lists = [attrs["data-members"] for _, attrs in reader.tags if "data-members" in attrs]
    assert lists == ["0", "1", "2"]
    text = " ".join(" ".join(reader.text).split())
    assert "coarsefine taxonomy apply 'my shop.yaml' edits.txt --dry-run" in text
    assert "1 label in no group yet" in text
    assert re.search(r"glass lamp nearer to Lamps", text)


def test_pins_are_seen(embed):
    lamps, chairs = SHOP.groups
    by_hand = Group("own", "own", labels=(Label("old bed", "old bed"),))
    pinned = (replace(lamps.labels[0], pinned=True), *lamps.labels[1:])
    named = replace(chairs, built=True, frozen_name=True)
    built = Taxonomy((replace(lamps, labels=pinned, built=True), named, by_hand))
    text = " ".join(" ".join(Reader(taxonomy_page(built, embed=embed)).text).split())
    assert re.search(r"Lamps \(lamps\) 3 (unsorted )?Chairs \(chairs\) 3 (unsorted )?name kept own 1 pinned", text)
    assert "red lamp pinned" in text
    assert text.count("pinned") == 4  # and twice in the sentence that says what it means
    assert "pinned" not in " ".join(Reader(taxonomy_page(SHOP, embed=embed)).text)


def test_what_to_look_at(embed):
    lamps, chairs = ["red lamp", "blue lamp", "tall lamp"], ["red chair", "blue chair", "tall chair"]
    mixed = tree(lamps=lamps, mixed=["green lamp", "green chair"], chairs=chairs)
    text = " ".join(" ".join(Reader(taxonomy_page(mixed, embed=embed)).text).split())
    assert "1 group whose labels have little in common, most of them nearer to other groups: Mixed (mixed)" in text
    assert "2 labels nearer to another group" in text
    vectors, labels = documents_of(mixed, each=2)
    page = taxonomy_page(mixed, (vectors[:-2], labels[:-2]), embed=embed)  # none of tall chair
    text = " ".join(" ".join(Reader(page).text).split())
    assert "1 label without documents" in text
    assert "Labels without documents (1) tall chair" in text
    assert "Labels with one or two documents (7)" in text


def test_letters_are_no_meaning(embed):
    said = "Labels whose names and descriptions have the same letters in them stand near each other"
    page = taxonomy_page(SHOP, encoder="none")
    assert said in page
    assert "By letters: the cosine" in page
    assert "mean" not in re.sub(r"it means|meaning\b", "", " ".join(Reader(page).text))
    page = taxonomy_page(SHOP, embed=embed)
    assert said not in page
    assert "By meaning: the cosine" in page


def test_figures_are_explained(embed):
    page = taxonomy_page(SHOP, documents_of(SHOP), embed=embed)
    headline = page[page.index("<dl>") : page.index("</dl>")]
    assert headline.count('<dd class="meaning">') == headline.count("<dt>") == 8


def test_without_documents(embed):
    page = taxonomy_page(SHOP, embed=embed)
    assert '"name":"treemap"' in page
    assert '"name":"map"' in page
    assert '"name":"heat"' not in page
    assert "Without documents" in page


def test_the_same_page_of_the_same_input(embed):
    def bare(page):  # Bokeh draws ids at random
        return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|p\d{4,}", "", page)

    assert bare(taxonomy_page(SHOP, embed=embed)) == bare(taxonomy_page(SHOP, embed=embed))


@pytest.mark.parametrize("place", ["label", "group", "name"])
def test_strange_names_are_text(embed, place):
    plain = [f"plain {i}" for i in range(len(STRANGE))]
    names, group = (STRANGE, "g") if place == "label" else (plain, STRANGE[0] if place == "group" else "g")
    taxonomy = Taxonomy(
        groups=(
            Group("a", group, labels=tuple(Label(f"{i}", name) for i, name in enumerate(names))),
            Group("b", "other", labels=(Label("x", "x"), Label("y", "y"))),
        ),
        name=STRANGE[0] if place == "name" else "shop",
    )
    page = taxonomy_page(taxonomy, documents_of(taxonomy, noise=3.0), embed=lambda texts: np.eye(len(texts)))
    ours = [attrs for tag, attrs in Reader(page).tags if tag == "script"]
    usual = [attrs for tag, attrs in Reader(taxonomy_page(SHOP, embed=embed)).tags if tag == "script"]
    assert len(ours) == len(usual)
    assert "<script>alert" not in page
    assert "</script><b>" not in page
    assert columns_of(page, "labels")["name"] == [*names, "x", "y"]


def test_chinese(embed):
    taxonomy = tree(厨房=["咖啡机", "电热水壶"], 花园=["花园水管", "割草机"])
    page = taxonomy_page(taxonomy, embed=embed)
    assert '<meta charset="utf-8">' in page
    assert columns_of(page, "labels")["name"] == [label.name for label in taxonomy.labels]
    assert columns_of(page, "groups")["name"] == ["厨房", "花园"]


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (2, 1), (3, 2, 1)])
def test_tiny_trees(embed, sizes):
    taxonomy = tree(**{f"g{g}": [f"label {g} {i}" for i in range(size)] for g, size in enumerate(sizes)})
    assert '"name":"map"' in taxonomy_page(taxonomy, embed=embed)
    documents = (np.random.default_rng(0).normal(size=(6, 4)), [taxonomy.label_ids[-1]] * 6)
    assert '"name":"map"' in taxonomy_page(taxonomy, documents, embed=embed)


def test_five_thousand_labels_stay_small(monkeypatch):
    from pipelines.pages.taxonomy import plots

    monkeypatch.setattr(
        plots, "label_map", lambda vectors, seed: vectors[:, :2].astype(np.float32)
    )  # slow, and no size
    taxonomy = Taxonomy(
        groups=tuple(
            Group(
                f"{g}",
                f"A group of things {g}",
                labels=tuple(Label(f"{g}/{i}", f"A label of the length that labels have {g} {i}") for i in range(36)),
            )
            for g in range(140)
        )
    )
    rng = np.random.default_rng(0)
    owner = np.arange(10080) % 5040
    documents = (rng.normal(size=(140, 8))[taxonomy.group_of[owner]], [taxonomy.label_ids[i] for i in owner])
    page = taxonomy_page(taxonomy, documents, embed=lambda texts: np.random.default_rng(0).normal(size=(len(texts), 8)))
    assert len(page.encode()) < 3 * MEGABYTE
    assert columns_of(page, "labels")["name"] == [label.name for label in taxonomy.labels]


def test_no_group_and_no_library(embed, monkeypatch):
    with pytest.raises(TaxonomyError, match="no label stands in a group yet"):
        taxonomy_page(Taxonomy(unplaced=(Label("a", "a"),)), embed=embed)
    monkeypatch.setitem(sys.modules, "bokeh", None)
    for name in [name for name in sys.modules if name.startswith("bokeh.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingLibraryError, match="pip install bokeh"):
        taxonomy_page(SHOP, embed=embed)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.floats(0.5, 500), min_size=1, max_size=60),
    width=st.floats(50, 2000),
    height=st.floats(50, 2000),
)
def test_rectangles_fill_the_space(sizes, width, height):
    sizes = np.array(sizes)
    placed = squarified(sizes, np.array([0.0, 0.0, width, height]))
    areas = (placed[:, 2] - placed[:, 0]) * (placed[:, 3] - placed[:, 1])
    assert np.allclose(areas, sizes / sizes.sum() * width * height, rtol=1e-6)
    assert (placed[:, :2] >= -1e-6).all()
    assert (placed[:, 2] <= width + 1e-6).all()
    assert (placed[:, 3] <= height + 1e-6).all()
    for i in range(len(sizes)):
        across = np.minimum(placed[i, 2], placed[:, 2]) - np.maximum(placed[i, 0], placed[:, 0])
        down = np.minimum(placed[i, 3], placed[:, 3]) - np.maximum(placed[i, 1], placed[:, 1])
        both = np.minimum(across, down)
        both[i] = 0
        assert (both <= 1e-6).all()


def test_labels_lie_in_their_group():
    layout = treemap(np.ones(60), np.array([0, 5, 30, 60]), 900, 500)
    for label, g in zip(layout.labels, np.repeat([0, 1, 2], [5, 25, 30]), strict=True):
        left, top, right, bottom = layout.groups[g]
        assert left < label[0] < label[2] < right
        assert top + layout.headers[g] < label[1] < label[3] < bottom
    assert (treemap(np.ones(4000), np.arange(0, 4001, 2), 300, 300).headers == 0).all()


def test_heat_cells():
    rng = np.random.default_rng(0)
    confusion = np.eye(80) * 0.9
    confusion[3, 70] = confusion[70, 3] = 0.1
    confusion[10, 20] = 0.05
    shown, cells = heat_cells(confusion)
    assert len(shown) == HEAT_GROUPS
    assert len(set(shown.tolist())) == HEAT_GROUPS
    pairs = zip(shown[cells["row"]].tolist(), shown[cells["column"]].tolist(), strict=True)
    assert set(pairs) == {(3, 70), (70, 3), (10, 20)}
    place = shown.tolist()
    assert abs(place.index(3) - place.index(70)) == 1
    assert heat_cells(rng.random((1, 1)))[0].tolist() == [0]


def test_map_puts_like_near_like():
    rng = np.random.default_rng(0)
    home = np.repeat(np.arange(4), 15)
    vectors = rng.normal(size=(4, 20))[home] + 0.1 * rng.normal(size=(60, 20))
    places = label_map(vectors, 0)
    assert places.shape == (60, 2)
    assert places.min() >= 0
    assert places.max() <= 1
    assert np.array_equal(places, label_map(vectors, 0))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(60) * 9
    assert (home[apart.argmin(axis=1)] == home).all()


def test_the_command(tmp_path):
    SHOP.to_yaml(tmp_path / "shop.yaml")
    lines = [
        json.dumps({"text": f"{label} number {i} is broken", "label": label})
        for i in range(4)
        for label in SHOP.label_ids
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    command = [
        sys.executable, "-m", "pipelines.cli", "taxonomy", "show", "shop.yaml", "--html", "out.html",
        "--set", "data.train=train.jsonl", "--set", "classifier.encoder=none",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert '"name":"heat"' in page
    assert "<title>shop.yaml</title>" in page
    assert not (tmp_path / ".out.html.tmp").exists()
    missing = subprocess.run(
        [*command[:6], "--html", "no/out.html"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert missing.returncode == 2
    assert "does not exist: make it first" in missing.stderr
