"""Without a tree, labels and groups of a file that fold alike are one, and the log says what was taken for what."""

import json
import logging

import pytest

from hierarchy.taxonomy import Taxonomy
from pipelines.classifier import HierarchicalClassifier

WAYS = ("{}", "{} ", "{}", "\u00a0{}\t")
LEXICAL = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1", "--set", "classifier.n_groups=3",
           "--set", "classifier.min_group_size=2")  # fmt: skip


@pytest.fixture
def files(english, tmp_path):
    """Write training documents whose labels and groups are written in several ways, and plain test documents."""
    home = {label.id: group.id for group in english.taxonomy.groups for label in group.labels}
    for name, (texts, labels), ways in (("train", english.train, WAYS), ("test", english.test, ("{}",))):
        with (tmp_path / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for i, (text, label) in enumerate(zip(texts, labels, strict=True)):
                way, other = ways[i % len(ways)], ways[i // 2 % len(ways)]
                row = {"text": text, "label": way.format(label), "group": other.format(home[label])}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return tmp_path


def test_a_build_from_documents_has_each_label_once(cli, files, english, caplog):
    out = files / "tree.yaml"
    data = ("--set", f"data.train={files / 'train.jsonl'}", "-o", out, *LEXICAL)
    with caplog.at_level(logging.INFO):
        assert cli("taxonomy", "build", *data).exit_code == 0
    assert set(Taxonomy.from_yaml(out).label_ids) == set(english.taxonomy.label_ids)
    assert sum("is also written" in message for message in caplog.messages) == 10
    assert any("and 2 more labels written in several ways" in message for message in caplog.messages)
    assert cli("taxonomy", "build", *data, "--set", "classifier.merge_spellings=false").exit_code == 0
    assert len(Taxonomy.from_yaml(out).label_ids) == 36


def test_a_group_column_does_not_multiply_labels(cli, files, english, caplog):
    data = ("train", "test", "valid")
    settings = [f"data.{role}={files / ('train' if role == 'train' else 'test')}.jsonl" for role in data]
    arguments = [part for setting in (*settings, "data.group=group", f"output={files / 'model'}")
                 for part in ("--set", setting)]  # fmt: skip
    with caplog.at_level(logging.INFO):
        assert cli("train", "--no-baselines", *arguments, *LEXICAL).exit_code == 0
    model = HierarchicalClassifier.from_pretrained(files / "model")
    assert model.taxonomy_.group_ids == tuple(sorted(group.id for group in english.taxonomy.groups))
    assert model.classes_.tolist() == sorted(english.taxonomy.label_ids)
    train = str(files / "train.jsonl")
    assert sum(message.startswith(f"{train}: group ") for message in caplog.messages) == 3
    assert model.score(*english.test) > 0.6
