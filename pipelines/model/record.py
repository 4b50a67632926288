"""The record of a run, kept with the model as ``run.json``: what went in, on what it ran, how it went.

The fingerprint stands for all that decides the result: settings, documents with their labels, taxonomy, encoder. What
cannot change the result (device, processes that fit rows, folders) is not in it, and neither are versions and hardware:
two runs of one config on one data set have one fingerprint everywhere, and versions and hardware stand beside it.
"""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from hierarchy.disk.paths import for_others
from hierarchy.taxonomy import Taxonomy
from pipelines.data.documents import Documents
from pipelines.data.splits import fingerprint
from pipelines.model.artifact.saved_settings import description
from pipelines.promises.promises import Promises
from pipelines.settings import Settings
from stages.machine import n_processes

FORMAT = "coarsefine/run/1"
PACKAGES = ("coarsefine", "numpy", "scikit-learn", "torch", "transformers")
DECIDES_EXPORT = ("runtime", "dtype", "versions", "fingerprint")
CUT = "a tenth of the documents given to fit"  # the source of validation documents that `fit` cuts
SET_ASIDE = "half of the documents given to calibrate"  # the source of cascade documents that `calibrate` sets aside
CALIBRATED = ("calibration", "cascade")  # roles of documents that `calibrate` takes
MB = 1_000_000
Record = dict[str, Any]


def run_record(
    settings: Settings,
    taxonomy: Taxonomy | None,
    train: Documents,
    valid: Documents,
    *,
    encoder: str | None,
    history: Sequence[Mapping[str, float | None]],
    seconds: Mapping[str, float],
) -> Record:
    """Make the record of a training that has just ended.

    Parameters
    ----------
    settings
        As fitted.
    taxonomy
        As given; None where the groups were built.
    train, valid
        What trained and validated the model.
    encoder
        `stages.coarse.encoder.Encoder.content_fingerprint` of the encoder before training; None without encoder.
    history
        Figures by epoch.
    seconds
        Wall time of each step.
    """
    record = {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "random_state": settings.random_state,
        "documents": {"train": len(train.texts), "valid": len(valid.texts)},
        "fingerprints": {**_fingerprints(taxonomy, train, valid), "encoder": encoder},
        "versions": package_versions(),
        "hardware": hardware(settings.device),
        "peak_memory_mb": peak_memory(),
        "seconds": dict(seconds),
        "history": [dict(figures) for figures in history],
    }
    return _sealed(record, settings)


def with_promises(record: Record, settings: Settings, documents: Documents, promises: Promises) -> Record:
    """Add what was promised, and on which documents; an earlier calibration counts no more."""
    if "config" in record:
        data = {name: value for name, value in record["config"]["data"].items() if not name.startswith("calibration")}
        record = {**record, "config": {**record["config"], "data": data}}
    record = _without(record, CALIBRATED)
    asked = {
        "precision": promises.back_off.precision,
        "delta": promises.back_off.delta,
        "coverage": promises.conformal.coverage,
        "by_group": promises.conformal.groups is not None,
        "false_alarms": None if promises.out_of_scope is None else promises.out_of_scope.false_alarms,
    }
    return _sealed({**_with_role(record, "calibration", documents), "promised": asked}, settings)


def with_cascade(record: Record, settings: Settings, documents: Documents, points: float, *, set_aside: bool) -> Record:
    """Add to a record with promises the cascade that was asked for, and the documents that chose it.

    Parameters
    ----------
    record, settings
        Of the model.
    documents
        That chose the cascade, or showed that there can be none.
    points
        Of accuracy that may be lost.
    set_aside
        Whether they were cut from the calibration documents.
    """
    record = {**_with_role(record, "cascade", documents), "promised": {**record["promised"], "cascade": points}}
    return _sealed(with_sources(record, {"cascade": SET_ASIDE}) if set_aside else record, settings)


def with_refit(
    record: Record, settings: Settings, entry: Mapping[str, Any], taxonomy: Taxonomy, train: Documents,
    valid: Documents | None,
) -> Record:  # fmt: skip
    """Add a refit; promises and test figures were those of the model before.

    Parameters
    ----------
    record, settings
        Of the model before.
    entry
        What changed, figures by epoch and wall time, as `pipelines.training.refit.refit_documents` tells them.
    taxonomy, train, valid
        What it was refitted on.
    """
    kept = _without_figures(record)
    added = {
        **entry,
        "documents": {"train": len(train.texts), "valid": 0 if valid is None else len(valid.texts)},
        "fingerprints": _fingerprints(taxonomy, train, valid),
        "versions": package_versions(),
        "before": _sealed(kept, settings)["fingerprint"],
    }
    return _sealed({**kept, "refits": [*record.get("refits", []), added]}, settings)


def with_export(record: Record, settings: Settings, facts: Mapping[str, Any], documents: Documents) -> Record:
    """Add an export; promises and test figures were those of the model before.

    Parameters
    ----------
    record, settings
        Of the model before.
    facts
        Runtime, dtype, versions, and what the comparison has shown.
    documents
        On which both were compared and the fusion was fitted.
    """
    kept = _without_figures(record)
    own = fingerprint(documents.texts, documents.labels)
    export = {**facts, "documents": len(documents.texts), "fingerprint": own, "before": record["fingerprint"]}
    return _sealed({**kept, "export": export}, settings)


def _without_figures(record: Record) -> Record:
    """Leave out what was promised and measured."""
    kept = {name: value for name, value in record.items() if name not in ("promised", "test_in_training")}
    return _without(kept, (*CALIBRATED, "test"))


