"""What should read the unit vectors of a long document: readers over the same vectors of a frozen encoder, no n-grams.

Only what stands between unit vectors and logits differs. All readers train on the same documents as the project's
trainings do (both levels' loss, 12 epochs in batches of 64, AdamW at a rate of 1e-3 that warms up and falls along a
cosine, one dropout rate), start at random and end in a layer norm. The weights of the last epoch answer, each level by
its trained linear rows: no epoch is chosen, no rate is sought for one reader, nothing is fitted afterwards. So a reader
that learns slowly looks like one that knows little; `--set training.num_train_epochs=36` tells which it is.

Validation documents are answered; test documents are not opened. Differences to the project's document model are
paired, with the 95 % interval of a bootstrap over seeds and documents. The run folder keeps the vectors, which are
those of `real_data.py`, and the answers, which are not given anew: after a change of code, name a new one. Seconds are
those that processors spend on a training, all threads together, so that other work on the machine hardly counts.

Example: python benchmarks/document_readers.py usajobs_questions
         python benchmarks/document_readers.py dc_code --seeds 0 1 2
         python benchmarks/document_readers.py usajobs_questions --set unit_tokens=null    # one vector a segment
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from compare import plain, validation_cut
from harness import load_data, make_parser, prepare, print_table, write_record
from paired import FIGURES, difference, resampled
from torch import Tensor, nn

from stages.coarse.document_model import QUERY_SCALE, Aggregator, AttentionPooling, DocumentModel, LabelAttention
from stages.training.batches import Examples, collate_vectors
from stages.training.two_stage import HierarchicalLoss, TwoStageModel

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from stages.label_space import LabelSpace

OURS = "8 shared queries, feed-forward layer first"
READERS: dict[str, dict[str, Any]] = {  # what `build` takes
    "mean": {"pooling": "mean"},
    "mean and maximum": {"pooling": "mean and maximum"},
    "a query a group, read by its rows": {"pooling": "group queries"},
    "a query a label": {"pooling": "label queries"},
    "1 shared query": {"queries": 1},
    **{f"{queries} shared queries": {"queries": queries} for queries in (4, 8, 16)},
    OURS: {"feed_forward": True},
    "8 shared queries, aggregator first": {"aggregator": True},
    "8 shared queries, aggregator and feed-forward layer first": {"aggregator": True, "feed_forward": True},
    "8 shared queries, feed-forward layer first, label attention": {"feed_forward": True, "label_attention": True},
}
ASKED = ("group", "fine")
FREE = (  # settings that --set may change: those that a reader's training reads
    "encoder", "label_encoder", "pooling", "dtype", "device", "segment_tokens", "overlap", "max_segments",
    "unit_tokens", "tokens_per_chunk", "dropout", "aggregator_heads", "label_documents", "training",
)  # fmt: skip
LAST_EPOCH = {"load_best_model_at_end": False, "eval_strategy": "no", "save_strategy": "no"}
DOCUMENTS_AT_ONCE = 64  # that are answered


class MeanAndMaximum(nn.Module):
    """Mean of the units of a document, with their maximum beside it where that is wished."""

    def __init__(self, hidden: int, *, maximum: bool) -> None:
        super().__init__()
        self.maximum = maximum
        self.width = hidden * (1 + maximum)
        self.scale_out = nn.LayerNorm(hidden)

    def forward(self, units: Tensor, mask: Tensor, presence: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pool as `AttentionPooling` does: (documents, width) and (documents, units)."""
        share = mask / mask.sum(1, keepdim=True)
        found = [(share.unsqueeze(-1) * units).sum(1)]
        if self.maximum:
            found.append(units.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1))
        return self.scale_out(torch.stack(found, 1)).flatten(1), share


