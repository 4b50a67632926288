"""The page of an evaluation: what it says, that texts stay texts, and how it is written."""

import copy
import dataclasses
import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Reader
from typer.testing import CliRunner

from hierarchy import Group, Label, MissingLibraryError, Taxonomy
from hierarchy.errors import DataError
from hierarchy.nodes import named
from pipelines.cli import console
from pipelines.cli.app import app
from pipelines.evaluation.comparison import NO_TREE, SVM, EvaluationReport, compare
from pipelines.evaluation.excerpts import CHARACTERS, MARKS, Material, cut_excerpt, pair_excerpts
from pipelines.evaluation.figures import evaluate_predictions
from pipelines.evaluation.sources import ConfusedPair
from pipelines.explaining import explain as evidence
from pipelines.explaining.explain import Explanation, NgramShare, UnitShare
from pipelines.pages.evaluation import report_page, write_report
from stages.label_space import LabelSpace

MEGABYTE = 1_000_000
STRANGE = (
    "<script>alert(1)</script>", "</script><b>", "a & b &amp;", "\"q\" 'r'", "${title} $sections", "{{ x }} {% y %}",
    "<!--", "line\u2028end\u2029", "\u202eright to left\u200f", "<img src=x onerror=alert(1)>",
)  # fmt: skip


def words(page):
    return re.sub(r"\s+", " ", "".join(Reader(page).text))


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL).group(1))


def explanation(label, against, ngrams=(), units=()):
    return Explanation((), label, against, 1.0, (), tuple(units), tuple(ngrams), 0.0, ())


