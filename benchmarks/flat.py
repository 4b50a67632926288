"""Flat fine-tuning of the same encoder, as the text classification guide of transformers does it, alone and fused.

`AutoModelForSequenceClassification` on the first 512 tokens, `Trainer` with `DataCollatorWithPadding`; the epoch with
the best validation accuracy is kept. Settings are arguments of `TrainingArguments` by their own names, and five more,
tricks that need neither the tree nor the texts of the labels:

pooling: mean            mean of the tokens under the output layer, instead of the model's own pooler; label_wise is a
                         rival of its own, which reads whole documents (`label_wise.py`)
class_weights: balanced  in the loss, as scikit-learn computes them
logit_adjustment: 1.0    this times the log of each label's share of the training documents, added to the logits in the
                         loss (Menon et al. 2021)
head_learning_rate: ...  of the output layer
layer_decay: ...         each layer learns at this share of the rate of the layer above it
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from jobs import Fitted, Job
from label_wise import LabelWiseBert
from safetensors.torch import load_model, save_model
from sklearn.metrics import accuracy_score, f1_score
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint, set_seed

from pipelines.config import load_config
from pipelines.data.splits import fingerprint
from pipelines.settings import Settings
from stages.fine.negatives import Problem
from stages.fine.ngrams import NgramVectorizer
from stages.fine.rows import Rows, fit_rows, log_chance
from stages.label_space import LabelSpace, label_ratio
from stages.router.fusion import fit_variants
from stages.router.router import fuse
from stages.run_folder import cache_key
from stages.training.arguments import parameter_groups

MAX_TOKENS = 512
OF_THE_MACHINE = {
    "use_cpu": not torch.cuda.is_available(),  # left out, a processor is refused bf16
    "dataloader_pin_memory": torch.cuda.is_available(),
}
DEFAULTS: dict[str, Any] = {
    "num_train_epochs": 10,
    "per_device_train_batch_size": 32,
    "per_device_eval_batch_size": 64,
    "learning_rate": 1e-4,
    "weight_decay": 0.01,
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "logging_strategy": "epoch",
    "save_total_limit": 1,
    "load_best_model_at_end": True,
    "metric_for_best_model": "accuracy",
    "report_to": "none",
    **OF_THE_MACHINE,
}
OWN_DEFAULTS: dict[str, Any] = {
    "pooling": "default",
    "class_weights": "none",
    "logit_adjustment": 0.0,
    "head_learning_rate": None,
    "layer_decay": 1.0,
}
WEIGHTS = "trained.safetensors"


class FlatModel:
    """The flat model of a job.

    Parameters
    ----------
    job
        Encoder, documents, settings and seed.
    """

    def __init__(self, job: Job) -> None:
        if job.encoder == "none":
            sys.exit("flat fine-tuning needs an encoder")
        given = load_config(None, [f"classifier.training.{c}" for c in job.changes]).classifier.training
        self.own = {name: given.pop(name, default) for name, default in OWN_DEFAULTS.items()}
        self.arguments = {**DEFAULTS, **given}
        self.job = job
        self.tokenizer = AutoTokenizer.from_pretrained(job.encoder)
        whole = self.own["pooling"] == "label_wise"
        self.max_tokens = None if whole else min(MAX_TOKENS, int(self.tokenizer.model_max_length))
        self.folder = job.folder / self._key()
        set_seed(job.seed)  # of the output layer
        self.model = make_model(job.encoder, job.labels, self.own["pooling"])
        self.trainer = self._make_trainer()

    @property
    def settings(self) -> dict[str, Any]:
        """All settings, ready for JSON."""
        return {**self.arguments, **self.own, "max_tokens": self.max_tokens}

    def fit(self) -> "FlatModel":
        """Train, go on with a stopped training, or read back one that has ended."""
        weights, checkpoints = self.folder / WEIGHTS, self.folder / "checkpoints"
        if weights.exists():
            return self
        checkpoint = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
        self.trainer.train(resume_from_checkpoint=checkpoint)
        part = weights.with_suffix(".part")
        save_model(self.model, str(part))
        part.replace(weights)
        shutil.rmtree(checkpoints)
        return self

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Scores (documents, labels) float32, computed in fp32 whatever the training was."""
        model = make_model(self.job.encoder, self.job.labels, self.own["pooling"])
        load_model(model, self.folder / WEIGHTS)
        plain = {name: self.arguments[name] for name in ("per_device_eval_batch_size", *OF_THE_MACHINE)}
        reader = Trainer(
            model=model,
            args=TrainingArguments(output_dir=str(self.folder), report_to="none", disable_tqdm=True, **plain),
            data_collator=DataCollatorWithPadding(self.tokenizer),
        )
        documents = self._tokenized(texts)
        order = sorted(range(len(documents)), key=lambda place: -len(documents[place]["input_ids"]))
        found = np.asarray(reader.predict([documents[place] for place in order]).predictions)
        logits = np.empty_like(found)
        logits[order] = found
        return logits

    def _key(self) -> str:
        """Name what a training depends on: another one must not be read back for it."""
        documents = [fingerprint(part.texts, part.labels) for part in (self.job.train, self.job.valid)]
        versions = {name: version(name) for name in ("tokenizers", "torch", "transformers")}
        asked = {"settings": self.settings, "encoder": self.job.encoder, "seed": self.job.seed}
        return cache_key(**asked, documents=documents, versions=versions)[:16]

    def _make_trainer(self) -> Trainer:
        job = self.job
        targets, valid_targets = job.targets(job.train), job.targets(job.valid)
        known = np.flatnonzero(valid_targets >= 0)
        arguments = TrainingArguments(
            output_dir=str(self.folder / "checkpoints"),
            seed=job.seed,
            disable_tqdm=not sys.stderr.isatty(),
            **self.arguments,
        )
        return Trainer(
            model=self.model,
            args=arguments,
            train_dataset=self._tokenized(job.train.texts, targets),
            eval_dataset=self._tokenized(job.valid.select(known).texts, valid_targets[known]),
            processing_class=self.tokenizer,
            data_collator=DataCollatorWithPadding(self.tokenizer),
            compute_metrics=_figures,
            compute_loss_func=self._weighted_loss(targets),
            optimizers=(self._optimizer(arguments), None),
        )

    def _tokenized(self, texts: Sequence[str], targets: np.ndarray | None = None) -> list[dict[str, Any]]:
        cut = self.max_tokens is not None
        read = self.tokenizer(list(texts), truncation=cut, max_length=self.max_tokens, verbose=False)
        documents = [{name: read[name][i] for name in read} for i in range(len(texts))]
        if targets is not None:
            for document, target in zip(documents, targets.tolist(), strict=True):
                document["labels"] = target
        return documents

    def _weighted_loss(self, targets: np.ndarray) -> Any:
        classes = np.arange(len(self.job.labels))
        if self.own["class_weights"] == "none" and not self.own["logit_adjustment"]:
            return None  # the model's own loss
        weights = np.ones(len(classes))
        if self.own["class_weights"] != "none":
            weights = compute_class_weight(self.own["class_weights"], classes=classes, y=targets)
        shift = self.own["logit_adjustment"] * np.log(np.bincount(targets, minlength=len(classes)) / len(targets))
        smoothing = self.arguments.get("label_smoothing_factor", 0.0)

        def loss(outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
            logits = outputs["logits"]
            weight = torch.tensor(weights, dtype=logits.dtype, device=logits.device)
            total = nn.functional.cross_entropy(
                logits + torch.tensor(shift, dtype=logits.dtype, device=logits.device),
                labels,
                weight=weight,
                label_smoothing=smoothing,
                reduction="sum",
            )
            return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)

        return loss

    def _optimizer(self, arguments: TrainingArguments) -> torch.optim.Optimizer | None:
        if self.own["head_learning_rate"] is None and self.own["layer_decay"] == 1:
            return None  # Trainer's own
        groups = parameter_groups(
            self.model,
            learning_rate=self.own["head_learning_rate"] or arguments.learning_rate,
            encoder_learning_rate=arguments.learning_rate,
            weight_decay=arguments.weight_decay,
            layer_decay=self.own["layer_decay"],
            encoder_prefix=f"{self.model.base_model_prefix}.",
        )
        optimizer, options = Trainer.get_optimizer_cls_and_kwargs(arguments)
        return optimizer(groups, **options)


