"""The page of the service: its files, its words in two languages, and what it never does."""

import json
import re
from pathlib import Path

import pytest
from pages import Reader

from hierarchy.text import escaping
from pipelines.model.prediction import ANSWERS
from pipelines.pages import service
from pipelines.pages.service import service_page

PAGE = service_page()
TEXTS = {path: content.decode() for path, (content, _) in PAGE.items()}
HTML = TEXTS["/"]
SCRIPTS = {path: text for path, text in TEXTS.items() if path.endswith(".js")}
WORDS = json.loads(TEXTS["/assets/words.json"])


@pytest.fixture(scope="module")
def tags():
    return Reader(HTML)


def test_every_file_is_handed_out_and_asked_for():
    folder = Path(service.__file__).parent
    assert len(PAGE) == sum(file.suffix not in {".py", ".pyc"} for file in folder.iterdir() if file.is_file())
    wanted = {f"/{path}" for path in re.findall(r'(?:href|src)="(assets/[^"]+)"', HTML)}
    for text in SCRIPTS.values():
        wanted |= {f"/assets/{name}" for name in re.findall(r'from "\./([^"]+)"', text)}
        wanted |= {f"/{path}" for path in re.findall(r'fetch\("([^"]+)"\)', text)}
    assert wanted == set(PAGE) - {"/"}


def test_media_types_say_what_browsers_insist_on():
    types = {path: media_type.partition(";")[0] for path, (_, media_type) in PAGE.items()}
    assert types["/"] == "text/html"
    assert types["/assets/page.css"] == "text/css"
    assert {types[path] for path in SCRIPTS} == {"text/javascript"}


def test_nothing_comes_from_elsewhere():
    for path, text in TEXTS.items():
        addresses = set(re.findall(r"(?:https?:)?//\w[\w.]*\.\w+", text))
        assert addresses <= {"http://www.w3.org"}, path  # the name of SVG, which nothing fetches
    assert "@import" not in TEXTS["/assets/page.css"]
    assert "url(" not in TEXTS["/assets/page.css"]


def test_the_page_stands_under_a_strict_policy(tags):
    [policy] = [attrs["content"] for _, attrs in tags.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "".join(tags.scripts).strip() == ""
    assert [name for _, attrs in tags.tags for name in attrs if name.startswith("on") or name == "style"] == []
    assert "style" not in [tag for tag, _ in tags.tags]


def test_no_text_is_read_as_markup_or_code():
    reading = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|createContextualFragment"
    assert [path for path, text in SCRIPTS.items() if re.search(reading, text)] == []


def test_nothing_is_written_where_there_is_nothing():
    assert [path for path, text in SCRIPTS.items() if "replaceChildren" in text and not path.endswith("/dom.js")] == []


def test_both_languages_have_the_same_words():
    assert set(WORDS) == {"en", "zh"}
    assert list(WORDS["en"]) == list(WORDS["zh"])
    for key, text in WORDS["en"].items():
        other = WORDS["zh"][key]
        assert text.strip() == text != ""
        assert other.strip() == other != ""
        assert sorted(re.findall(r"{(\w+)}", text)) == sorted(re.findall(r"{(\w+)}", other)), key
        if re.search("[A-Za-z]", re.sub(r"{\w+}|coarsefine", "", text)):
            assert re.search("[\u4e00-\u9fff]", other), key


def test_the_words_are_those_that_are_said():
    said = set(re.findall(r'data-words(?:-label|-placeholder)?="(\w+)"', HTML))
    sources = "\n".join(SCRIPTS.values())
    literals = set(re.findall(r'"(\w+)"', sources))
    counted = {f"{stem}_{form}" for stem in re.findall(r'counted\("(\w+)"', sources) for form in ("one", "many")}
    [columns] = re.findall(r"const COLUMNS = {[^\n]*\n(.*?)\n};", sources, re.S)
    heads = {f"head_{column}" for column in re.findall(r"^  (\w+):", columns, re.M)}
    answers = {word for level, reason in ANSWERS for word in (level, reason) if word}
    stated = set(re.findall(r'(?:say|refuse)\("(\w+)"', sources))
    assert said | counted | heads | answers | stated <= set(WORDS["en"])
    assert set(WORDS["en"]) <= said | counted | heads | answers | literals


def test_scripts_find_the_elements_that_they_name():
    ids = set(re.findall(r'\bid="([\w-]+)"', HTML))
    assert {name for text in SCRIPTS.values() for name in re.findall(r'\$\("([\w-]+)"\)', text)} <= ids
    for name in re.findall(r'aria-labelledby="([\w-]+)"', HTML):
        assert name in ids or name == "answer-title"  # which is drawn with the answer


def test_every_field_has_a_name_to_be_read_out(tags):
    fields = [attrs for tag, attrs in tags.tags if tag in {"input", "textarea", "progress"}]
    assert fields
    for attrs in fields:
        assert "data-words-label" in attrs or attrs["id"] == "file"  # which stands in its label


def test_cells_are_guarded_as_everywhere_else():
    [pattern] = re.findall(r"const COMPUTED = /(.*)/g;", TEXTS["/assets/csv.js"])
    assert pattern == escaping._COMPUTED.pattern
