"""What training an encoder on the documents first is worth: `coarsefine pretrain` on the training texts, then `train`.

The same classifier is trained with the encoder that this gives and with what there was before: the encoder that it
began with, or none at all. Labels, validation and test documents play no part in the pretraining.

Examples: python benchmarks/pretraining.py tw_laws --new --minutes 60
          python benchmarks/pretraining.py attack_procedures --encoder embedded --minutes 30 --mode frozen --mode joint
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from harness import load_data, make_parser, prepare, print_table, write_record
from paired import difference, resampled
from real_data import measure

MODES: dict[str, list[str]] = {"frozen": [], "joint": ["mode=joint", "trainable=all"]}
KEPT = ("model", "baselines", "fusion", "documents", "settings", "minutes")


def main() -> None:
    """Pretrain, train with and without, and compare."""
    parser = make_parser(__doc__, "pretraining")
    parser.add_argument("dataset", help="folder under --data")
    begin = parser.add_mutually_exclusive_group(required=True)
    begin.add_argument("--new", action="store_true", help="a new encoder; compared with none")
    begin.add_argument("--encoder", help="the encoder to begin with; compared with itself")
    parser.add_argument("--layers", type=int, default=4, help="of a new encoder")
    parser.add_argument("--hidden", type=int, default=256, help="of a new encoder")
    parser.add_argument("--minutes", type=float, help="of the pretraining; without it by epochs")
    parser.add_argument("--batch", type=int, default=8, help="windows of a pretraining step")
    parser.add_argument("--pretrained", type=Path, help="folder that `coarsefine pretrain` wrote with these options")
    parser.add_argument("--mode", action="append", choices=tuple(MODES), help="frozen (default), joint, or each")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the classifiers")
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    options = parser.parse_args()
    begun = "new" if options.new else options.encoder.strip("/").rsplit("/")[-1]
    run = prepare(options, f"pretraining-{options.dataset}-{begun}", run=options.dataset)
    folder, pretraining = pretrained(options, run / f"encoder-{begun}")
    figures: dict[str, Any] = {"pretraining": pretraining}
    for mode in options.mode or ["frozen"]:
        figures[mode] = compared(options, mode, folder, run)
    show(figures)
    write_record(options, figures)


def pretrained(options: argparse.Namespace, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Pretrain on the training texts; return the folder of the encoder, and what its record says.

    Parameters
    ----------
    options
        As parsed.
    folder
        Where the encoder is written, where none is given.
    """
    from pipelines.pretraining.encoder_folder import RECORD
    from pipelines.pretraining.pretrain import pretrain

    if options.pretrained is None:
        data = load_data(options.dataset, options.data, cache=options.run / "documents", limit=options.documents)
        size = {"layers": options.layers, "hidden": options.hidden} if options.new else {}
        pretrain(
            data.train.texts, folder, encoder=options.encoder, **size, minutes=options.minutes,
            training={"per_device_train_batch_size": options.batch}, run_dir=str(options.run),
        )  # fmt: skip
    folder = options.pretrained or folder
    return folder, json.loads((folder / RECORD).read_bytes())


def compared(options: argparse.Namespace, mode: str, folder: Path, run: Path) -> dict[str, Any]:
    """Train with the pretrained encoder and with what there was before; return figures of both and their difference.

    Parameters
    ----------
    options
        As parsed.
    mode
        How the classifiers are trained, one of `MODES`.
    folder
        Of the pretrained encoder.
    run
        Run folder.
    """
    sides: dict[str, Any] = {}
    scores = []
    for side, encoder in (("before", options.encoder or "none"), ("pretrained", str(folder))):
        changes = [*options.set, f"encoder={encoder}", *([] if encoder == "none" else MODES[mode])]
        own = argparse.Namespace(**{**vars(options), "set": changes, "groups": "given", "no_baselines": True})
        found, answers = measure(own, run / f"model-{mode}-{side}")
        sides[side] = {name: found[name] for name in KEPT}
        sides[side]["settings"]["encoder"] = Path(encoder).name
        sides[side]["predicted"] = answers.predicted.tolist()
        sides["gold"] = answers.gold.tolist()
        scores.append({0: resampled(answers.gold, answers.predicted)})
    return {**sides, "difference": difference(scores[1], scores[0])}


def show(figures: Mapping[str, Any]) -> None:
    """Print perplexities and figures."""
    history = figures["pretraining"]["history"]
    print_table(
        "Pretraining, held-out documents",
        ("epoch", "loss", "perplexity"),
        [(f"{e['epoch']:.2f}", f"{e['loss']:.4f}", f"{e['perplexity']:.1f}") for e in history],
    )
    rows = []
    for mode, part in figures.items():
        if mode == "pretraining":
            continue
        for figure, lead in part["difference"].items():
            values = (f"{part[side]['model'][figure]:.4f}" for side in ("before", "pretrained"))
            span = f"{100 * lead['value']:+.2f} ({100 * lead['low']:+.2f} to {100 * lead['high']:+.2f})"
            rows.append((f"{mode}, {figure}", *values, span, str(len(np.unique(part["gold"])))))
    print_table("Test documents", ("figure", "before", "pretrained", "difference in points", "labels"), rows)


if __name__ == "__main__":
    main()