class MeanPooled(nn.Module):
    """Encoder, mean over the tokens, dropout, output layer.

    Parameters
    ----------
    encoder
        A transformers encoder.
    labels
        How many.
    """

    base_model_prefix = "encoder"

    def __init__(self, encoder: nn.Module, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = encoder.config  # Trainer looks into it
        self.dropout = nn.Dropout(encoder.config.hidden_dropout_prob)
        self.classifier = nn.Linear(encoder.config.hidden_size, labels)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return logits (documents, labels), and the loss where labels are given."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1)  # (documents, tokens, 1)
        logits = self.classifier(self.dropout((hidden * mask).sum(1) / mask.sum(1)))  # (documents, labels)
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def make_model(encoder: str, labels: np.ndarray, pooling: str) -> nn.Module:
    """Put an untrained output layer on a pretrained encoder.

    Parameters
    ----------
    encoder
        Its folder.
    labels
        (labels,) their ids, in the order of the logits.
    pooling
        ``default`` for the model that transformers makes, ``mean`` or ``label_wise``.
    """
    if pooling == "mean":
        return MeanPooled(AutoModel.from_pretrained(encoder), len(labels))
    if pooling == "label_wise":
        return LabelWiseBert(encoder, len(labels))
    if pooling != "default":
        sys.exit(f"pooling={pooling!r}: it is default, mean or label_wise")
    names = dict(enumerate(labels))
    return AutoModelForSequenceClassification.from_pretrained(
        encoder, num_labels=len(names), id2label=names, label2id={name: place for place, name in names.items()}
    )


def fit_flat(job: Job) -> Fitted:
    """Train the flat model."""
    flat = FlatModel(job).fit()
    return Fitted(lambda texts: job.labels[flat.logits(texts).argmax(axis=1)], flat.settings)


def fit_fused(job: Job) -> Fitted:
    """Fuse the flat model with this project's n-gram rows, by two weights fitted on validation documents.

    The flat model is that of the method without n-grams with the same seed and settings, in its folder; trained where
    it is missing.
    """
    flat = FlatModel(job).fit()
    vectorizer, rows = _ngram_rows(job)

    def experts(texts: Sequence[str]) -> dict[str, np.ndarray]:
        return {"neural": flat.logits(texts), "lexical": log_chance(rows.score(vectorizer.transform(texts)))}

    # As in this project's router, the n-grams are given up where validation accuracy is higher without them.
    fusion = fit_variants(experts(job.valid.texts), job.targets(job.valid))["full"]
    return Fitted(
        lambda texts: job.labels[fuse(experts(texts), fusion).argmax(axis=1)],
        {**flat.settings, "fusion": asdict(fusion)},
    )


def _ngram_rows(job: Job) -> tuple[NgramVectorizer, Rows]:
    settings = Settings()
    texts = job.train.texts
    vectorizer, features = NgramVectorizer.fit(texts, len(texts), min_df=settings.min_df)
    targets = job.targets(job.train)
    rows = fit_rows(
        features,
        targets,
        [Problem(np.array([label])) for label in range(len(job.labels))],
        C=settings.lexical_C,
        prune=settings.prune,
        n_jobs=settings.n_jobs,
    )
    no_groups = LabelSpace(tuple(job.labels), ("all",), np.zeros(len(job.labels), dtype=np.int64))
    factors = label_ratio(np.bincount(targets), no_groups, "labels", settings.prior_correction)
    return vectorizer, Rows.stack(list(rows)).with_chances_times(factors)


def _figures(prediction: Any) -> dict[str, float]:
    gold, predicted = prediction.label_ids, prediction.predictions.argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(gold, predicted)),
        "macro_f1": float(f1_score(gold, predicted, average="macro", zero_division=0)),
    }
