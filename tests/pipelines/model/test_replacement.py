"""A model's folder as a place to write to: checked before the work, kept for one process, and shared with others."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from safetensors import SafetensorError

from hierarchy.disk import whole_folders as folders
from hierarchy.disk.locks import held
from hierarchy.errors import ArtifactError, BusyError, CoarsefineError
from pipelines.classifier import HierarchicalClassifier
from pipelines.model.artifact import loading
from pipelines.model.artifact.hub import push_folder
from pipelines.model.artifact.replacement import check_replaceable, foreign, model_place
from stages.run_folder import run_place

HOLDER = (
    "import sys, time; from pathlib import Path; from stages.run_folder import run_place\n"
    "from pipelines.model.artifact.replacement import model_place\n"
    "with globals()[sys.argv[1]](Path(sys.argv[2])): print(flush=True); time.sleep(60)"
)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def model(fitted_lexical, tmp_path):
    fitted_lexical.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def holder():
    """Start a process that holds a place, and end it like a kill would."""
    started = []

    def start(kind, folder):
        process = subprocess.Popen([sys.executable, "-c", HOLDER, kind, str(folder)], cwd=ROOT, stdout=subprocess.PIPE)
        started.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def sized(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# What is not the model's ----------------------------------------------------------------------------------------------


def test_what_is_not_the_models_stays_and_what_was_its_own_goes(fitted_lexical, saved, tmp_path):
    model = Path(shutil.copytree(saved, tmp_path / "model"))
    for name in (".git/HEAD", ".gitattributes", "notes.txt", "figures/a/b.png", "CONFIG.json", "LICENSE"):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text("mine", encoding="utf-8")
    (model / "data").symlink_to(tmp_path)
    (model / "none").mkdir()
    fitted_lexical.save_pretrained(model)
    assert not (model / "encoder").exists()
    for name in (".git/HEAD", ".gitattributes", "notes.txt", "figures/a/b.png", "CONFIG.json", "LICENSE"):
        assert (model / name).read_text(encoding="utf-8") == "mine"
    assert (model / "data").readlink() == tmp_path
    assert (model / "none").is_dir()
    assert HierarchicalClassifier.from_pretrained(model).encoder == "none"
    listed = json.loads((model / "manifest.json").read_text(encoding="utf-8"))["sha256"]
    assert "notes.txt" not in listed
    assert "notes.txt" in map(str, foreign(model))
    assert list(tmp_path.iterdir()) == [model]


@pytest.mark.parametrize("name", ["promises.json", "encoder/notes.txt", "encoder_pretrained/config.json"])
def test_what_bears_a_name_that_a_model_needs_is_refused_before_the_work(model, fitted_lexical, name):
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_text("mine", encoding="utf-8")
    before = sized(model)
    for work in (lambda: check_replaceable(model), lambda: fitted_lexical.save_pretrained(model)):
        with pytest.raises(ArtifactError, match=rf"{name}' is not the model's \(manifest.json does not name it\)"):
            work()
    assert sized(model) == before


@pytest.mark.parametrize("name", ["encoder", "encoder/data", "promises.json"])
def test_a_link_of_others_is_not_lost_to_a_model(model, fitted_lexical, tmp_path, name):
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).symlink_to(tmp_path)
    with pytest.raises(ArtifactError, match=rf"{name}' is not the model's"):
        fitted_lexical.save_pretrained(model)
    assert (model / name).readlink() == tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="no such files")
@pytest.mark.parametrize("make", [lambda p: os.mkfifo(p, 0o600), lambda p: p.symlink_to("/dev/zero"), Path.mkdir])
def test_a_manifest_that_never_ends_is_not_read(model, make):
    (model / "manifest.json").unlink()
    make(model / "manifest.json")
    with pytest.raises(ArtifactError, match=r"manifest\.json' is not of a model, or damaged.* name a new folder"):
        check_replaceable(model)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"null", b"7", b'{"sha256": 7}', b'{"sha256": ["a", "b"]}', b"\xff", b'{"name": "app"}'],
)
def test_where_nothing_tells_what_is_the_models_all_stays(model, fitted_lexical, content):
    (model / "manifest.json").write_bytes(content)
    before = sized(model)
    with pytest.raises(ArtifactError, match=r"manifest\.json' is not of a model, or damaged.* name a new folder"):
        fitted_lexical.save_pretrained(model)
    assert sized(model) == before


def test_a_manifest_from_elsewhere_cannot_claim_what_is_not_a_models(model, fitted_lexical, tmp_path):
    (model / ".git").mkdir()
    (tmp_path / "victim").write_text("mine", encoding="utf-8")
    names = [model / ".git" / "HEAD", model / "notes.txt", tmp_path / "victim"]
    for name in names:
        name.write_text("mine", encoding="utf-8")
    manifest = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"] |= dict.fromkeys((".git/HEAD", "notes.txt", "../victim", str(tmp_path / "victim"), ".git"), "0")
    (model / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    fitted_lexical.save_pretrained(model)
    assert {name.read_text(encoding="utf-8") for name in names} == {"mine"}


def test_a_model_of_an_older_format_is_replaced(model, fitted_lexical):
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(json.dumps({**config, "format_version": 1}), encoding="utf-8")
    (model / "run.json").unlink()
    fitted_lexical.save_pretrained(model)
    assert HierarchicalClassifier.from_pretrained(model).encoder == "none"


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), SafetensorError("I/O error: ... (os error 28)")]
)
def test_a_full_disk_in_the_middle_leaves_the_earlier_model(model, fitted_lexical, monkeypatch, error):
    (model / "notes.txt").write_text("mine", encoding="utf-8")
    before = sized(model)

    def fails(*_, **__):
        raise error

    monkeypatch.setattr("safetensors.numpy.save_file", fails)
    monkeypatch.setattr("safetensors.numpy.save", fails)
    with pytest.raises(ArtifactError, match=r"cannot be written \(No space left on device\): free some space"):
        fitted_lexical.save_pretrained(model)
    assert sized(model) == before
    assert list(model.parent.iterdir()) == [model]


# Before the work ------------------------------------------------------------------------------------------------------


def test_the_current_folder_and_what_holds_it_are_refused(model, fitted_lexical, monkeypatch):
    monkeypatch.chdir(model)
    for place in (".", "", "..", str(model), model.parent):
        with pytest.raises(CoarsefineError, match=r"current folder, which cannot be replaced"):
            fitted_lexical.save_pretrained(place)


def test_links_lead_to_the_folder_that_is_replaced(model, fitted_lexical, tmp_path):
    (tmp_path / "to").symlink_to("model")
    (tmp_path / "gone").symlink_to("nowhere")
    (model / "config.json").write_text("{}", encoding="utf-8")
    fitted_lexical.save_pretrained(tmp_path / "to")
    assert (tmp_path / "to").readlink() == Path("model")
    assert HierarchicalClassifier.from_pretrained(model).encoder == "none"
    with pytest.raises(ArtifactError, match=r"is a link to .*nowhere', which is not there: make that folder"):
        fitted_lexical.save_pretrained(tmp_path / "gone")


@pytest.mark.parametrize("use", ["load", "load by link", "push", "save", "check"])
def test_a_model_that_a_kill_left_aside_is_put_back(model, fitted_lexical, tmp_path, use):
    (tmp_path / "link").symlink_to("model")
    model.rename(folders._set_aside(model))
    if use.startswith("load"):
        HierarchicalClassifier.from_pretrained(model if use == "load" else tmp_path / "link")
    elif use == "push":
        with pytest.raises(ArtifactError, match="is no name on the hub"):
            push_folder(model, "@")
    elif use == "save":
        fitted_lexical.save_pretrained(model)
    else:
        check_replaceable(model)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "model"]


def test_a_save_while_a_model_is_read_is_no_damage(model, fitted_lexical, monkeypatch):
    check, checked = loading.check_manifest, []

    def then_saved(folder):
        listed = check(folder)
        if not checked:
            fitted_lexical.save_pretrained(folder)
        checked.append(listed)
        return listed

    monkeypatch.setattr(loading, "check_manifest", then_saved)
    assert HierarchicalClassifier.from_pretrained(model).encoder == "none"
    assert len(checked) == 2


@pytest.mark.parametrize("name", ["documents", "vectors/m", "rows-1", "tune-0", "folds-x/m", "joint-a", "chained-b"])
def test_a_model_does_not_lie_in_what_a_run_folder_keeps(cli, model, tmp_path, name):
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": "b"}', encoding="utf-8")
    out = tmp_path / "run" / name
    data = ["--set", f"data.train={tmp_path / 'train.jsonl'}", "--set", f"run_dir={tmp_path / 'run'}"]
    for command in (
        ["train", *data, "--set", f"output={out}"],
        ["refit", model, *data, "--groups", "kitchen", "-o", out],
    ):
        done = cli(*command)
        assert (done.exit_code, "keeps for itself" in " ".join(done.stderr.split())) == (2, True), done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["model", "model/run", "link/run", "model/../model/deep/run"])
def test_a_run_folder_does_not_lie_in_the_model(cli, model, tmp_path, place):
    (tmp_path / "link").symlink_to("model")
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": "b"}', encoding="utf-8")
    data = ["--set", f"data.train={tmp_path / 'train.jsonl'}", "--set", f"run_dir={tmp_path / place}"]
    for command in (
        ["train", *data, "--set", f"output={model}"],
        ["refit", model, *data, "--groups", "kitchen", "-o", model],
    ):
        done = cli(*command)
        assert done.exit_code == 2
        assert "empty" not in done.stderr
        assert "delete" not in done.stderr
    assert not (model / "run").exists()


# One at a time --------------------------------------------------------------------------------------------------------


def test_two_processes_do_not_write_one_model(model, fitted_lexical, holder, tmp_path):
    (tmp_path / "link").symlink_to("model")
    other = holder("model_place", tmp_path / "link")
    with pytest.raises(BusyError, match=rf"process {other.pid} .* is writing .*model'"):
        fitted_lexical.save_pretrained(model)
    HierarchicalClassifier.from_pretrained(model)  # reading is free
    other.kill()
    other.wait()
    fitted_lexical.save_pretrained(model)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "model"]


def test_two_processes_do_not_work_in_one_run_folder(english, holder, tmp_path):
    run = tmp_path / "run"
    other = holder("run_place", run)
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, run_dir=str(run))
    with pytest.raises(BusyError, match=rf"process {other.pid} .* is writing .*run'"):
        classifier.fit(*english.train, validation=english.valid)
    other.kill()
    other.wait()
    classifier.fit(*english.train, validation=english.valid)
    assert not (run / ".lock").exists()


def test_the_commands_are_refused_before_the_work(cli, model, english, holder, tmp_path):
    lines = [json.dumps({"text": t, "label": x}) for t, x in zip(*english.train, strict=True)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "space.yaml").write_text("classifier.lexical_C: [1.0, 2.0]\n", encoding="utf-8")
    data = ["--set", f"data.train={tmp_path / 'train.jsonl'}", "--set", "classifier.encoder=none",
            "--set", f"run_dir={tmp_path / 'run'}", "--set", f"output={tmp_path / 'new'}"]  # fmt: skip
    train = ["train", *data]
    runs = [train, ["cross-validate", *data, "-o", tmp_path / "o.parquet"], ["label-errors", *data, "-o", "x.csv"],
            ["tune", tmp_path / "space.yaml", *data, "-o", tmp_path / "tuned"]]  # fmt: skip
    models = [train, ["calibrate", model, tmp_path / "train.jsonl", "-o", tmp_path / "new"],
              ["refit", model, *data, "--groups", "kitchen", "-o", tmp_path / "new"]]  # fmt: skip
    for kind, place, commands in (("run_place", "run", runs), ("model_place", "new", models)):
        process = holder(kind, tmp_path / place)
        for command in commands:
            done = cli(*command)
            assert (done.exit_code, "is writing" in done.output + done.stderr) == (2, True), (command, done.output)
        process.kill()
        process.wait()
    with held(tmp_path / "o.parquet"):
        assert "o.parquet' at this moment" in cli(*runs[1]).stderr.replace("\n", " ")
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "run" / "documents").exists()


def test_calls_within_a_call_share_its_places_and_other_threads_do_not(tmp_path):
    told = []

    def elsewhere():
        for place in (model_place(tmp_path / "model"), run_place(tmp_path / "run")):
            with pytest.raises(BusyError, match="this process") as caught, place:
                pass
            told.append(caught.value)

    for _ in range(2):
        with model_place(tmp_path / "model"), run_place(tmp_path / "run"):
            with model_place(tmp_path / "model"), run_place(tmp_path / "run" / ".." / "run"):
                pass
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
    assert len(told) == 4
    assert list(tmp_path.iterdir()) == []


def test_of_processes_that_train_together_the_first_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with model_place(tmp_path / "model"), run_place(tmp_path / "run"):
        monkeypatch.setenv("RANK", "0")
        with model_place(tmp_path / "model"), run_place(tmp_path / "run"):
            pass


def test_without_locks_the_work_of_others_is_no_left_over(fitted_lexical, tmp_path, monkeypatch):
    import hierarchy.disk.locks

    monkeypatch.setattr(hierarchy.disk.locks, "lock", lambda handle: None)
    others = tmp_path / f".model.{'0' * 16}.part"
    others.mkdir()
    fitted_lexical.save_pretrained(tmp_path / "model")
    assert others.is_dir()
    monkeypatch.undo()
    fitted_lexical.save_pretrained(tmp_path / "model")
    assert not others.exists()
