"""Pages and model cards with hostile labels: no script, attribute or tag more than with harmless ones."""

import functools
import json
from collections import Counter
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

from pages import Reader

from fuzz.cases import ACCEPTED, Target, Wrong
from fuzz.mutation import name
from fuzz.subjects import GROUPS, LABELS, TEXTS, WORDS
from hierarchy import Group, Label, Taxonomy

UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}

ACTIVE = ("script", "style", "img", "iframe", "object", "embed", "svg", "math", "link", "meta", "base", "form", "input",
          "a", "b", "video", "audio")  # fmt: skip


def _prepare() -> None:
    for page in ("taxonomy", "evaluation"):
        _harmless(page)
    _harmless_card()


def _make(rng: Random) -> dict[str, Any]:
    names = [name(rng) for _ in (*WORDS, *GROUPS)]
    names = [word if names.count(word) == 1 else f"{word}{place}" for place, word in enumerate(names)]
    return {"page": rng.choice(["taxonomy", "taxonomy", "evaluation", "card", "card"]), "names": names,
            "title": name(rng)}  # fmt: skip


def _check(case: dict[str, Any], folder: Path) -> str:
    page, tree = case["page"], _tree(tuple(case["names"]))
    text = _drawn(page, tree, case["title"])
    if page == "card":
        return _check_card(text)
    reader = Reader(text)
    if _dangers(reader) != _harmless(page):
        raise Wrong(f"a label adds tags to the {page} page", _dangers(reader) - _harmless(page))
    missing = [word for word in case["names"] if not _stands_in(word, reader)]
    if missing:
        raise Wrong(f"a label is not on the {page} page as it is", missing)
    return ACCEPTED


def _tree(names: tuple[str, ...]) -> Taxonomy:
    words = dict(zip([*WORDS, *GROUPS], names, strict=True))
    return Taxonomy(
        tuple(
            Group(group, words[group], labels=tuple(Label(label, words[label]) for label in labels))
            for group, labels in GROUPS.items()
        )
    )


def _drawn(page: str, tree: Taxonomy, title: str) -> str:
    from pipelines.classifier import HierarchicalClassifier

    if page == "taxonomy":
        from pipelines.pages.taxonomy import taxonomy_page

        return taxonomy_page(tree, encoder="none", title=title)
    model = HierarchicalClassifier(tree, encoder="none", n_jobs=1).fit(TEXTS, LABELS, validation=(TEXTS, LABELS))
    if page == "card":
        from pipelines.card.write import model_card

        return model_card(model.model_, None)
    from pipelines.pages.evaluation import report_page

    return report_page(model.evaluate(TEXTS, LABELS, data=title))


@functools.cache
def _harmless(page: str) -> Counter[str]:
    return _dangers(Reader(_drawn(page, _tree((*WORDS, *GROUPS)), "title")))


def _dangers(reader: Reader) -> Counter[str]:
    """Count what acts or loads: tags of such kinds, every event, and every address."""
    found = Counter(f"<{tag}>" for tag, _ in reader.tags if tag in ACTIVE)
    for _, attributes in reader.tags:
        found.update(key for key in attributes if key.startswith("on") or key in ("src", "href", "srcdoc"))
    return found


def _stands_in(word: str, reader: Reader) -> bool:
    scripts = "".join(reader.scripts)
    written = {json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1]}
    written |= {text.translate(UNSAFE) for text in written}
    plain = " ".join("".join(reader.text).split())
    decoded = unescape(scripts.replace("\\\\", "\\"))
    return " ".join(word.split()) in plain or any(text in scripts or text in decoded for text in written)


@functools.cache
def _harmless_card() -> list[str]:
    return _blocks(_drawn("card", _tree((*WORDS, *GROUPS)), "title"))


def _check_card(text: str) -> str:
    if _blocks(text) != _harmless_card():
        raise Wrong("a label changes what a model card is made of")
    return ACCEPTED


def _blocks(card: str) -> list[str]:
    """Return the kinds of a card's parts; its head, between lines of dashes, is YAML."""
    from fuzz.of_escapes import parser

    found = []
    for token in parser().parse(card.split("\n---\n", 1)[-1]):
        found.append(token.type)
        found += [child.type for child in token.children or () if child.type.startswith(("html", "link", "image"))]
    return found


PAGES = [Target("pages", _make, _check, share=2, in_suite=8, prepare=_prepare)]
