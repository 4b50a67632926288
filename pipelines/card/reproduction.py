"""How a model is made again: the command or the Python lines, the versions, and the fingerprint to expect.

The record may come from a stranger's model, and these lines are there to be copied: each value is quoted for the shell
or written as Python's literal, and what acts beyond the model is left out.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hierarchy.disk.paths import for_others
from hierarchy.text.escaping import markdown_block
from pipelines.config import WORDS, Config, Data, taken_as_text
from pipelines.evaluation.comparison import SVM
from pipelines.model.artifact.saved_settings import describing
from pipelines.model.record import CUT, SET_ASIDE, Record, with_sources
from pipelines.settings import MACHINE, Settings

if TYPE_CHECKING:
    from pipelines.model.model import Model

AGAIN = "again"  # folder of the model that the commands make
PROMISED = ("precision", "delta", "coverage", "false_alarms", "cascade")  # of numbers, as `calibrate` takes them
PLAIN = re.compile(r"[A-Za-z_./][\w./@+-]*")  # what YAML takes for text without quotes
# Keys of `data` that the calibrate command reads.
CALIBRATE = {"text", "label", "group", "quoting", "delimiter", "encoding", "calibration_split"}


def reproduction(model: "Model", metrics: Mapping[str, Any] | None) -> list[str]:
    """Return the lines that make the model again, as a block of code in Markdown.

    Parameters
    ----------
    model
        With its record. Of a model that was refitted they make what it was before.
    metrics
        A report as a dict; tells whether baselines were fitted.
    """
    if "config" in model.record:
        return markdown_block(list(_commands(model.record, metrics)), "bash")
    return markdown_block(_python(model), "python")


def expected_fingerprint(record: Record) -> str:
    """Return the fingerprint of the run that the lines repeat: the training, before any refit."""
    refits = record.get("refits")
    return str(refits[0]["before"] if refits else record["fingerprint"])


def given(config: Config) -> dict[str, Any]:
    """Return what of a config names taxonomy and documents, as the record keeps it; defaults are left out."""
    data = config.data.model_dump(mode="json", exclude_defaults=True)
    return {
        "taxonomy": None if config.taxonomy is None else for_others(config.taxonomy),
        "data": {name: _for_others(value) for name, value in data.items()},
    }


def _for_others(value: Any) -> Any:
    if isinstance(value, list):
        return [*map(_for_others, value)]
    return for_others(value) if isinstance(value, str) else value


def with_calibration(record: Record, file: str, cascade: str | None, data: Data) -> Record:
    """Add the file that `coarsefine calibrate` was given, that of its cascade if any, and how they were read."""
    record = with_sources(record, {"calibration": file, **({} if cascade is None else {"cascade": cascade})})
    if "config" not in record:  # trained in Python
        return record
    read = data.model_dump(mode="json", exclude_defaults=True, include=CALIBRATE)
    return {**record, "config": {**record["config"], "calibrate": read}}


def _commands(record: Record, metrics: Mapping[str, Any] | None) -> Iterator[str]:
    data = record["config"]["data"]
    processes = record["hardware"]["processes"]
    start = "coarsefine" if processes == 1 else f"torchrun --nproc_per_node {shlex.quote(str(processes))} -m coarsefine"
    bare = " --no-baselines" if metrics is not None and SVM not in metrics["baselines"] else ""
    settings = [*_settings(record), f"output={AGAIN}"]
    yield " \\\n    ".join([f"{start} train{bare}", *(f"--set {shlex.quote(setting)}" for setting in settings)])
    promised = _promised(record)
    if promised is not None and data.get("calibration") is None:
        if "calibration" not in record.get("sources", {}):
            yield "# then calibrated in Python, on the calibration documents named under Data"
            return
        source = record["sources"]["calibration"]
        options = [f"--{name.replace('_', '-')} {shlex.quote(str(promised[name]))}" for name in PROMISED
                   if promised.get(name) is not None]  # fmt: skip
        of_cascade = record["sources"].get("cascade", SET_ASIDE)
        options += [f"--cascade-data {shlex.quote(of_cascade)}"] if of_cascade != SET_ASIDE else []
        options += ["--by-group"] if promised["by_group"] else []
        options += [f"--{name} {shlex.quote(str(record['settings'][name]))}" for name in ("routing", "beam")]
        read = record["config"].get("calibrate", {})
        options += [f"--set {shlex.quote(_setting(f'data.{name}', value))}" for name, value in read.items()]
        yield " ".join([f"coarsefine calibrate {AGAIN} {shlex.quote(source)} -o {AGAIN}", *options])


def _settings(record: Record) -> Iterator[str]:
    """Every setting that is not its default, as ``--set`` takes it."""
    config = record["config"]
    if config.get("taxonomy") is not None:
        yield _setting("taxonomy", config["taxonomy"])
    for name, value in config["data"].items():
        if _promised(record) or not name.startswith("calibration"):
            yield _setting(f"data.{name}", value)
    for name, value in _changed(record).items():
        if name == "training":
            yield from (_setting(f"classifier.training.{key}", inner) for key, inner in value.items())
        else:
            yield _setting(f"classifier.{name}", value)


def _promised(record: Record) -> dict[str, Any] | None:
    """Return what the model was asked to promise before any refit, which ends promises; None where nothing was."""
    return None if record.get("refits") else record.get("promised")


def _changed(record: Record) -> dict[str, Any]:
    """Return the settings that are not their default and that describe a model."""
    defaults = Settings.model_validate({}).model_dump(mode="json")
    settings = {name: value for name, value in record["settings"].items() if name in defaults.keys() - MACHINE}
    settings["training"] = describing(record["settings"].get("training", {}))
    return {name: value for name, value in settings.items() if value != defaults[name]}


def _setting(key: str, value: Any) -> str:
    plain = isinstance(value, str) and value not in WORDS and PLAIN.fullmatch(value)
    if plain or (isinstance(value, str) and taken_as_text(key, value)):
        return f"{key}={value}"
    # JSON is YAML too; what looks like a list and is one text stands in a list of its own.
    one_of_list = isinstance(value, str) and taken_as_text(key, "text")
    return f"{key}={json.dumps([value] if one_of_list else value, ensure_ascii=False)}"


def _python(model: "Model") -> list[str]:
    record = model.record
    with_tree = record["fingerprints"]["taxonomy"] is not None
    tree = ['taxonomy = Taxonomy.from_yaml("taxonomy.yaml")  # of this folder'] if with_tree else []
    settings = [f"    {name}={value!r}," for name, value in _changed(record).items()]
    cut = record.get("sources", {}).get("valid") == CUT
    arguments = ["texts", "labels", *([] if cut else ["validation=(valid_texts, valid_labels)"])]
    lines = [
        f"from coarsefine import HierarchicalClassifier{', Taxonomy' if with_tree else ''}",
        "",
        *tree,
        "clf = HierarchicalClassifier(",
        *(["    taxonomy,"] if with_tree else []),
        *settings,
        ")",
        f"clf.fit({', '.join(arguments)})  # the documents named under Data",
    ]
    promised = _promised(record)
    if promised is not None:
        asked = [f"{name}={promised[name]!r}" for name in (*PROMISED, "by_group") if name in promised]
        if "cascade" in promised and record.get("sources", {}).get("cascade") != SET_ASIDE:
            asked.append("cascade_data=(cascade_texts, cascade_labels)")
        lines.append(f"clf.calibrate(calibration_texts, calibration_labels, {', '.join(asked)})")
    return [*lines, f'assert clf.model_.record["fingerprint"] == {json.dumps(expected_fingerprint(record))}']