class LabelWiseAttention(nn.Module):
    """Queries whose vectors stay apart, since each has rows of its own (Vu et al. 2020; PLM-ICD, Huang et al. 2022)."""

    def __init__(self, hidden: int, queries: int) -> None:
        super().__init__()
        self.width = queries * hidden
        self.key = nn.Linear(hidden, hidden)
        self.queries = nn.Parameter(torch.randn(queries, hidden) * QUERY_SCALE)
        self.scale_out = nn.LayerNorm(hidden)

    def forward(self, units: Tensor, mask: Tensor, presence: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pool as `AttentionPooling` does: (documents, queries x hidden) and (documents, units)."""
        match = torch.tanh(self.key(units)) @ self.queries.T  # (documents, units, queries)
        weights = match.masked_fill(~mask.unsqueeze(-1), -torch.inf).softmax(1)
        found = weights.transpose(1, 2) @ units  # (documents, queries, hidden)
        return self.scale_out(found).flatten(1), weights.mean(2)


class RowsOfQueries(nn.Linear):
    """Rows that read one query's vector each; `query_of` (rows,) says whose."""

    query_of: Tensor

    def __init__(self, hidden: int, query_of: np.ndarray) -> None:
        super().__init__(hidden, len(query_of))
        self.register_buffer("query_of", torch.from_numpy(query_of))

    def forward(self, vectors: Tensor) -> Tensor:
        """(documents, queries x hidden) to (documents, rows)."""
        own = vectors.unflatten(1, (-1, self.in_features)).index_select(1, self.query_of)  # (documents, rows, hidden)
        return torch.einsum("drh,rh->dr", own, self.weight) + self.bias


def main() -> None:
    """Train every reader with every seed and compare it with the project's."""
    parser = make_parser(__doc__, "document_readers-DATASET")
    parser.add_argument("dataset", help="folder under --data; it must have groups")
    parser.add_argument(
        "--readers", nargs="+", choices=READERS, metavar="NAME", default=list(READERS), help="only these, and ours"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one training of each reader a seed")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all readers alike")
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    options = parser.parse_args()
    idle = [change for change in options.set if change.partition("=")[0].partition(".")[0] not in FREE]
    if idle or "encoder=none" in options.set:
        parser.error(f"--set {idle or 'encoder=none'}: readers of unit vectors have only {', '.join(FREE)}")
    partial = [f"{options.documents}documents"] * bool(options.documents)
    name = "-".join(["document_readers", options.dataset, *plain(options.set), *partial])
    figures = compare_readers(options, prepare(options, name, run=options.dataset))
    print_table(
        f"{options.dataset}: {figures['documents']['valid']} validation documents, seeds {options.seeds}",
        ("reader", "group accuracy", "fine accuracy", "fine macro-F1", "processor seconds"),
        [(name, *(f"{100 * score:.1f}" for score in (found["group"]["accuracy"], *found["fine"].values())),
          f"{np.mean(found['seconds']):.0f}") for name, found in figures["readers"].items()],
    )  # fmt: skip
    write_record(options, figures)


def compare_readers(options: argparse.Namespace, run: Path) -> dict[str, Any]:
    """Train the readers, or take the answers that the run folder holds, and score them; `options` as parsed."""
    from pipelines.config import load_config
    from pipelines.data.augmentation import training_documents
    from pipelines.data.splits import fingerprint
    from pipelines.training.encoder import group_embeddings
    from pipelines.training.encoders import Encoders
    from stages.features import cached_vectors
    from stages.label_space import LabelSpace
    from stages.run_folder import cache_key

    settings = load_config(None, [f"classifier.{change}" for change in options.set]).classifier
    data = load_data(options.dataset, options.data, cache=run / "documents", limit=options.documents, test=False)
    if data.taxonomy is None:
        raise SystemExit(f"{options.dataset} has no groups, and readers are trained and scored on both levels")
    train, valid = validation_cut(data)
    train = training_documents(settings, data.taxonomy, train)
    space, encoders = LabelSpace.of(data.taxonomy, train.labels), Encoders(settings)
    encoder, segmenter = encoders.of_documents
    vectors = [
        cached_vectors(part.texts, encoder, segmenter, settings.tokens_per_chunk, run) for part in (train, valid)
    ]
    training, validation = (
        Examples(of_part, space.targets(part.labels), np.arange(len(part)))
        for of_part, part in zip(vectors, (train, valid), strict=True)
    )
    attending = settings.model_copy(update={"label_attention": True})
    embeddings = group_embeddings(attending, data.taxonomy, space, lambda: encoders.of_labels)
    asked = settings.model_dump(mode="json", exclude={"run_dir", "device", "n_jobs"})
    documents = [fingerprint(part.texts, part.labels) for part in (train, valid)]
    folder = run / "document_readers"
    folder.mkdir(exist_ok=True)
    chosen = [name for name in READERS if name in {*options.readers, OURS}]
    answers: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in chosen}
    for seed, name in ((seed, name) for seed in options.seeds for name in chosen):
        key = cache_key(reader=READERS[name], seed=seed, settings=asked, documents=documents)[:16]
        file = folder / f"{key}.json"
        if not file.exists():
            print(f"{name}, seed {seed}", flush=True)
            torch.manual_seed(seed)
            model = build(settings, encoder.hidden_size, space, embeddings, **READERS[name]).to(encoder.device)
            answer = train_and_answer(model, training, validation, settings, seed)
            file.with_suffix(".part").write_text(json.dumps(answer), encoding="utf-8")
            file.with_suffix(".part").replace(file)
        answers[name][seed] = json.loads(file.read_text(encoding="utf-8"))
    return {
        "documents": {"train": len(train), "valid": len(valid)},
        "units_a_document": float(vectors[0].counts.mean()),
        "compared_with": OURS,
        "readers": summary(space, validation.targets, answers),
        "settings": settings.model_dump(exclude={"run_dir"}),
    }


