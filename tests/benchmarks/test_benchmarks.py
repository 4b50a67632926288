"""The benchmarks run: each tells what it does, and one goes through from files to its JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts import ROOT, run

from pipelines.evaluation.bootstrap import paired_bootstrap, paired_bootstrap_macro_f1

# What scripts import.
SHARED = {
    "harness", "jobs", "peers", "flat", "label_wise", "cells", "compare_tables", "reliability", "forked", "works",
    "service_process", "mixed_load", "speed_tables", "scale_tables",
    "pretraining_tables",
}  # fmt: skip
SCRIPTS = sorted({file.stem for file in (ROOT / "benchmarks").glob("*.py")} - SHARED)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_an_example(script: str) -> None:
    assert f"python benchmarks/{script}.py" in run(script, "--help")


def test_real_data_writes_its_figures(data: str, english: Any, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    shown = run(
        "real_data", "tiny", "--data", data, "--run", str(tmp_path / "run"), "--out", str(out),
        "--date", "2024-01-01", "--set", "encoder=none", "--set", "n_jobs=1",
    )  # fmt: skip

    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["benchmark"] == "real_data"
    assert record["date"] == "2024-01-01"
    assert record["settings"]["dataset"] == "tiny"
    assert record["versions"]["scikit-learn"]
    assert record["machine"]["cores"] >= 1
    figures = record["figures"]
    assert 0 < figures["model"]["accuracy"] <= 1
    assert 0 < figures["beam_3"]["accuracy"] <= 1
    assert "tf-idf + linear svm" in figures["baselines"]
    rest = figures["without_near_duplicates"]
    assert rest["documents"] == len(figures["gold"]) - len(figures["near_duplicates"])
    assert set(rest["baselines"]) == set(figures["baselines"]) > {"classic chain"}
    right = np.array(figures["gold"]) == figures["predicted"]
    assert figures["model"]["accuracy"] == pytest.approx(right.mean())
    assert rest["model"]["accuracy"] == pytest.approx(np.delete(right, figures["near_duplicates"]).mean())
    labels = sorted(set(english.train[1]))
    assert [labels[place] for place in figures["gold"]] == english.test[1]
    assert figures["peak_memory"]["gib"] > 0
    assert figures["minutes"]["together"] >= figures["minutes"]["all after the vectors"]
    assert "peak memory" in shown
    assert str(tmp_path) not in out.read_text(encoding="utf-8")  # figures travel, paths do not


@pytest.mark.slow
def test_compare_writes_a_job_once(data: str, english: Any, tmp_path: Path) -> None:
    arguments = (
        "compare", "tiny", "--data", data, "--run", str(tmp_path / "run"), "--out", str(tmp_path), "--encoder", "none",
        "--methods", "svm", "chained", "--seeds", "0", "--set", "n_jobs=1",
    )  # fmt: skip
    run(*arguments)
    files = [tmp_path / "tiny-none-svm-0.json", tmp_path / "tiny-none-chained-n_jobs-1-0.json"]
    written = [file.stat().st_mtime_ns for file in files]
    shown = run(*arguments)
    assert shown.count("there already") == 2
    assert [file.stat().st_mtime_ns for file in files] == written

    labels = sorted(set(english.train[1]))
    for file, method in zip(files, ("svm", "chained"), strict=True):
        record = json.loads(file.read_text(encoding="utf-8"))
        figures = record["figures"]
        assert record["settings"]["method"] == method
        assert record["versions"]["scikit-learn"]
        assert [labels[place] for place in figures["gold"]] == english.test[1]
        right = np.mean(np.array(figures["gold"]) == figures["predicted"])
        assert figures["test"]["accuracy"] == pytest.approx(right)
        assert all(0 <= place < len(english.test[0]) for place in figures["near_duplicates"])
        assert figures["test"]["accuracy"] > 0.5
        assert 0.5 < figures["valid"]["macro_f1"] <= 1
        assert figures["test"]["accuracy"] <= figures["test"]["hierarchical_f1"] <= 1
        assert figures["training"]["seconds"] > 0
        assert figures["training"]["gib"] > 0
        assert figures["documents_per_second"] > 0
        assert str(tmp_path) not in file.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        "joint_neural", "classic", "flat_fused", "label_wise_fused", "embeddings", "hiclass_lcpn_tfidf",
        "hiclass_lcppn_embeddings",
    ],
)  # fmt: skip
def test_compare_runs_each_method(benchmarks: None, data: str, tiny_encoder: str, tmp_path: Path, method: str) -> None:
    from compare import TRAINED_BY

    if method.startswith("hiclass"):
        pytest.importorskip("hiclass", reason="HiClass is not installed: pip install hiclass")
    if method.startswith("label_wise"):
        pytest.importorskip("libmultilabel", reason="LibMultiLabel is not installed: pip install libmultilabel")
    changes = ("--flat", "num_train_epochs=2", "--flat", "learning_rate=1e-3", "--set", "segment_tokens=96",
               "--set", "training.num_train_epochs=6", "--set", "training.encoder_learning_rate=3e-3")  # fmt: skip
    run(
        "compare", "tiny", "--data", data, "--run", str(tmp_path / "run"), "--out", str(tmp_path), "--methods", method,
        "--encoder", tiny_encoder, "--layers", "1", *changes,
    )  # fmt: skip
    files = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in tmp_path.glob("*.json")}
    figures = {record["settings"]["method"]: record["figures"] for record in files.values()}
    trainer = TRAINED_BY.get(method, method)
    assert set(figures) == {method, trainer}
    assert figures[method]["test"]["accuracy"] > 2 / 12
    if trainer != method:  # which has trained the encoder for both, and that counts for both
        assert figures[method]["training"]["seconds"] > figures[trainer]["training"]["seconds"]
        assert figures[method]["predicted"] != figures[trainer]["predicted"]


def test_flat_keeps_the_order_of_the_documents(
    benchmarks: None, english: Any, tiny_encoder: str, tmp_path: Path
) -> None:
    from flat import FlatModel
    from jobs import Job

    from pipelines.data.documents import Documents

    changes = ("num_train_epochs=1", "train_sampling_strategy=group_by_length", "per_device_eval_batch_size=4")
    train, valid = Documents(*english.train), Documents(*english.valid)
    job = Job(0, train, valid, english.taxonomy, tiny_encoder, changes, tmp_path / "flat" / "0")
    model = FlatModel(job).fit()
    texts = english.test[0][:16]
    np.testing.assert_allclose(model.logits(texts)[::-1], model.logits(texts[::-1]), atol=1e-5)
    again = FlatModel(job).fit()  # read back
    np.testing.assert_allclose(again.logits(texts), model.logits(texts), atol=1e-6)


def test_flat_has_its_tricks_right(benchmarks: None, english: Any, tiny_encoder: str, tmp_path: Path) -> None:
    import torch
    from flat import FlatModel
    from jobs import Job
    from torch.nn.functional import cross_entropy

    from pipelines.data.documents import Documents

    few = tuple(part[-100:] for part in english.train)  # labels of unlike frequency
    changes = ("pooling=mean", "logit_adjustment=0.5", "class_weights=balanced", "learning_rate=1e-4",
               "head_learning_rate=1e-3", "layer_decay=0.5")  # fmt: skip
    job = Job(0, Documents(*few), Documents(*english.valid), english.taxonomy, tiny_encoder, changes, tmp_path)
    flat = FlatModel(job)
    shares = torch.from_numpy(np.bincount(job.targets(job.train)) / 100)

    logits, gold = torch.randn(8, len(shares), dtype=torch.float64), torch.arange(8) % len(shares)
    each = cross_entropy(logits + 0.5 * shares.log(), gold, reduction="none") / (len(shares) * shares[gold])
    loss = flat.trainer.compute_loss_func
    assert loss({"logits": logits}, gold).item() == pytest.approx(each.mean().item())
    halves = [loss({"logits": logits[half]}, gold[half], 8) for half in (slice(3), slice(3, None))]
    assert sum(halves).item() == pytest.approx(each.mean().item())  # accumulated

    read = flat.tokenizer(["kettle lid", "kettle boil water steam spout"], padding=True, return_tensors="pt")
    model = flat.model.cpu().eval()
    hidden = model.encoder(**read).last_hidden_state
    means = torch.stack([row[mask.bool()].mean(0) for row, mask in zip(hidden, read["attention_mask"], strict=True)])
    assert torch.allclose(model(**read)["logits"], model.classifier(means), atol=1e-5)

    rate_of = {id(p): group["lr"] for group in flat.trainer.optimizer.param_groups for p in group["params"]}
    rates = {name: rate_of[id(parameter)] for name, parameter in model.named_parameters()}
    assert rates["classifier.weight"] == 1e-3
    assert rates["encoder.encoder.layer.1.output.dense.weight"] == 1e-4
    assert rates["encoder.encoder.layer.0.output.dense.weight"] == pytest.approx(5e-5)
    assert rates["encoder.embeddings.word_embeddings.weight"] == pytest.approx(2.5e-5)


def test_flat_does_not_read_back_another_training(
    benchmarks: None, english: Any, tiny_encoder: str, tmp_path: Path
) -> None:
    from flat import FlatModel
    from jobs import Job

    from pipelines.data.documents import Documents

    train, valid = Documents(*english.train), Documents(*english.valid)
    other = Documents(train.texts, [train.labels[-1], *train.labels[1:]])
    folders = {
        FlatModel(Job(0, documents, valid, english.taxonomy, tiny_encoder, changes, tmp_path)).folder
        for documents in (train, other)
        for changes in (("num_train_epochs=1",), ("num_train_epochs=2",))
    }
    assert len(folders) == 4


def test_the_bootstrap_over_seeds_agrees_with_the_evaluations(benchmarks: None) -> None:
    from paired import difference, resampled

    rng = np.random.default_rng(0)
    gold = rng.integers(12, size=400)
    a, b = (np.where(rng.random(400) < share, gold, rng.integers(12, size=400)) for share in (0.8, 0.6))
    found = difference({0: resampled(gold, a)}, {0: resampled(gold, b)})
    expected = {
        "accuracy": paired_bootstrap(gold == a, gold == b, resamples=2000),
        "macro_f1": paired_bootstrap_macro_f1(gold, a, b, resamples=2000),
    }
    for name, interval in expected.items():
        assert found[name]["value"] == pytest.approx(interval.value)
        assert found[name]["low"] == pytest.approx(interval.low, abs=0.01)
        assert found[name]["high"] == pytest.approx(interval.high, abs=0.01)

    # Seeds that disagree widen the interval.
    unlike = difference({0: resampled(gold, a), 1: resampled(gold, b)}, dict.fromkeys((0, 1), resampled(gold, b)))
    assert unlike["accuracy"]["value"] == pytest.approx(found["accuracy"]["value"] / 2)
    assert unlike["accuracy"]["high"] - unlike["accuracy"]["low"] > found["accuracy"]["high"] - found["accuracy"]["low"]


def test_the_tables_of_compare(benchmarks: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import compare_tables as tables

    rng = np.random.default_rng(0)
    gold = rng.integers(5, size=200)
    (tmp_path / "compare").mkdir()
    for method, seed, share in (
        ("joint", 0, 0.9),
        ("joint", 1, 0.9),
        ("flat", 0, 0.5),
        ("flat", 1, 0.5),
        ("flat_fused", 0, 0.6),
        ("svm", 0, 0.7),
    ):
        predicted = np.where(rng.random(200) < share, gold, rng.integers(5, size=200))
        scores = {"accuracy": float((gold == predicted).mean()), "macro_f1": 0.5, "hierarchical_f1": None}
        record = {
            "settings": {"dataset": "clinc150", "encoder": "embedded", "layers": 3, "documents": None,
                         "no_attention_dropout": True, "method": method, "seed": seed, "changes": []},
            "machine": {"cores": 2, "omp_num_threads": "1" if method == "svm" else None},
            "figures": {
                "labels": 5, "groups": None, "random": method != "svm", "documents_per_second": 1234.5,
                "documents": {"train": 1000, "valid": 100, "test": 200}, "training": {"seconds": 90.0, "gib": 1.25},
                "test": {**scores, "thirds": {"tail": None}}, "gold": gold.tolist(), "predicted": predicted.tolist(),
                "long": list(range(0, 200, 4)), **({"near_duplicates": list(range(30))} if method == "joint" else {}),
            },
        }  # fmt: skip
        file = tmp_path / "compare" / f"clinc150-{method}-{seed}.json"
        file.write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    tables.compared.cache_clear()
    try:
        table, differences, short = tables.compare(), tables.compare_differences(), tables.compare_trained()
    finally:
        tables.compared.cache_clear()
    assert "**clinc150**: 5 labels, no groups given; 1,000 training" in table
    assert "the encoder's first 3 layers; no dropout on its attention weights" in table
    assert "| flat fine-tuning (transformers) | 2 |" in table
    assert "| accuracy, 50 documents over 512 tokens | accuracy, 170 documents without near duplicates |" in table
    assert "| TF-IDF + LinearSVC | not random |" in table
    assert "| 1.5 | 1,234 | 1.2 | 2 cores |" in table
    assert "| 1.5 | 1,234 | 1.2 | 2 cores, 1 thread |" in table
    rows = [line for line in differences.splitlines() if line.startswith("| this project, joint |")]
    assert ["| 2 | +" in row for row in rows] == [True, False, True]  # the one run of the SVM stands for both seeds
    assert all(row.count(" to ") == 4 for row in rows)  # accuracy, macro-F1, and accuracy on two parts
    assert short.count("| intents, 5 labels; encoder's first 3 layers | ") == 3
    assert short.count(" to ") == 4  # two differences of either flat model


def test_evidence_compares_the_choices_on_the_same_documents(benchmarks: None) -> None:
    from evidence import CHOICES, LARGEST, OTHER, compare

    drops = np.random.default_rng(0).normal(0.1, 0.05, size=(400, len(CHOICES)))
    drops[:, 0] += 0.4
    found = compare(drops)
    assert found["drop"][LARGEST]["value"] == pytest.approx(drops[:, 0].mean())
    assert found["ratio"] == pytest.approx(drops[:, 0].mean() / drops[:, 1].mean())
    gap = found["differences"][f"{LARGEST} - {OTHER}"]
    assert gap["low"] < gap["value"] < gap["high"]
    assert gap["high"] - gap["low"] < 0.02
    assert found["met"]
    drops[:, 0] = drops[:, 1]
    assert not compare(drops)["met"]
    assert compare(-drops)["ratio"] is None


@pytest.mark.usefixtures("benchmarks")
def test_flips_are_seeded_and_stay_in_the_group_where_asked(english: Any) -> None:
    from label_errors import flip

    right = np.array(english.train[1])
    group_of = {label.id: group.id for group in english.taxonomy.groups for label in group.labels}
    for taxonomy in (None, english.taxonomy):
        given = flip(right, taxonomy, 0.1, 0)
        changed = np.flatnonzero(given != right)
        assert len(changed) == round(0.1 * len(right))
        assert (flip(right, taxonomy, 0.1, 0) == given).all()
        same = [group_of[given[i]] == group_of[right[i]] for i in changed]
        assert all(same) == (taxonomy is not None)


def test_label_errors_finds_flips(data: str, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    run(
        "label_errors", "tiny", "--data", data, "--run", str(tmp_path / "run"), "--out", str(out), "--folds", "3",
        "--kind", "uniform", "--set", "encoder=none", "--set", "n_jobs=1", "--set", "min_df=1",
    )  # fmt: skip
    found = json.loads(out.read_text(encoding="utf-8"))["figures"]["flips"]["uniform"]
    assert found["flipped"] == round(0.05 * 204)
    assert 0 <= found["precision"] <= 1


def test_the_tables_of_reliability(benchmarks: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import reliability

    monkeypatch.setattr(reliability, "RESULTS", tmp_path)
    assert reliability.fuzzed() == reliability.killed() == reliability.disturbed() == reliability.NO_RESULTS
    target = {"inputs": 1000, "refused": 700, "accepted": 299, "findings": 1, "seconds": 3.2, "slowest_seconds": 0.5}
    other = {"inputs": 10, "refused": 0, "accepted": 10, "findings": 0, "seconds": 1, "slowest_seconds": 0.7}
    record = {
        "minutes": 1, "jobs": 2, "seed": 0, "machine": "2 cores",
        "targets": {"configs": target | {"peak_memory_mib": 57}, "texts": other | {"peak_memory_mib": 50}},
    }  # fmt: skip
    (tmp_path / "fuzz.json").write_text(json.dumps(record), encoding="utf-8")
    assert "| configs | 1,000 | 700 | 299 | 1 | 3 | 0.5 | 57 |" in reliability.fuzzed()
    assert "| together | 1,010 | 700 | 309 | 1 | 4 | 0.7 | 57 |" in reliability.fuzzed()
    kills = {"work": "train", "how": "random", "kills": 9, "same_result": 8, "other": 1, "lost": 0, "stale_locks": 0}
    (tmp_path / "kills.json").write_text(json.dumps({"machine": "2 cores", "kills": [kills, kills]}), encoding="utf-8")
    assert "| train | random | 9 | 8 | 1 | 0 | 0 |" in reliability.killed()
    assert "| together |  | 18 | 16 | 2 | 0 | 0 |" in reliability.killed()
    assert reliability.disturbed() == reliability.NO_RESULTS
    runs = {"work": "train", "how": "SIGTERM", "runs": 3, "as_promised": 2}
    (tmp_path / "disturbed.json").write_text(json.dumps({"machine": "2 cores", "disturbed": [runs]}), encoding="utf-8")
    assert "| train | SIGTERM | 3 | 2 |" in reliability.disturbed()


def test_a_job_with_many_settings_has_a_name_that_a_file_can_have(benchmarks: None) -> None:
    from compare import LONGEST_NAME, file_name

    assert file_name(["tiny", "flat"], "0.json") == "tiny-flat-0.json"
    many = [f"setting-{i}" for i in range(40)]
    names = {file_name([*many, last], f"{seed}.json") for last in ("a", "b") for seed in (0, 1)}
    assert len(names) == 4
    assert all(len(name) <= LONGEST_NAME and name.startswith("setting-0-setting-1-") for name in names)
    exact = "x" * (LONGEST_NAME - len("-0.json"))
    assert file_name([exact], "0.json") == f"{exact}-0.json"
