"""A training by processes of Ray: the weights of as many by torchrun, and one that is lost costs no epoch."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.numpy import load_file
from test_joint import command, files

ROOT = Path(__file__).parents[3]
BY_RAY = ("--engine", "ray", "--processes", "2")
LAUNCHER = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone")
NOISE = 1e-5
pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path):
    """That of a command, with a home of its own, where Ray keeps its token."""
    pytest.importorskip("ray")
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(tmp_path / "home")}


def done(words, environment):
    ended = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended


def differences(one, other):
    """The largest difference of each tensor of two models, those of their encoders included."""
    for file in ("model.safetensors", "encoder/model.safetensors"):
        first, second = load_file(one / file), load_file(other / file)
        assert first.keys() == second.keys()
        yield from (abs(first[name].astype(float) - second[name]).max(initial=0) for name in first)


def test_ray_agrees_with_torchrun(english, tiny_encoder, tmp_path, environment):
    files(english, tmp_path)
    done([*LAUNCHER, *command(tmp_path, tiny_encoder, tmp_path / "torchrun")], environment)
    told = done([*command(tmp_path, tiny_encoder, tmp_path / "ray"), *BY_RAY], environment)
    assert told.stdout.count("Evaluation on") == 1
    assert told.stderr.count("epoch 2 of 2") == 1  # what the first process says
    assert max(differences(tmp_path / "torchrun", tmp_path / "ray")) < NOISE


def test_a_lost_process_goes_on_from_the_last_checkpoint(english, tiny_encoder, tmp_path, environment):
    files(english, tmp_path)
    whole, lost = (command(tmp_path, tiny_encoder, tmp_path / n, num_train_epochs=12) for n in ("whole", "lost"))
    done([*LAUNCHER, *whole], environment)
    begun = [sys.executable, *lost, *BY_RAY]
    with subprocess.Popen(
        begun, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        while not any((tmp_path / "lost.run").glob("joint-*/checkpoint-*/whole.sha256")):
            assert process.poll() is None, "it ended before a process of it could be killed"
            time.sleep(0.02)
        children = psutil.Process(process.pid).children(recursive=True)
        members = [child for child in children if "RayTrainWorker" in " ".join(child.cmdline())]
        members[-1].kill()
        told = process.communicate(timeout=600)[1]
    assert process.returncode == 0, told[-3000:]
    assert "all are begun again" in told
    assert "training goes on from checkpoint-" in told
    assert max(differences(tmp_path / "whole", tmp_path / "lost")) < NOISE
