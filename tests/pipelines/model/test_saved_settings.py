"""A model that comes from elsewhere describes itself; it decides nothing beyond that."""

import ast
import hashlib
import json
import re
import shutil
import subprocess
import time
from dataclasses import fields, replace

import pytest
from edited_trees import edited

from hierarchy.errors import ArtifactError, ConfigError
from pipelines.card.reproduction import reproduction
from pipelines.classifier import HierarchicalClassifier
from pipelines.model.artifact.saved_settings import DESCRIBES, acting, describing, description, settings_of_model
from pipelines.settings import MACHINE, Settings

NOT_THEIRS = {
    "push_to_hub": True, "hub_model_id": "evil/stolen", "hub_token": "hf_x", "hub_strategy": "every_save",
    "report_to": ["tensorboard"], "run_name": "x", "project": "x", "trackio_space_id": "evil/space",
    "logging_dir": "/nowhere/x", "output_dir": "/nowhere/x", "deepspeed": "/nowhere/ds.json", "fsdp": "full_shard",
    "fsdp_config": "/nowhere/fsdp.json", "accelerator_config": "/nowhere/a.json", "torch_compile": True,
    "torch_compile_backend": "evil", "optim_args": "a=b", "optim_target_modules": ["x"], "use_liger_kernel": True,
    "dataloader_num_workers": 64, "dataloader_multiprocessing_context": "spawn", "ddp_backend": "x", "debug": "x",
    "log_level": "debug", "save_total_limit": 99, "resume_from_checkpoint": "/nowhere/x", "auto_find_batch_size": True,
    "neftune_noise_alpha": 5, "skip_memory_metrics": False, "disable_tqdm": True, "made_up": 1,
}  # fmt: skip
WRONG_VALUES = [
    ("optim", "evil.module:Optimizer"), ("optim", "galore_adamw"), ("optim", ["sgd"]), ("learning_rate", "1e-3"),
    ("learning_rate", float("nan")), ("num_train_epochs", 10**400), ("num_train_epochs", True), ("bf16", "yes"),
    ("lr_scheduler_type", "/nowhere/x"), ("lr_scheduler_kwargs", {"a": "/nowhere/x"}), ("lr_scheduler_kwargs", "{}"),
    ("lr_scheduler_kwargs", {"a": {"b": 1}}), ("save_strategy", "hub"), ("metric_for_best_model", "a; b"),
]  # fmt: skip


def rewrite(folder, name="config.json", **changes):
    """Change the settings of a model as its owner would, with a manifest that fits."""
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    content["settings"] |= changes
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.fixture
def model(tiny_classifier, english, tmp_path):
    """Save a small model with an encoder that reads label texts too."""
    train, valid = ((texts[::2], labels[::2]) for texts, labels in (english.train, english.valid))
    settings = {"trainable": "frozen", "training": {"num_train_epochs": 1}, "lexical": False, "label_attention": True}
    tiny_classifier(**settings).fit(*train, validation=valid).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def moved(english):
    return edited(english.taxonomy, move={"hoses": "office"})


