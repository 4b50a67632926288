"""What libraries print stays away from a person's terminal and from the output of a program that uses ours."""

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny import TINY

ROOT = Path(__file__).parents[2]
# Of the Trainer's dictionaries, of the bars of datasets and transformers, and of transformers' reports on weights.
THEIRS = (
    "{'",
    "eval_",
    "train_runtime",
    "Generating",
    "split:",
    "Loading weights",
    "Writing model",
    "LOAD REPORT",
    "Map:",
    "UserWarning",
)
PROGRAM = """
import sys
from pipelines import HierarchicalClassifier
from pipelines.data.reading import read_documents

table, more, encoder = sys.argv[1:]
train, valid = read_documents(table), read_documents(more)
classifier = HierarchicalClassifier(encoder=encoder, **SETTINGS)
classifier.fit(train["text"][:], train["label"][:], validation=(valid["text"][:], valid["label"][:]))
classifier.predict(valid["text"][:4])
"""


@pytest.fixture(scope="module")
def files(english, tmp_path_factory):
    """Train.csv and valid.parquet."""
    folder = tmp_path_factory.mktemp("printing")
    lines = [f"{text},{label}\n" for text, label in zip(*english.train, strict=True)]
    (folder / "train.csv").write_text("text,label\n" + "".join(lines), encoding="utf-8")
    pq.write_table(pa.table(dict(zip(("text", "label"), english.valid, strict=True))), folder / "valid.parquet")
    return folder


def on_a_terminal(*arguments, cwd):
    """Run a program whose stdout and stderr are terminals; return what each shows."""
    ends = [pty.openpty() for _ in range(2)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HOME": str(cwd / "cache"), "COLUMNS": "200"}
    command = [sys.executable, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=ends[0][1], stderr=ends[1][1], env=environment, cwd=cwd)
    shown = [bytearray(), bytearray()]

    def read(place):
        try:
            while part := os.read(ends[place][0], 2**16):
                shown[place] += part
        except OSError:  # how a terminal ends
            pass

    threads = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    for thread, (_, program_end) in zip(threads, ends, strict=True):
        os.close(program_end)
        thread.start()
    code = process.wait(timeout=300)
    for thread, (end, _) in zip(threads, ends, strict=True):
        thread.join()
        os.close(end)
    out, err = (part.decode() for part in shown)
    assert code == 0, err
    return out, err


@pytest.mark.parametrize("mode", ["chained", pytest.param("joint", marks=pytest.mark.slow)])
def test_a_program_that_trains_and_reads_prints_nothing(files, tiny_encoder, tmp_path, mode):
    settings = {**TINY, "mode": mode, "trainable": "all", "run_dir": str(tmp_path / "run")}
    program = PROGRAM.replace("SETTINGS", repr(settings))
    out, err = on_a_terminal("-c", program, files / "train.csv", files / "valid.parquet", tiny_encoder, cwd=tmp_path)
    assert out == ""
    assert [word for word in THEIRS if word in err] == []


def test_the_command_shows_its_own_lines_alone(files, tiny_encoder, tmp_path):
    settings = {"classifier.encoder": tiny_encoder, "classifier.trainable": "all", "output": tmp_path / "model",
                "data.train": files / "train.csv", "data.valid": files / "valid.parquet"}  # fmt: skip
    settings |= {f"classifier.{name}": value for name, value in TINY.items() if name != "training"}
    settings |= {f"classifier.training.{name}": value for name, value in TINY["training"].items()}
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    out, err = on_a_terminal("-m", "pipelines.cli", "train", "--no-baselines", *options, cwd=tmp_path)
    assert "Evaluation on" in out
    assert "on validation data" in err
    assert [word for word in THEIRS if word in out + err] == []
