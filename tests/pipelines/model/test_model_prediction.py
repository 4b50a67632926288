"""Documents in which nothing is known: said in training, answers, files and on screen; no promise rests on them."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from pipelines.classifier import HierarchicalClassifier
from pipelines.promises.kept import kept_promises
from pipelines.promises.promises import make_promises, observe
from pipelines.serving.predict import predict_file
from pipelines.training import fit
from pipelines.training.heads import report_unheard
from stages.router.fusion import fit_router
from stages.router.router import Fusion

UNKNOWN = ["xyzzy plugh", "", " \n", "⛄ ½", "\u200b"]
NOTHING_KNOWN = ("none", "nothing_known")


def first(classifier, texts):
    return [(paths[0].level, paths[0].reason) for paths in classifier.predict_paths(texts)]


def promised(classifier, documents):
    return copy.copy(classifier).calibrate(*documents, precision=0.8, delta=0.2, coverage=0.8, false_alarms=0.05)


def test_without_an_encoder_nothing_is_known_where_no_ngram_is(fitted_lexical, english):
    for classifier in (fitted_lexical, promised(fitted_lexical, english.test)):
        assert first(classifier, UNKNOWN) == [NOTHING_KNOWN] * len(UNKNOWN)
        assert NOTHING_KNOWN not in first(classifier, [*english.test[0], "xyzzy kettle"])
    assert len(set(fitted_lexical.predict(UNKNOWN))) == 1  # the label of any such document


def test_an_encoder_knows_something_of_all_but_blank_texts(fitted, tiny_classifier, english):
    few = {"num_train_epochs": 1}
    neural = tiny_classifier(lexical=False, training=few).fit(*english.train, validation=english.valid)
    for classifier in (fitted, neural):
        assert first(classifier, ["xyzzy plugh", "", " \n", "\u200b", "kettle"]) == [
            ("fine", None), NOTHING_KNOWN, NOTHING_KNOWN, NOTHING_KNOWN, ("fine", None),
        ]  # fmt: skip


def test_an_encoder_without_a_say_knows_nothing_and_is_told_of(tiny_classifier, english, monkeypatch, caplog):
    def without_encoder(*parts):
        router = fit_router(*parts)
        fusions = {name: replace(fusion, neural=0.0) for name, fusion in router.fusions.items()}
        return replace(router, coarse_fusion=replace(router.coarse_fusion, neural=0.0), fusions=fusions)

    monkeypatch.setattr(fit, "fit_router", without_encoder)
    classifier = tiny_classifier(training={"num_train_epochs": 1}).fit(*english.train, validation=english.valid)
    assert "the encoder adds nothing to the n-grams" in caplog.text
    assert first(classifier, ["xyzzy plugh", "", english.test[0][0]]) == [*[NOTHING_KNOWN] * 2, ("fine", None)]


@pytest.mark.parametrize(
    ("fusion", "of_groups", "is_told"),
    [
        (Fusion(lexical=1.0, coarse=1.0), Fusion(lexical=1.0), True),
        (Fusion(lexical=1.0), Fusion(neural=1.0), False),  # it has a say in a beam
        (Fusion(neural=1.0, lexical=1.0), Fusion(lexical=1.0), False),
        (Fusion(), Fusion(), False),  # nobody has one, the n-grams neither
    ],
)
def test_n_grams_that_answer_alone_are_told_of(fitted, fitted_lexical, caplog, fusion, of_groups, is_told):
    router = replace(fitted.model_.router, coarse_fusion=of_groups, fusions={"full": fusion})
    report_unheard(router)
    assert ("the encoder adds nothing" in caplog.text) == is_told
    caplog.clear()
    report_unheard(fitted_lexical.model_.router)  # there is no encoder
    assert not caplog.text


def test_what_is_known_of_a_document_does_not_depend_on_its_neighbours(fitted_lexical, english):
    texts = [UNKNOWN[0], english.test[0][0], UNKNOWN[1], english.test[0][1]]
    assert first(fitted_lexical, texts) == [first(fitted_lexical, [text])[0] for text in texts]


def test_no_promise_rests_on_them_and_none_is_counted(fitted_lexical, english):
    model = promised(fitted_lexical, english.test).model_
    texts, labels = [*english.test[0], *["xyzzy plugh"] * 40], [*english.test[1], *[model.label_ids[0]] * 40]
    gold, gold_group = model.places(labels)
    routed = model.router.route(model.extractor(texts))
    assert routed.known.tolist() == [True] * len(english.test[0]) + [False] * 40
    wishes = {"precision": 0.8, "delta": 0.2, "coverage": 0.8, "by_group": False, "false_alarms": None}
    seen = observe(routed, texts, gold, gold_group, model.space)
    # As sure as can be, and wrong: they would forbid every answer.
    sure = replace(seen, confidence=np.where(seen.known, seen.confidence, 1.0), right=seen.right & seen.known)
    promises = make_promises(sure, routing=routed.routing, groups=len(model.group_ids), **wishes)
    assert promises.back_off == replace(model.promises, out_of_scope=None).back_off
    assert promises.back_off.fine is not None
    zero = replace(promises, back_off=replace(promises.back_off, fine=0.0, group=0.0))
    kept = {k.what: k for k in kept_promises(zero, routed, texts, gold, gold_group, model.space)}
    assert (kept["fine answers"].documents, kept["group answers"].documents) == (len(english.test[0]), 0)
    assert kept["sets of labels"].documents == len(texts)


def test_files_and_screen_say_it(fitted_lexical, english, cli, tmp_path, caplog):
    fitted_lexical.save_pretrained(tmp_path / "model")
    lines = [json.dumps({"text": text}) for text in (*UNKNOWN[:3], english.test[0][0])]
    (tmp_path / "some.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    predict_file(tmp_path / "model", tmp_path / "some.jsonl", tmp_path / "out.jsonl")
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(a["level"], a["reason"]) for a in answers] == [*[NOTHING_KNOWN] * 3, ("fine", None)]
    assert "2 empty documents (rows 2, 3); they are not answered" in caplog.text
    for command in ("predict", "explain"):
        told = cli(command, tmp_path / "model", "--text", "xyzzy")
        assert "Not answered: nothing in the document is known to the model." in told.output
        assert "Not answered" not in cli(command, tmp_path / "model", "--text", english.test[0][0]).output
    shown = json.loads(cli("predict", tmp_path / "model", "--text", "xyzzy", "--json").output)
    assert (shown["level"], shown["reason"]) == NOTHING_KNOWN
    shown = json.loads(cli("explain", tmp_path / "model", "--text", "xyzzy", "--json").output)
    assert (shown["paths"][0]["level"], shown["paths"][0]["reason"], shown["ngrams"]) == (*NOTHING_KNOWN, [])


def test_an_evaluation_counts_them(fitted_lexical, english):
    texts, labels = english.test
    report = fitted_lexical.evaluate([*texts, "xyzzy"], [*labels, labels[0]])
    assert "the model knows nothing in 1 document: predict answers none" in report.notes
    assert not any("knows nothing" in note for note in fitted_lexical.evaluate(texts, labels).notes)


@pytest.mark.parametrize("level", ["WARNING", "INFO"])
def test_training_tells_how_many_there_are(level, tiny_classifier, english, caplog):
    (texts, labels), (valid_texts, valid_labels) = english.train, english.valid
    documents = [*texts, *(f"lonely{i}" for i in range(5))], [*labels, *[labels[0]] * 5]
    validation = [*valid_texts, "plugh"], [*valid_labels, labels[0]]
    lexical = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    classifier = lexical if level == "WARNING" else tiny_classifier(training={"num_train_epochs": 1})
    with caplog.at_level("INFO"):
        classifier.fit(*documents, validation=validation)
    told = [(r.levelname, r.getMessage()) for r in caplog.records if "nothing is known" in r.getMessage()]
    assert [name for name, _ in told] == [level] * 2
    assert f"5 of {len(texts) + 5} training documents" in told[0][1]
    assert told[0][1].endswith("they begin 'lonely0', 'lonely1', 'lonely2' and 2 more")
    assert f"1 of {len(valid_texts) + 1} validation documents" in told[1][1]
    assert told[1][1].endswith("they begin 'plugh'")
