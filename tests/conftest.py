"""What the tests share: tiny encoders and small corpora made on the spot, and classifiers trained once a session.

Nothing is downloaded. An encoder has random weights, so its vectors are little more than bags of words; that is enough
to tell these documents apart and to hold every property that a real encoder must hold.
"""

import copy
import gc
import json
import os
import string
import subprocess
import sys

# Before any library starts its threads: tiny matrices are slower on several, and the machine has other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from filelock import FileLock
from tiny import TINY, save_tiny_bert

from hierarchy.nodes import Group, Label
from hierarchy.taxonomy import Taxonomy

hypothesis.settings.register_profile("untimed", deadline=None)  # other work may slow any one example down
hypothesis.settings.load_profile("untimed")
pytest_plugins = ["label_fixtures", "worker_ends"]
PER_LABEL = 25
# An ending makes a word new to the n-grams, while the tokenizer still sees its stem: each expert knows something.
ENDINGS = ["", "s", "ed", "ing", "er", "y", "less", "ful", "ish", "like", "proof", "wise"]
FILLER = [
    "the", "a", "of", "to", "we", "it", "was", "that", "order", "please", "today", "again", "about", "with", "from",
    "this", "would", "they", "have", "been",
]  # fmt: skip
ENGLISH = {
    "kitchen": {
        "kettles": "kettle boil water steam spout lid",
        "toasters": "toaster bread slice crumb brown lever",
        "blenders": "blender smoothie blade jug crush fruit",
        "fridges": "fridge shelf cold freezer door ice",
    },
    "garden": {
        "mowers": "mower lawn grass cut petrol stripe",
        "hoses": "hose tap nozzle spray reel leak",
        "seeds": "seed sow soil sprout row spring",
        "fences": "fence panel post paint nail gate",
    },
    "office": {
        "printers": "printer ink paper jam toner page",
        "chairs": "chair seat back arm wheel tilt",
        "desks": "desk drawer leg height surface cable",
        "lamps": "lamp bulb light shade switch dim",
    },
}
CHINESE = {
    "家电": {"冰箱": "冷藏冻室制霜", "空调": "温度风热外机", "电视": "屏幕频道遥控"},
    "交通": {"地铁": "站台线路换乘", "公交": "车票司机班次", "飞机": "航班登行李延"},
    "饮食": {"面条": "汤碗拉葱牛肉", "水果": "苹果甜香蕉梨", "茶叶": "泡绿红壶杯味"},
}
CHINESE_FILLER = "的了是在我有和就不人都一个上也很到说要去你会着没看好自己这"