def test_a_refit_sends_nothing_and_writes_nowhere_because_a_model_says_so(
    hub, model, moved, english, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    training = {**NOT_THEIRS, "num_train_epochs": 1, "logging_dir": str(tmp_path / "logs")}
    rewrite(model, training=training, run_dir=str(tmp_path / "run"), device="cuda:7", n_jobs=500)
    classifier = HierarchicalClassifier.from_pretrained(model)
    for name in (*(f"training.{name}" for name in NOT_THEIRS), "run_dir", "device", "n_jobs"):
        assert name in caplog.records[0].getMessage(), name
    assert (classifier.training, classifier.device, classifier.run_dir) == ({"num_train_epochs": 1}, None, None)
    classifier.set_params(n_jobs=1).refit_groups(None, *english.train, moved, validation=english.valid)
    classifier.evaluate(*english.test)
    classifier.calibrate(*english.test, precision=0.5)
    classifier.explain(english.test[0][0])
    classifier.save_pretrained(tmp_path / "new")
    assert hub.requests == []
    assert {path.name for path in tmp_path.iterdir()} - before == {"new"}
    assert not re.search("evil|hf_x", "".join(p.read_text("utf-8") for p in (tmp_path / "new").glob("*.[jm][sd]*")))


def test_a_model_does_not_say_how_much_memory_is_taken_at_once(caplog):
    assert settings_of_model({"tokens_per_chunk": 10**9}, "m").tokens_per_chunk == Settings().tokens_per_chunk
    assert "tokens_per_chunk to 1000000000" in caplog.records[0].getMessage()
    assert settings_of_model({"tokens_per_chunk": 2**18}, "m").tokens_per_chunk == 2**18


def test_names_without_end_take_no_time_and_no_screen(caplog):
    training = {f"\x1b[2J{place:06}": 1 for place in range(200_000)} | {"x" * 10**6: 1, "num_train_epochs": 1}
    began = time.monotonic()
    assert settings_of_model({"training": training}, "m").training == {"num_train_epochs": 1}
    assert time.monotonic() - began < 5
    told = caplog.records[0].getMessage()
    assert "and 199,901 more" in told
    assert told.isprintable()
    assert len(told) < 5000


@pytest.mark.parametrize(("name", "value"), WRONG_VALUES)
def test_a_harmless_name_takes_harmless_values_only(name, value):
    settings = settings_of_model({"training": {name: value, "weight_decay": 0.5}}, "config.json")
    assert settings.training == {"weight_decay": 0.5}


def test_what_describes_a_model_is_known_to_transformers_and_comes_back():
    from transformers import TrainingArguments
    from transformers.trainer_utils import SchedulerType

    from stages.training.arguments import DEFAULTS, ENCODER_DEFAULTS, OWN_DEFAULTS, TAKEN

    known = {field.name for field in fields(TrainingArguments)} | set(OWN_DEFAULTS)
    assert set(DESCRIBES) <= known - set(TAKEN)
    told = {**DEFAULTS, **ENCODER_DEFAULTS, **OWN_DEFAULTS, "lr_scheduler_kwargs": {"num_cycles": 2}, "bf16": False}
    assert set(told) - set(describing(told)) == {"report_to", "save_total_limit"}
    assert all(DESCRIBES["lr_scheduler_type"](kind.value) for kind in SchedulerType if kind.value != "greedy")
    assert not any(DESCRIBES.get(name, lambda _: False)(value) for name, value in NOT_THEIRS.items())
    assert acting({"bf16": True, **NOT_THEIRS}) == NOT_THEIRS


def test_a_saved_model_tells_no_token_and_no_folder(english, tiny_classifier, tmp_path):
    secret = {"report_to": "none", "hub_token": "hf_mine", "logging_steps": 5}
    secret |= {"num_train_epochs": 1}
    classifier = tiny_classifier(training=secret, run_dir=str(tmp_path / "r"))
    classifier.fit(*english.train, validation=english.valid).save_pretrained(tmp_path / "model")
    written = "".join(path.read_text("utf-8") for path in (tmp_path / "model").glob("*.[jm][sd]*"))
    assert "hf_mine" not in written
    assert "logging_steps" in written
    assert classifier.training == secret  # the caller's own
    assert not description(classifier.model_.settings).keys() & MACHINE


def test_the_caller_may_still_say_what_acts(model, moved, english, tmp_path, monkeypatch):
    from stages.training import trainer

    seen = []
    made = trainer.training_arguments
    monkeypatch.setattr(trainer, "training_arguments", lambda *given: seen.append(made(*given)) or seen[-1])
    rewrite(model, training={"num_train_epochs": 1, "save_total_limit": 9})
    classifier = HierarchicalClassifier.from_pretrained(model)
    classifier.set_params(n_jobs=1, training={"save_total_limit": 3, "num_train_epochs": 7})
    classifier.refit_groups(None, *english.train, moved, validation=english.valid)
    assert (seen[0].save_total_limit, seen[0].num_train_epochs) == (3, 1)


@pytest.mark.parametrize("encoder", ["evil/encoder", "../elsewhere", "bert-base-uncased"])
def test_a_training_fetches_no_encoder_because_a_model_names_it(hub, model, moved, english, encoder, caplog):
    rewrite(model, encoder=encoder, label_encoder="evil/labels")
    classifier = HierarchicalClassifier.from_pretrained(model).set_params(n_jobs=1)
    classifier.predict(english.test[0][:2])
    assert (classifier.encoder, classifier.label_encoder) == (None, None)
    with pytest.raises(ConfigError, match=r"encoder is not set.*set_params\(encoder=\.\.\.\)"):
        classifier.fit(*english.train, validation=english.valid)
    with pytest.raises(ConfigError, match=r"label_encoder 'evil/labels'.*set_params\(label_encoder=\.\.\.\)"):
        classifier.refit_groups(None, *english.train, moved, validation=english.valid)
    classifier.refit_groups(["kitchen"], *english.train)  # reads no label texts
    assert hub.requests == []


def test_a_refit_reads_label_texts_with_the_encoder_that_the_caller_names(
    cli, model, moved, english, wide_encoder, tmp_path
):
    rewrite(model, label_encoder="evil/labels")
    classifier = HierarchicalClassifier.from_pretrained(model).set_params(n_jobs=1, label_encoder=wide_encoder)
    classifier.refit_groups(None, *english.train, moved, validation=english.valid)
    assert classifier.taxonomy_ == moved
    moved.to_yaml(tmp_path / "moved.yaml")
    rows = (json.dumps({"text": text, "label": label}) for text, label in zip(*english.train, strict=True))
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    asked = ("refit", model, "--taxonomy", tmp_path / "moved.yaml", "-o", tmp_path / "new")
    answer = cli(
        *asked,
        "--set",
        f"data.train={tmp_path / 'train.jsonl'}",
        "--set",
        "data.valid=" + str(tmp_path / "train.jsonl"),
    )
    assert answer.exit_code == 2
    assert "--set classifier.label_encoder=..." in answer.output.replace("\n", " ")


def test_a_model_without_its_encoder_folder_is_not_looked_for_on_the_hub(hub, model, tmp_path, monkeypatch):
    shutil.rmtree(model / "encoder")
    manifest = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"] = {n: d for n, d in manifest["sha256"].items() if not n.startswith("encoder/")}
    (model / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match=r"it does not list encoder/config\.json"):
        HierarchicalClassifier.from_pretrained("model")  # model/encoder would be a name on the hub
    assert hub.requests == []


def test_the_lines_to_copy_hold_no_command_of_a_stranger(fitted_lexical, tmp_path):
    evil = "x$(touch one)`touch two`'; touch three #\ntouch four\nimport os"
    record = fitted_lexical.model_.record
    record = {
        **record,
        "fingerprint": f'1" or {evil}',
        "hardware": {**record["hardware"], "processes": evil},
        "settings": {**record["settings"], "routing": evil, "beam": evil, "training": NOT_THEIRS, f"n={evil}": evil},
        "promised": {
            "dtype": evil,
            "delta": evil,
            evil: evil,
            "coverage": 0.9,
            "by_group": True,
            "false_alarms": None,
        },
        "sources": {"calibration": evil},
    }
    model = replace(fitted_lexical.model_, record=record)
    python = "\n".join(reproduction(model, None))
    code = re.search(r"`{3,}python\n(.*?)\n`{3,}", python, re.DOTALL)[1]
    imported = [
        getattr(node, "module", None)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert set(imported) <= {"coarsefine"}
    assert "push_to_hub" not in python
    shell = "\n".join(
        reproduction(replace(model, record={**record, "config": {"data": {"train": evil, evil: evil}}}), None)
    )
    commands = re.search(r"`{3,}bash\n(.*?)\n`{3,}", shell, re.DOTALL)[1]
    assert "push_to_hub" not in shell
    script = f"torchrun() {{ :; }}\ncoarsefine() {{ :; }}\n{commands}"
    subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []


def test_settings_that_are_none_are_refused_as_before():
    with pytest.raises(ConfigError, match="unknown key 'endcoder'"):
        settings_of_model({"endcoder": "none"}, "config.json")
    assert settings_of_model({}, "config.json") == Settings()