def make_report(names=None, texts=None, n=400, n_labels=12, n_groups=4, wrong=0.3, data="shop test"):
    """A report on documents of which some go wrong, mostly to the next label."""
    rng = np.random.default_rng(0)
    ids = [f"l{i}" for i in range(n_labels)]
    groups = [f"g{g}" for g in range(n_groups)]
    names = dict(zip(ids, names or ids, strict=False))
    gold = np.arange(n) % n_labels
    mistaken = (rng.random(n) < wrong) & (gold < n_labels - 1)
    predicted = np.where(mistaken, gold + 1, gold)
    logits = rng.uniform(size=(n, n_labels))
    logits[np.arange(n), predicted] += rng.uniform(2, 7, size=n)
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    evaluation = evaluate_predictions(
        gold,
        probabilities,
        space=LabelSpace(tuple(ids), tuple(groups), np.arange(n_labels) * n_groups // n_labels),
        coarse_probability=np.full((n, n_groups), 1 / n_groups),
        in_beam=np.ones((n, n_groups), dtype=bool),
        train_counts=np.arange(n_labels) + 3,
        lengths=rng.integers(10, 900, size=n),
        label_names=names,
        group_names=dict(zip(groups, [f"group {names[i]}" for i in ids], strict=False)),
    )
    material = None
    if texts is not None:
        tree = Taxonomy((Group("g0", "g0", labels=(Label("new", "new"),)),))
        material = Material(SimpleNamespace(label_ids=ids, taxonomy=tree), texts, "exhaustive", 3)
    answers = {NO_TREE: np.where(rng.random(n) < 0.1, 0, gold), SVM: np.roll(gold, 1)}
    return compare(evaluation, data, answers=answers, material=material, notes=["a note"], resamples=50)


@pytest.fixture(scope="module")
def shop():
    """A report without documents, and its page."""
    report = make_report()
    return report, report_page(report)


@pytest.fixture
def evidence_everywhere(monkeypatch):
    """An explanation that marks the first word of the text."""

    def explain(model, text, *, against, top_k, routing, beam):
        end = len(text.split()[0])
        wrong = f"l{int(against[1:]) + 1}"
        return explanation(wrong, against, [NgramShare("x", ((0, end),), 1.0)])

    monkeypatch.setattr(evidence, "explain", explain)


def test_the_page_stands_alone(shop):
    reader = Reader(shop[1])
    assert [attrs for _, attrs in reader.tags if {"src", "href", "action", "data"} & set(attrs)] == []
    assert not any(tag in ("link", "iframe", "object", "base") for tag, _ in reader.tags)
    policy = next(attrs["content"] for tag, attrs in reader.tags if tag == "meta" and "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_what_the_page_says(evidence_everywhere):
    report = make_report(texts=["kettle boils over"] * 400)
    own = report.evaluation
    page = report_page(report)
    text = words(page)
    errors = int((~own.answers[2]).sum())
    for told in (
        "Evaluation on shop test",
        f"Of 100 documents, {100 * own.accuracy:.0f} get the right one of 12 labels",
        "More often right than this model is: no tree (b = 0).",
        "this model, its groups ignored",
        f"{errors} of 400 answers are wrong",
        "a routing error",
        "a rare label",
        "too little text",
        "Can the probabilities be trusted?",
        "Rare labels only",
        "If a person took the 20% of the documents with the least sure answers",
        "Groups taken for others",
        "Labels most often taken for another",
        "stated probability of the wrong label",
        "A note",
        "Labels of the taxonomy without training documents, which are never answered: 1.",
    ):
        assert told in text, told
    assert "Left out" not in text
    assert page.count("<mark>kettle</mark> boils over") == 3 * min(12, len(own.pairs))
    for name in ("fine", "group", "tail", "risk", "heat"):
        assert f'"name":"{name}"' in page


def test_differences_are_said_as_the_interval_allows(shop):
    text = words(shop[1])
    [svm] = re.findall(r"usual quick solution\s*[\d.]+%\s*(.*?)\)", text)
    assert re.fullmatch(r"[\d.]+ points better\s*\(\+[\d.]+ to \+[\d.]+", svm)
    same = make_report(wrong=0.0)
    equal = compare(same.evaluation, "x", answers={SVM: same.evaluation.predicted})
    told = words(report_page(equal))
    assert "level+0.0 points (+0.0 to +0.0)" in told
    assert "There are none: every answer is right." in told


def test_the_table_of_labels_holds_the_rows(shop):
    report, page = shop
    data = data_of(page)
    rows = report.evaluation.labels
    assert data["groups"] == [named(group) for group in report.evaluation.groups]
    labels = data["labels"]
    assert labels["name"] == [named(row) for row in rows]
    assert labels["wrong"] == [round(row.support * (1 - row.recall)) for row in rows]
    assert sum(labels["wrong"]) == int((~report.evaluation.answers[2]).sum())
    assert [rows[i].id if i >= 0 else None for i in labels["mistaken"]] == [row.mistaken_for for row in rows]
    shown = [
        attrs["data-key"] for tag, attrs in Reader(report_page(report)).tags if tag == "th" and "data-key" in attrs
    ]
    assert set(shown) == set(labels)


def test_strange_names_and_documents_are_text(evidence_everywhere):
    texts = [f"{STRANGE[i % len(STRANGE)]} and more" for i in range(400)]
    names = [STRANGE[i] if i < len(STRANGE) else f"plain {i}" for i in range(12)]
    usual = Reader(report_page(make_report(texts=["plain text"] * 400)))
    report = make_report(names, texts, data=STRANGE[0])
    page = report_page(report)
    reader = Reader(page)
    assert [tag for tag, _ in reader.tags] == [tag for tag, _ in usual.tags]  # not one tag more, nor fewer
    assert not any(attr.startswith("on") for _, attrs in reader.tags for attr in attrs)
    names = [f"{name} (l{i})" for i, name in enumerate(names)]
    assert data_of(page)["labels"]["name"] == names
    shown = "".join(reader.text)
    assert f"Evaluation on {STRANGE[0]}" in shown
    for name in names:  # each stands in a pair
        assert f"{name} → " in shown or f" → {name}" in shown
    for text in STRANGE:
        assert text in shown.replace("… ", "")
    assert not any(mark in "".join(reader.scripts) for mark in STRANGE[:3])


def test_a_report_from_json_draws_what_needs_no_documents(shop, tmp_path):
    report = dataclasses.replace(shop[0], material=Material(SimpleNamespace(), [], "exhaustive", 3))
    report.to_json(tmp_path / "report.json")
    again = EvaluationReport.from_dict(json.loads((tmp_path / "report.json").read_text("utf-8")))
    assert again == report
    page = report_page(again)
    assert "Left out: excerpts of documents" in words(page)
    assert "<mark>" not in page
    assert data_of(page) == data_of(shop[1])
    for name in ("fine", "group", "tail", "risk", "heat"):
        assert f'"name":"{name}"' in page


def test_a_thousand_labels_stay_small(shop):
    names = [f"A label of the length that labels have {i}" for i in range(1000)]
    report = make_report(names, None, 1000, 1000, 60)
    size, small = len(report_page(report).encode()), len(shop[1].encode())
    assert size < min(small + 0.3 * MEGABYTE, 2 * MEGABYTE)


def test_the_file_is_written_whole_and_even_with_half_a_character(tmp_path, evidence_everywhere, monkeypatch):
    report = make_report(texts=["half \ud83d of a pair"] * 400)
    write_report(report, tmp_path / "report.html")
    assert "half" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(DataError, match=r"no.r\.html.*its folder is not there"):
        write_report(report, tmp_path / "no" / "r.html")
    monkeypatch.setitem(sys.modules, "bokeh", None)
    for name in [name for name in sys.modules if name.startswith("bokeh.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingLibraryError, match="pip install bokeh"):
        write_report(report, tmp_path / "other.html")


# --- excerpts --------------------------------------------------------------------------------------------


def test_an_excerpt_holds_the_strongest_evidence():
    text = "weak " + "filler " * 100 + "strong words here " + "filler " * 100
    at = text.index("strong words")
    ngrams = [
        NgramShare("weak", ((0, 4),), 0.5),
        NgramShare("strong words", ((at, at + 12),), 2.0),
        NgramShare("here", ((at + 13, at + 17),), -5.0),  # speaks for the right label
        NgramShare("words", ((at + 7, at + 12),), 1.0),
    ]
    found = cut_excerpt(text, explanation("b", "a", ngrams), 0.7)
    assert [found.text[start:end] for start, end in found.marks] == ["strong words"]
    assert (found.before, found.after, found.confidence) == (True, True, 0.7)
    assert CHARACTERS - 40 < len(found.text) <= CHARACTERS
    assert 100 < found.text.index("strong") < 180  # mid-way
    assert not found.text.startswith(("iller", "ller"))  # no torn word


def test_an_excerpt_without_ngrams_shows_the_strongest_segment():
    text = "one two " * 100
    units = [UnitShare(0, 400, 0.1, 0, 0.1, 0.5), UnitShare(360, 800, 0.9, 0, 0.9, 0.5)]
    found = cut_excerpt(text, explanation("b", "a", units=units), 0.5)
    assert (found.marks, found.text[:7], found.after) == ((), text[360:367], True)
    assert cut_excerpt("short", explanation("b", "a"), 0.5).text == "short"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=900), st.data())
def test_excerpts_are_pieces_with_marks_inside(text, data):
    place = st.integers(0, len(text))
    spans = [sorted(pair) for pair in data.draw(st.lists(st.tuples(place, place), max_size=20))]
    shares = data.draw(st.lists(st.floats(-3, 3), min_size=len(spans), max_size=len(spans)))
    ngrams = [NgramShare("x", (tuple(span),), share) for span, share in zip(spans, shares, strict=True)]
    found = cut_excerpt(text, explanation("b", "a", ngrams), 0.5)
    assert len(found.text) <= CHARACTERS
    assert found.text in text
    ends = [place for mark in found.marks for place in mark]
    assert ends == sorted(ends)
    assert all(0 <= place <= len(found.text) for place in ends)
    assert len(found.marks) <= max(MARKS, len(spans))
    if any(share > 0 and end - start <= CHARACTERS for (start, end), share in zip(spans, shares, strict=True)):
        assert found.marks


def test_documents_that_cannot_be_explained_are_left_out(monkeypatch):
    report = make_report(texts=["   ", *["kettle boils"] * 399])
    pair = report.evaluation.pairs[0]
    answers = iter([DataError("the best label"), explanation("another", "x"), *[explanation(pair.predicted, "x")] * 9])

    def explain(*_, **__):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(evidence, "explain", explain)
    found = pair_excerpts(report.material, report.evaluation, pair)
    gold, predicted, _ = report.evaluation.answers
    mistaken = (gold == int(pair.gold[1:])) & (predicted == int(pair.predicted[1:]))
    surest = np.sort(report.evaluation.confidence[mistaken])[::-1][2:5]
    assert [excerpt.confidence for excerpt in found] == pytest.approx(surest.tolist())
    assert pair_excerpts(report.material, report.evaluation, ConfusedPair("unseen", "l1", 1)) == []


# --- with a model ----------------------------------------------------------------------------------------


def test_the_page_of_a_trained_model(fitted, english, tmp_path):
    report = fitted.evaluate(*english.test, data="corpus")
    write_report(report, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(page) < 2 * MEGABYTE
    quoted = re.findall(r"<blockquote[^>]*>(.*?)<small", page, re.DOTALL)
    assert quoted
    for piece in quoted:
        bare = re.sub(r"</?mark>|… | …", "", piece)
        assert any(bare in text for text in english.test[0])
    assert "<mark>" in page


def test_a_label_whose_whole_group_was_never_trained_on(fitted_lexical, english):
    classifier = copy.copy(fitted_lexical)
    extra = Group("attic", "Attic", labels=(Label("skylights", "Skylights"),))
    tree = dataclasses.replace(english.taxonomy, groups=(extra, *english.taxonomy.groups))
    classifier.model_ = dataclasses.replace(classifier.model_, taxonomy=tree)
    classifier.taxonomy_ = tree
    own = classifier.evaluate([*english.test[0], "a window in the roof"], [*english.test[1], "skylights"]).evaluation
    assert own.unseen == 1
    assert [(row.id, row.name, row.group) for row in own.labels][-1] == ("skylights", "Skylights", "attic")
    assert (own.groups[-1].id, own.groups[-1].recall, own.groups[-1].support) == ("attic", 0.0, 1)
    assert [(one.documents, one.errors) for one in own.slices if one.name == "unseen"] == [(1, 1)]


def test_the_command(fitted_lexical, english, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "set_up_log", lambda: None)
    fitted_lexical.save_pretrained(tmp_path / "model")
    lines = [json.dumps({"text": t, "label": label}) for t, label in zip(*english.test, strict=True)]
    (tmp_path / "test.jsonl").write_text("\n".join(lines), encoding="utf-8")
    command = ["evaluate", str(tmp_path / "model"), str(tmp_path / "test.jsonl"), "--html"]
    done = CliRunner().invoke(app, [*command, str(tmp_path / "report.html")])
    assert done.exit_code == 0, done.output
    assert "Beside other systems" in (tmp_path / "report.html").read_text(encoding="utf-8")
    missing = CliRunner().invoke(app, [*command, str(tmp_path / "no" / "report.html")])
    assert missing.exit_code == 2
    assert "does not exist: make it first" in missing.output