def is_last_refit(
    record: Record, changes: Mapping[str, Any], augment: str | None, taxonomy: Taxonomy, train: Documents,
    valid: Documents | None,
) -> bool:  # fmt: skip
    """Whether a model's last refit was this one: it was killed after its work, say, and is asked for again.

    Parameters
    ----------
    record
        Of the model.
    changes
        What the refit would change, as `pipelines.training.refit.refit_documents` tells it.
    augment, taxonomy, train, valid
        What it would be refitted with.
    """
    last = (record.get("refits") or [None])[-1]
    if last is None or changes["coarse"] or any(changes[name] for name in ("added", "removed", "moved")):
        return False
    same = {"fingerprints": _fingerprints(taxonomy, train, valid), "versions": package_versions(), "augment": augment}
    return set(changes["groups"]) <= set(last["groups"]) and all(last.get(name) == same[name] for name in same)


def _fingerprints(taxonomy: Taxonomy | None, train: Documents, valid: Documents | None) -> dict[str, str | None]:
    return {
        "train": fingerprint(train.texts, train.labels),
        "valid": None if valid is None else fingerprint(valid.texts, valid.labels),
        "taxonomy": None if taxonomy is None else _sha256(taxonomy.to_json()),
    }


def with_test(record: Record, documents: Documents, source: str, *, train: Documents) -> Record:
    """Add the documents that the model's figures were measured on; they change no fingerprint.

    Parameters
    ----------
    record
        Of the model.
    documents, source
        The test documents, and where they come from, in words.
    train
        The training documents: how many test documents stand among them is told.
    """
    seen = int(np.isin(documents.keys(), train.keys()).sum())
    return with_sources({**_with_role(record, "test", documents), "test_in_training": seen}, {"test": source})


def with_sources(record: Record, sources: Mapping[str, str]) -> Record:
    """Add where documents come from, by their role, in words."""
    told = {role: for_others(source) for role, source in sources.items()}
    return {**record, "sources": {**record.get("sources", {}), **told}}


def run_fingerprint(record: Record) -> str:
    """Return the SHA-256 of all that decides the result, from nothing but the record.

    Settings as fitted without those of the machine, the encoder by its content and not by its name, the fingerprints of
    documents and taxonomy, what was promised, and what was refitted.
    """
    encoder = record["fingerprints"]["encoder"]
    decisive = {
        "settings": {name: value for name, value in record["settings"].items() if name != "encoder" or not encoder},
        "fingerprints": {name: value for name, value in record["fingerprints"].items() if name != "test"},
        "processes": record["hardware"]["processes"],  # a batch is as many times larger
        "promised": record.get("promised"),
        "refits": [_decisive(refit) for refit in record.get("refits", [])],
        **({"export": {name: record["export"][name] for name in DECIDES_EXPORT}} if "export" in record else {}),
    }
    return _sha256(json.dumps(decisive, sort_keys=True, default=str))


def _decisive(refit: Mapping[str, Any]) -> list[Any]:
    """Return what decides the result of a refit; its other settings are those of the training."""
    return [refit[name] for name in ("groups", "coarse", "fingerprints", "augment") if name in refit]


def package_versions() -> dict[str, str]:
    """Versions of what decides the figures of a model."""
    libraries = {name: library_version(name) or "unknown" for name in PACKAGES}
    return {"python": platform.python_version(), **libraries}


def library_version(name: str) -> str | None:
    """Version of an installed package; None of one that is not, as a checkout of this project may be."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def hardware(device: str | None = None) -> dict[str, Any]:
    """Return processor, cores, memory and GPU of this machine, and how many processes train together.

    Parameters
    ----------
    device
        Torch device that was asked for; None names the GPU where there is one.
    """
    memory = None
    with suppress(AttributeError, ValueError, OSError):  # not every system tells
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MB)
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": memory,
        "gpu": None if device == "cpu" else _gpu(),
        "processes": n_processes(),
    }


def peak_memory() -> dict[str, int]:
    """Return the largest memory so far, in MB.

    ``process``: resident memory of this process since it started, with all that it did before the training;
    ``largest_child``: of the largest of its child processes that have ended; ``gpu``: what torch held on the GPU. The
    first two come from ``getrusage``, which Linux and macOS have; elsewhere they are left out.
    """
    found = {}
    with suppress(ImportError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
        for name, who in (("process", resource.RUSAGE_SELF), ("largest_child", resource.RUSAGE_CHILDREN)):
            found[name] = round(resource.getrusage(who).ru_maxrss * unit / MB)
        found = {name: size for name, size in found.items() if size}  # 0: no child has ended yet
    if _gpu() is not None:
        found["gpu"] = round(sys.modules["torch"].cuda.max_memory_allocated() / MB)
    return found


def _sealed(record: Record, settings: Settings) -> Record:
    """Put the settings and the fingerprint of everything into a record."""
    record = {**record, "settings": description(settings, mode="json")}
    return {**record, "fingerprint": run_fingerprint(record)}


def _without(record: Record, roles: Collection[str]) -> Record:
    """Leave out what is told of the documents of some roles."""
    kept = dict(record)
    for name in {"documents", "fingerprints", "sources"} & set(kept):
        kept[name] = {role: value for role, value in kept[name].items() if role not in roles}
    return kept


def _with_role(record: Record, role: str, documents: Documents) -> Record:
    return {
        **record,
        "documents": {**record["documents"], role: len(documents.texts)},
        "fingerprints": {**record["fingerprints"], role: fingerprint(documents.texts, documents.labels)},
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _processor() -> str:
    told = ""
    with suppress(OSError):
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    named = (line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _gpu() -> str | None:
    """Name of the GPU; None without one, or where nothing has loaded torch."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
