"""Tune on a data set, kill the process half way, go on, and compare the best trial with trial 0 on the test documents.

Chained, encoder frozen, vectors from the run folder's cache. The tune runs in a process of its own, which is killed
(SIGKILL) in the middle of a trial when half of the trials are finished, and started again: no finished trial may be
lost or run twice.

Example: python benchmarks/tune.py attack_procedures --trials 20
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness import load_data, make_parser, prepare, print_table, write_record

# Few values each, so that trials find in the cache what others have trained: the document model depends on the last,
# the neural rows on that and the first, the n-gram rows on the third and fourth, what is fitted on rows on the second.
SPACE: dict[str, Any] = {
    "classifier.neural_C": [0.25, 0.5, 1.0, 2.0],
    "classifier.prior_correction": [0.0, 0.2, 0.5],
    "classifier.lexical_C": [0.3, 1.0, 3.0],
    "classifier.min_df": [1, 2],
    "classifier.training.learning_rate": [5e-4, 1e-3, 2e-3],
}
SECONDS_INTO_A_TRIAL = 5.0  # before the kill


def main() -> None:
    """Tune in two processes, of which the first is killed, and write what came out."""
    parser = make_parser(__doc__, "tune-DATASET")
    parser.add_argument("dataset", help="folder under --data")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--sampler", default="tpe", help="as of coarsefine tune")
    parser.add_argument("--figure", default="accuracy", help="as of coarsefine tune")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials-json", type=Path, help=argparse.SUPPRESS)  # of the process that tunes
    options = parser.parse_args()
    run = prepare(options, f"tune-{options.dataset}", run=options.dataset)
    if options.trials_json is not None:
        tune_once(options)
        return
    figures = measure(options, run)
    del options.trials_json
    show(figures)
    write_record(options, figures)


def measure(options: argparse.Namespace, run: Path) -> dict[str, Any]:
    """Start, kill and start again.

    Parameters
    ----------
    options
        As parsed.
    run
        Run folder.
    """
    kept = run / f"tune-{options.sampler}-{options.figure}-{options.seed}.json"
    kept.unlink(missing_ok=True)
    command = [sys.executable, *sys.argv, "--trials-json", str(kept)]
    started = time.monotonic()
    with subprocess.Popen(command) as process:
        while process.poll() is None and len(_trials(kept)) < max(1, options.trials // 2):
            time.sleep(0.2)
        time.sleep(SECONDS_INTO_A_TRIAL)
        before = _trials(kept)
        process.send_signal(signal.SIGKILL)
    killed = process.returncode == -signal.SIGKILL
    subprocess.run(command, check=True)
    seconds = time.monotonic() - started
    found = json.loads(kept.read_text(encoding="utf-8"))
    trials = found["trials"]
    return {
        **found,
        "killed": {"after_trials": len(before), "by_sigkill": killed, "kept": trials[: len(before)] == before},
        "each_once": [trial["number"] for trial in trials] == list(range(options.trials)),
        "minutes": round(seconds / 60, 2),
        "minutes_of_trials": round(sum(trial["seconds"] for trial in trials) / 60, 2),
    }


def tune_once(options: argparse.Namespace) -> None:
    """Tune in this process, or go on; the trials are written after each one.

    Parameters
    ----------
    options
        As parsed.
    """
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.tuning import tune

    data = load_data(options.dataset, options.data, cache=options.run / "documents")
    classifier = HierarchicalClassifier(
        data.taxonomy, trainable="frozen", random_state=options.seed, run_dir=str(options.run)
    )
    found = tune(
        classifier,
        SPACE,
        data.train.texts,
        data.train.labels,
        validation=None if data.valid is None else (data.valid.texts, data.valid.labels),
        test=(data.test.texts, data.test.labels),
        figure=options.figure,
        sampler=options.sampler,
        trials=options.trials,
        after=lambda now: now.write_json(options.trials_json),
    )
    found.write_json(options.trials_json)


def show(figures: dict[str, Any]) -> None:
    """Print the trials, the comparison and what the kill did."""
    rows = []
    for trial in figures["trials"]:
        reached = [f"{trial['figures'][f]:.4f}" if trial["figures"] else "-" for f in ("accuracy", "macro_f1")]
        rows.append((str(trial["number"]), trial["state"], *reached, f"{trial['seconds'] / 60:.1f}"))
    print_table("validation", ("trial", "state", "accuracy", "macro-F1", "minutes"), rows)
    test = figures["test"]
    for name, gap in test["differences"].items():
        print(
            f"test {name}: trial 0 {test['first'][name]:.4f}, trial {test['best']} {test['chosen'][name]:.4f}, "
            f"difference {gap['value']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f})"
        )
    print(f"killed: {figures['killed']}; each trial once: {figures['each_once']}; {figures['minutes']} minutes")


def _trials(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text(encoding="utf-8"))["trials"] if file.exists() else []


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
