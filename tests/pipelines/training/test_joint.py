"""Joint training from end to end: losses, starts, cached vectors, artifacts, resuming, several processes."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hierarchy.errors import ConfigError, EncoderError
from pipelines.classifier import HierarchicalClassifier
from stages.coarse.segments import Segmenter

ROOT = Path(__file__).parents[3]
SHORT = {"num_train_epochs": 2, "learning_rate": 5e-3, "encoder_learning_rate": 1e-3}
ONE = {**SHORT, "num_train_epochs": 1}
FROZEN = {"num_train_epochs": 2, "learning_rate": 5e-3}  # no encoder has a learning rate


def joint(tiny_classifier, english, **settings):
    settings = {"mode": "joint", "trainable": "all", "training": SHORT, "lexical": False, **settings}
    return tiny_classifier(**settings).fit(*rare(english), validation=english.valid)


def epochs(classifier):
    return [e for e in classifier.model_.record["history"] if "eval_loss" in e]


@pytest.mark.parametrize(
    ("trainable", "learned"), [("all", 0.5), pytest.param("top_1", 0.25, marks=pytest.mark.slow), ("frozen", 0.2)]
)
def test_it_learns_both_levels_and_is_saved_and_read(tiny_classifier, english, tmp_path, trainable, learned):
    own = FROZEN if trainable == "frozen" else SHORT
    training = {**own, "num_train_epochs": 15, "early_stopping_patience": 15}
    classifier = tiny_classifier(mode="joint", trainable=trainable, training=training, row_start="centroids")
    classifier.fit(*english.train, validation=english.valid)
    last = epochs(classifier)[-1]
    assert {"eval_accuracy", "eval_macro_f1", "eval_group_accuracy", "eval_group_macro_f1"} <= set(last)
    assert last["eval_accuracy"] > learned  # chance is 0.08
    assert (classifier.predict(english.test[0]) == np.array(english.test[1])).mean() > 0.6
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert again.mode == "joint"
    assert not (tmp_path / "model" / "encoder_pretrained").exists()
    texts = english.test[0]
    assert classifier.predict_proba(texts).tobytes() == again.predict_proba(texts).tobytes()
    report = again.evaluate(*english.test, train=english.train)
    assert "classic chain" in report.baselines


def right_by_rows(tiny_classifier, english, start, texts, labels):
    """Share of documents that rows which have only started, and learned nothing, answer rightly."""
    still = {"num_train_epochs": 1, "learning_rate": 1e-9, "encoder_learning_rate": 1e-9}
    model = joint(tiny_classifier, english, row_start=start, training=still).model_
    said = model.router.fine_experts(model.extractor(texts))["neural"].argmax(1)  # the fusion may trust them not at all
    return np.mean(np.array(model.label_ids)[said] == np.array(labels))


def test_rows_that_start_from_label_texts_know_these(tiny_classifier, english):
    names = [label.text for label in english.taxonomy.labels]
    right = {
        start: right_by_rows(tiny_classifier, english, start, names, english.taxonomy.label_ids)
        for start in ("labels", "random")
    }
    assert right["labels"] == 1
    assert right["random"] < 0.5


def test_rows_that_start_from_centroids_know_documents(tiny_classifier, english):
    right = {start: right_by_rows(tiny_classifier, english, start, *english.train) for start in ("centroids", "random")}
    assert right["centroids"] > right["random"] + 0.15  # these are the documents that the centroids are made of


@pytest.fixture(scope="module")
def plain(tiny_classifier, english):
    """Rows of a joint training with no option."""
    return weights(joint(tiny_classifier, english, training=ONE))


@pytest.mark.parametrize(
    "settings",
    [
        {"fine_loss": "path"},
        {"fine_loss": "group"},
        {"loss_weights": "learned"},
        {"loss_weights": [0.5, 2.0]},
        {"imbalance": "weights"},
        {"imbalance": "logits", "imbalance_scope": "siblings"},
        {"imbalance": "oversample"},
        {"imbalance": "undersample", "imbalance_scope": "groups"},
        {"training": {**ONE, "label_smoothing_factor": 0.1}},
        {"training": {**ONE, "layer_decay": 0.5}},
        {"training": {**ONE, "bf16": True}},
        {"attention_queries": 2},
        {"aggregator_layers": 1},
        {"label_attention": True},
    ],
    ids=str,
)
def test_every_option_changes_the_weights_and_trains(tiny_classifier, english, plain, settings):
    found = weights(joint(tiny_classifier, english, **{"training": ONE, **settings}))
    assert np.isfinite(found).all()
    assert np.abs(found - plain).max() > 1e-4


def test_gradient_checkpointing_happens_and_changes_nothing(tiny_classifier, english, plain):
    classifier = joint(tiny_classifier, english, training={**ONE, "gradient_checkpointing": True})
    layers = classifier.model_.extractor.neural.encoder.transformer.modules()
    assert any(getattr(layer, "gradient_checkpointing", False) for layer in layers)
    assert np.allclose(weights(classifier), plain, atol=1e-5)


def test_documents_are_tokenized_once_for_all_epochs_and_trainings(tiny_classifier, english, tmp_path, monkeypatch):
    read, tokens = Counter(), Segmenter.tokens

    def spy(self, texts):
        read.update(texts)
        return tokens(self, texts)

    monkeypatch.setattr(Segmenter, "tokens", spy)
    documents = [*rare(english)[0], *english.valid[0]]
    joint(tiny_classifier, english, run_dir=str(tmp_path / "run"), row_start="centroids")
    assert {read[text] for text in documents} == {1}
    joint(tiny_classifier, english, run_dir=str(tmp_path / "run"), row_start="centroids", dropout=0.3)
    assert {read[text] for text in documents} == {1}


def test_workers_that_load_batches_change_nothing(tiny_classifier, english, plain):
    classifier = joint(tiny_classifier, english, training={**ONE, "dataloader_num_workers": 1})
    assert np.array_equal(weights(classifier), plain)


def test_accumulated_steps_of_both_stages_are_one_large_step(tiny_classifier, english):
    # Plain steps without clipping: AdamW hides a gradient that is too large by a factor.
    plain_steps = {"optim": "sgd", "max_grad_norm": 0, "learning_rate": 0.1, "num_train_epochs": 1}
    documents = tuple(part[:192] for part in english.train)

    def end(batch, batches):
        training = {**plain_steps, "per_device_train_batch_size": batch, "gradient_accumulation_steps": batches}
        classifier = tiny_classifier(
            mode="joint", trainable="frozen", lexical=False, dropout=0.0, label_documents=False, training=training
        )
        return weights(classifier.fit(*documents, validation=english.valid))

    assert np.allclose(end(4, 4), end(16, 1), atol=1e-5)
    assert np.abs(end(4, 4) - end(4, 1)).max() > 1e-3


def weights(classifier):
    return classifier.model_.router.neural.weight


@pytest.fixture(scope="module")
def chained_queries(tiny_classifier, english):
    """Train chained; return the queries of the document model, which the loss of either level reaches."""

    def queries(**settings):
        classifier = tiny_classifier(lexical=False, **settings).fit(*rare(english), validation=english.valid)
        assert {"eval_accuracy", "eval_group_accuracy"} <= set(epochs(classifier)[-1])
        return classifier.model_.extractor.neural.document_model.pooling.queries.numpy()

    queries.plain = queries()
    return queries


@pytest.mark.parametrize(
    "settings",
    [
        {"fine_loss": "group"},
        {"loss_weights": [0.5, 2.0]},
        {"row_start": "random"},
        {"imbalance": "weights"},
        {"imbalance": "logits", "imbalance_scope": "siblings"},
    ],
    ids=str,
)
def test_both_levels_are_learned_in_chained_training_too(chained_queries, settings):
    assert np.abs(chained_queries(**settings) - chained_queries.plain).max() > 1e-4


def rare(english):
    """Training documents with a third of the labels cut to three documents."""
    texts, labels = english.train
    seen: dict[str, int] = {}
    kept = []
    cut = sorted(set(labels))[::3]
    for place, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        if label not in cut or seen[label] <= 3:
            kept.append(place)
    return [texts[i] for i in kept], [labels[i] for i in kept]


def test_refit_says_what_to_do_instead(tiny_classifier, english):
    classifier = joint(tiny_classifier, english)
    with pytest.raises(ConfigError, match=r"mode: joint.*train again"):
        classifier.refit_groups(["kitchen"], *english.train)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mode": "joint", "neural_C": 2.0}, "neural_C does nothing with mode: joint"),
        ({"aggregator_heads": 2}, "aggregator_heads does nothing with aggregator_layers: 0"),
    ],
)
def test_options_that_would_do_nothing_are_refused(english, settings, told):
    with pytest.raises(ConfigError, match=told):
        HierarchicalClassifier(english.taxonomy, **settings).fit(*english.train)


@pytest.mark.parametrize("mode", ["chained", "joint"])
def test_rows_cannot_start_from_texts_that_the_encoder_cannot_read(tiny_classifier, english, mode):
    groups = [replace(g, labels=tuple(replace(x, name="冰箱空调") for x in g.labels)) for g in english.taxonomy.groups]
    tree = replace(english.taxonomy, groups=tuple(groups))
    classifier = tiny_classifier(tree, mode=mode)
    with pytest.raises(EncoderError, match="row_start: centroids"):
        classifier.fit(*english.train, validation=english.valid)


def test_what_max_segments_leaves_out_is_told(tiny_classifier, english, caplog):
    texts, labels = rare(english)
    long = [" ".join([text] * 6) for text in texts]
    with caplog.at_level(logging.WARNING):
        classifier = tiny_classifier(mode="joint", trainable="all", lexical=False, max_segments=1, training=ONE)
        classifier.fit(long, labels, validation=english.valid)
    assert "training: max_segments 1 leaves out" in caplog.text


def test_a_joint_training_needs_an_encoder(english):
    with pytest.raises(ConfigError, match="joint trains an encoder and encoder is none"):
        HierarchicalClassifier(english.taxonomy, mode="joint", encoder="none").fit(*english.train)


def files(english, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "valid", "test"):
        lines = [json.dumps({"text": t, "label": y}) for t, y in zip(*getattr(english, part), strict=True)]
        (folder / f"{part}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    english.taxonomy.to_yaml(folder / "taxonomy.yaml")


def command(folder, encoder, out, **training):
    classifier = {
        "mode": "joint", "encoder": encoder, "trainable": "all", "segment_tokens": 32, "overlap": 8, "n_jobs": 1,
        "lexical": "false", **{f"training.{name}": value for name, value in {**SHORT, **training}.items()},
    }  # fmt: skip
    settings = {
        "taxonomy": folder / "taxonomy.yaml", "output": out,
        **{f"data.{part}": folder / f"{part}.jsonl" for part in ("train", "valid", "test")},
        **{f"classifier.{name}": value for name, value in classifier.items()},
    }  # fmt: skip
    given = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    return ["-m", "pipelines.cli", "train", "--no-baselines", *given]


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def run(*words):
    done = subprocess.run([sys.executable, *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def rows(folder):
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")["neural.weight"]


def test_a_killed_training_ends_with_the_same_weights(english, tiny_encoder, tmp_path):
    files(english, tmp_path)
    whole, killed = (command(tmp_path, tiny_encoder, tmp_path / n, num_train_epochs=6) for n in ("whole", "killed"))
    run(*whole)
    process = subprocess.Popen(
        [sys.executable, *killed], env=ENVIRONMENT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 240
    while not any((tmp_path / "killed.run").glob("joint-*/checkpoint-*/whole.sha256")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "training goes on from checkpoint-" in run(*killed).stderr
    assert rows(tmp_path / "killed").tobytes() == rows(tmp_path / "whole").tobytes()


@pytest.mark.slow
def test_two_processes_agree_with_one(english, tiny_encoder, tmp_path):
    # Two processes fill a last small batch up with documents of the first, one does not: here every batch is full.
    full = (len(english.train[0]) + len(english.taxonomy.label_ids)) // 16 * 16 - len(english.taxonomy.label_ids)
    files(replace(english, train=tuple(part[-full:] for part in english.train)), tmp_path)
    encoder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, encoder)
    sure = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # dropout differs by process
    config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
    (encoder / "config.json").write_text(json.dumps({**config, **sure}), encoding="utf-8")

    def words(name, batch):
        given = {"per_device_train_batch_size": batch, "load_best_model_at_end": "false"}
        words = [*command(tmp_path, encoder, tmp_path / name, **given), "--set", "classifier.dropout=0"]
        return [*(word for word in words if word != "--no-baselines"), "--set", "classifier.lexical=true"]

    run(*words("one", 16))
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone")
    assert run(*launcher, *words("two", 8)).stdout.count("Evaluation on") == 1  # the first speaks for both
    assert np.allclose(rows(tmp_path / "one"), rows(tmp_path / "two"), atol=1e-3)
    first, second = (HierarchicalClassifier.from_pretrained(tmp_path / name) for name in ("one", "two"))
    assert np.abs(first.predict_proba(english.test[0]) - second.predict_proba(english.test[0])).max() < 1e-3


def test_early_stopping_restores_the_best_epoch(tiny_classifier, english):
    training = {**FROZEN, "num_train_epochs": 30, "early_stopping_patience": 2, "metric_for_best_model": "macro_f1"}
    classifier = joint(tiny_classifier, english, trainable="frozen", training=training, row_start="centroids")
    history = epochs(classifier)
    best = max(entry["eval_macro_f1"] for entry in history)
    assert len(history) < 30
    assert history[-1]["eval_macro_f1"] < best
    vectors = classifier.model_.extractor(english.valid[0]).vectors
    predicted = np.array(classifier.model_.label_ids)[classifier.model_.router.neural.score(vectors).argmax(1)]
    assert f1_score(english.valid[1], predicted, average="macro", zero_division=0) == pytest.approx(best, abs=1e-6)