@dataclass(frozen=True)
class Corpus:
    """Documents of a small tree, cut into training, validation and test."""

    taxonomy: Taxonomy
    train: tuple[list[str], list[str]]
    valid: tuple[list[str], list[str]]
    test: tuple[list[str], list[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the pages' examples: some take a minute, in which another worker would have nothing left to do."""
    items.sort(key=lambda item: item.path.name != "test_examples.py")


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """Leave out what only a power cut would tell; a disk takes milliseconds for each of thousands of files."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _little_to_collect() -> Iterator[None]:
    """Leave what is loaded by now out of the garbage collection that Trainer asks for after each training."""
    import stages.training.trainer  # noqa: F401 - so that its libraries are loaded

    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def english() -> Corpus:
    return _corpus(
        {g: {k: v.split() for k, v in labels.items()} for g, labels in ENGLISH.items()}, FILLER, " ", ENDINGS
    )


@pytest.fixture(scope="session")
def chinese() -> Corpus:
    return _corpus(
        {g: {k: list(v) for k, v in labels.items()} for g, labels in CHINESE.items()}, CHINESE_FILLER, "", [""]
    )


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory, english: Corpus) -> str:
    """Folder of a BERT whose tokens are the words of the English corpus, their endings, and letters for all others.

    Not a trained WordPiece: among equals its trainer takes another one in each process.
    """
    names = [word for name in _names(english.taxonomy) for word in name.lower().split()]
    stems = [*FILLER, *(word for labels in ENGLISH.values() for own in labels.values() for word in own.split())]
    letters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = [*letters, *ENDINGS[1:]]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *letters, *(f"##{piece}" for piece in pieces), *stems, *names]
    return save_tiny_bert(list(dict.fromkeys(vocabulary)), tmp_path_factory.mktemp("tiny") / "encoder")


@pytest.fixture(scope="session")
def wide_encoder(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str) -> str:
    """Another encoder with the same vocabulary and more dimensions."""
    lines = (Path(tiny_encoder) / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return save_tiny_bert(lines, tmp_path_factory.mktemp("wide") / "encoder", hidden=48)


@pytest.fixture(scope="session")
def chinese_encoder(tmp_path_factory: pytest.TempPathFactory, chinese: Corpus) -> str:
    """Folder of a BERT whose tokens are single Chinese characters."""
    characters = sorted({c for text in (*chinese.train[0], *_names(chinese.taxonomy)) for c in text if not c.isspace()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    return save_tiny_bert(vocabulary, tmp_path_factory.mktemp("chinese") / "encoder")


@pytest.fixture(scope="session")
def tiny_classifier(tiny_encoder: str, english: Corpus) -> Callable[..., Any]:
    """Make an unfitted classifier around the tiny encoder; keyword arguments go over the defaults of the tests."""

    def make(taxonomy: Taxonomy | None = english.taxonomy, **settings: Any) -> Any:
        from pipelines.classifier import HierarchicalClassifier

        ours = {"n_jobs": TINY["n_jobs"]} if settings.get("encoder") == "none" else TINY
        return HierarchicalClassifier(taxonomy, **{"encoder": tiny_encoder, **ours, **settings})

    return make


@pytest.fixture(scope="session")
def fitted(tiny_classifier: Callable[..., Any], english: Corpus) -> Any:
    """A classifier with both experts. Tests do not change it: they copy it."""
    long_enough = {**TINY["training"], "num_train_epochs": 10}  # for the coarse model to have a voice
    return tiny_classifier(training=long_enough).fit(*english.train, validation=english.valid)


@pytest.fixture(scope="session")
def cascaded(fitted: Any, english: Corpus) -> Any:
    """`fitted`, calibrated with a cascade in which n-grams answer a part. Tests do not change it: they copy it."""
    texts, labels = (part * 20 for part in english.test)  # enough to choose the cascade
    return copy.copy(fitted).calibrate(texts, labels, cascade=2.0, precision=0.6, delta=0.2, coverage=0.8)


@pytest.fixture(scope="session")
def fitted_lexical(english: Corpus) -> Any:
    """A classifier of n-grams alone. Tests do not change it: they copy it."""
    from pipelines.classifier import HierarchicalClassifier

    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    return classifier.fit(*english.train, validation=english.valid)


@pytest.fixture(scope="session")
def saved(fitted: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`fitted` as a folder. Tests that damage it copy it first."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    fitted.save_pretrained(folder)
    return folder


# Every way into the network, that of a fork too, is told and closed; so is what would send something.
WITHOUT_NETWORK = """
import os, sys
import socket
def refuse(*_, **__):
    os.write(2, b"THE NETWORK WAS ASKED FOR")
    raise OSError("no network")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
os.register_at_fork(before=lambda: os.write(2, b"A PROCESS WAS FORKED") if "openvino" in sys.modules else None)
from pipelines.cli.app import main
try:
    main()
finally:
    if sys.modules.get("openvino_telemetry") is not None:
        os.write(2, b"TELEMETRY IS LOADED")
"""
TOLD = ("THE NETWORK WAS ASKED FOR", "A PROCESS WAS FORKED", "TELEMETRY IS LOADED")


@pytest.fixture(scope="session")
def without_network() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a command in a process of its own, which must end well and ask for no network."""

    def run(*command: Any) -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, "-c", WITHOUT_NETWORK, *map(str, command)]
        env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert not [told for told in TOLD if told in done.stderr], done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def exported(
    saved: Path, english: Corpus, without_network: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Export `saved` by the command, a process of its own; return what it printed, and the folder that it wrote.

    It takes half a minute, so that all workers of a test run share it.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "exported"
    folder.mkdir(exist_ok=True)
    printed = folder / "printed.txt"
    with FileLock(folder / "lock"):
        if not printed.exists():
            valid = [json.dumps({"text": text, "label": label}) for text, label in zip(*english.valid, strict=True)]
            (folder / "valid.jsonl").write_text("\n".join(valid), encoding="utf-8")
            done = without_network(
                "export", saved, folder / "valid.jsonl", "-o", folder / "model", "--dtype", "int8", "--tolerance", "5"
            )
            printed.write_text(done.stdout + done.stderr, encoding="utf-8")
    return printed.read_text(encoding="utf-8"), folder / "model"


@pytest.fixture(scope="session")
def home_of_ray(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where Ray keeps its token: one place for all that this process begins, which reads it once."""
    pytest.importorskip("ray")
    return str(tmp_path_factory.mktemp("home"))


@pytest.fixture
def lengths(english: Corpus) -> list[str]:
    """Sixty-four documents of very different length: none, one word, thousands."""
    texts = [*english.test[0], *english.valid[0]][:58]
    long = " ".join(english.train[0])
    return ["", "kettle", *texts[:29], long[:12_000], "   ", *texts[29:], long[5_000:8_000], "printer ink " * 150]


def _corpus(tree: dict[str, dict[str, list[str]]], filler: Sequence[str], space: str, endings: list[str]) -> Corpus:
    rng = np.random.default_rng(0)
    groups = tuple(
        Group(id=group, name=group, labels=tuple(Label(id=name, name=name) for name in labels))
        for group, labels in tree.items()
    )
    parts: dict[str, tuple[list[str], list[str]]] = {"train": ([], []), "valid": ([], []), "test": ([], [])}
    others = [word for labels in tree.values() for words in labels.values() for word in words]
    for labels in tree.values():
        for label, own in labels.items():
            for number in range(PER_LABEL):
                length = int(rng.integers(60, 200)) if number % 4 == 0 else int(rng.integers(6, 25))
                words = rng.choice(filler if isinstance(filler, list) else list(filler), length).tolist()
                for place in rng.choice(length, max(3, length // 4), replace=False):
                    # One telling word in four speaks of some other label: no expert is right every time.
                    word = str(rng.choice(own if rng.random() < 0.75 else others))
                    words[int(place)] = word + str(rng.choice(endings))
                part = "train" if number < 17 else "valid" if number < 21 else "test"
                parts[part][0].append(space.join(words))
                parts[part][1].append(label)
    return Corpus(Taxonomy(groups), **parts)


def _names(taxonomy: Taxonomy) -> Iterable[str]:
    return [*(group.name for group in taxonomy.groups), *(label.name for label in taxonomy.labels)]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command inside this process; the log is left to pytest."""
    from typer.testing import CliRunner

    from pipelines.cli import console
    from pipelines.cli.app import app

    monkeypatch.setattr(console, "set_up_log", lambda: None)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A hub of this test's own, reached although all tests run offline; nothing is left in any cache."""
    from hub_server import TOKEN, running_hub
    from huggingface_hub import constants

    with running_hub() as server:
        # The library reads its environment once, when it is imported, and looks at these ever after.
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