def build(
    settings: "Settings",
    hidden: int,
    space: "LabelSpace",
    embeddings: Tensor,
    *,
    pooling: str = "shared queries",
    queries: int = 8,
    feed_forward: bool = False,
    aggregator: bool = False,
    label_attention: bool = False,
) -> TwoStageModel:
    """Build an untrained reader with rows of both levels.

    Parameters
    ----------
    settings
        For the dropout rate and the aggregator's heads.
    hidden
        Dimensions of a unit vector.
    space
        Labels and groups.
    embeddings
        (groups, label hidden), at which label attention starts.
    pooling, queries, feed_forward
        What makes one vector of the units of a document; shared queries are Lin et al. 2017, as the project has them.
    aggregator
        Whether a transformer layer reads the units beside each other first.
    label_attention
        Whether the document vector attends over the groups' texts.
    """
    dropout, groups, labels = settings.dropout, np.arange(len(space.group_ids)), np.arange(len(space.label_ids))
    query_of_label = len(groups) + labels if pooling == "label queries" else space.group_of
    pool: Any
    if pooling == "shared queries":
        pool = AttentionPooling(hidden=hidden, queries=queries, dropout=dropout)
        if not feed_forward:
            pool.feed_forward = nn.Identity()  # what it gives is added to the units, and their norm sees no length
    elif pooling.endswith("queries"):
        pool = LabelWiseAttention(hidden, int(query_of_label.max()) + 1)
    else:
        pool = MeanAndMaximum(hidden, maximum="maximum" in pooling)
    attention = LabelAttention(group_embeddings=embeddings, width=pool.width, dropout=dropout)
    document_model = DocumentModel(
        hidden=hidden,
        aggregator=Aggregator(hidden=hidden, heads=settings.aggregator_heads, dropout=dropout) if aggregator else None,
        pooling=pool,
        label_attention=attention if label_attention else None,
        groups=len(groups),
        dropout=dropout,
    )
    rows = nn.Linear(pool.width, len(labels))
    if isinstance(pool, LabelWiseAttention):
        document_model.head, rows = RowsOfQueries(hidden, groups), RowsOfQueries(hidden, query_of_label)
    return TwoStageModel(encoder=None, document_model=document_model, rows=rows, loss=HierarchicalLoss(space=space))


def train_and_answer(
    model: TwoStageModel, train: Examples, valid: Examples, settings: "Settings", seed: int
) -> dict[str, Any]:
    """Train a reader; return processor seconds, number of weights, and places of its answers, groups and labels."""
    from stages.training.trainer import train_model

    before = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        to_the_end = {**settings.training, **LAST_EPOCH}
        train_model(model, train=train, valid=valid, collate=collate_vectors, settings=to_the_end, folder=Path(folder),
                    random_state=seed)  # fmt: skip
    seconds = time.process_time() - before
    device, answers = next(model.parameters()).device, []
    with torch.inference_mode():
        for first in range(0, len(valid), DOCUMENTS_AT_ONCE):
            some = range(first, min(first + DOCUMENTS_AT_ONCE, len(valid)))
            batch = collate_vectors([valid[document] for document in some])
            logits = model(units=batch["units"].to(device), counts=batch["counts"])["logits"]
            answers.append(torch.stack([level.argmax(1) for level in logits]))
    weights = sum(parameter.numel() for parameter in model.parameters())
    return {"seconds": seconds, "weights": weights, **dict(zip(ASKED, torch.cat(answers, 1).tolist(), strict=True))}


def summary(space: "LabelSpace", targets: np.ndarray, answers: dict[str, dict[int, dict[str, Any]]]) -> dict[str, Any]:
    """Score each reader, as means over the seeds, and beside the project's.

    Parameters
    ----------
    space
        Labels and groups.
    targets
        (validation documents,) place of each label; -1, a label without training documents, is never answered.
    answers
        Reader -> seed -> what `train_and_answer` returns.
    """
    gold = {level: np.where(right < 0, len(space.label_ids), right)
            for level, right in zip(ASKED, (space.groups(targets), targets), strict=True)}  # fmt: skip
    scores = {name: {level: {seed: resampled(gold[level], np.array(answer[level])) for seed, answer in of_seed.items()}
                     for level in ASKED} for name, of_seed in answers.items()}  # fmt: skip
    readers: dict[str, Any] = {}
    for name, of_seed in answers.items():
        readers[name] = {"difference": {level: difference(scores[name][level], scores[OURS][level]) for level in ASKED}}
        for level in ASKED:
            mean = np.mean([one[:, 0] for one in scores[name][level].values()], axis=0)
            readers[name][level] = dict(zip(FIGURES, mean.tolist(), strict=True))
        readers[name]["weights"] = next(iter(of_seed.values()))["weights"]
        readers[name]["seconds"] = [round(answer["seconds"], 1) for answer in of_seed.values()]
    return readers


if __name__ == "__main__":
    main()
