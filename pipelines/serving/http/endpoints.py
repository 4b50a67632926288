"""What the service answers under its own paths; each function gives what becomes JSON."""

import asyncio
import logging
import time
from typing import Any
from uuid import uuid4

from hierarchy.errors import DataError
from pipelines.serving.batcher import tokens_of
from pipelines.serving.http.refusals import RefusedError
from pipelines.serving.http.schemas import ClassifyRequest, CorrectionRequest, PredictRequest
from pipelines.serving.http.service import Service
from pipelines.serving.served_model import Probabilities

logger = logging.getLogger(f"coarsefine.{__name__}")


class Endpoints:
    """The paths of a service.

    Parameters
    ----------
    service
        Which answers.
    token_required
        Whether clients need one, for the page.
    """

    def __init__(self, service: Service, *, token_required: bool) -> None:
        self.service, self.token_required = service, token_required

    async def predict(self, request: PredictRequest) -> dict[str, Any]:
        """Answer documents: label, group, probabilities, level, runner-ups."""
        served = self.service.served
        found = await self.service.answers(
            served, request.documents, top_k=request.top_k, sets=request.sets, explain=request.explain
        )
        return {"model": {"name": served.name, "version": served.version}, "answers": found}

    async def classify(self, request: ClassifyRequest) -> dict[str, Any]:
        """Answer as vLLM does: the probability of each class, in the order of `classes` of `/info`."""
        served = self.service.served
        if request.model not in (None, served.name):
            raise RefusedError(404, f"there is one model here, {served.name!r}")
        texts = [request.input] if isinstance(request.input, str) else request.input
        rows = await self.service.computed(Probabilities(served), texts, listed=len(served.classes))
        tokens = sum(map(tokens_of, texts))
        return {
            "id": f"classify-{uuid4().hex}",
            "object": "list",
            "created": int(time.time()),
            "model": served.name,
            "data": [
                {
                    "index": place,
                    "label": served.classes[max(range(len(row)), key=row.__getitem__)],
                    "probs": row,
                    "num_classes": len(row),
                }
                for place, row in enumerate(rows)
            ],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0},
        }

    async def info(self) -> dict[str, Any]:
        """Tell which model answers, what it promises, and how much a request may hold."""
        limits = self.service.limits
        return {
            **self.service.served.facts(),
            "limits": {
                "documents": limits.documents,
                "explained": limits.explained,
                "listed": limits.listed,
                "tokens": limits.tokens,
                "body": limits.body,
                "seconds": limits.seconds,
            },
            "corrections": self.service.corrections is not None,
            "token_required": self.token_required,
        }

    async def tree(self) -> dict[str, Any]:
        """List the groups and their labels."""
        return self.service.served.tree()

    async def correct(self, request: CorrectionRequest) -> dict[str, Any]:
        """Keep what is right, for the next training."""
        corrections, served = self.service.corrections, self.service.served
        if corrections is None:
            raise RefusedError(404, "this service takes no corrections: start it with --corrections FILE")
        if request.label not in served.model.taxonomy.label_ids:
            raise RefusedError(422, "there is no label with that id: see /tree")
        try:
            written = await asyncio.to_thread(corrections.add, request.text, request.label, served.version)
        except DataError as error:
            logger.error("a correction is lost: %s", error)
            raise RefusedError(500, "corrections cannot be written now: the log of the service says why") from None
        return {"written": written}

    async def alive(self) -> dict[str, Any]:
        """Tell whether the process is alive."""
        self.service.check_alive()
        return {"alive": True}

    async def ready(self) -> dict[str, Any]:
        """Tell whether requests are welcome."""
        self.service.check_ready()
        return {"ready": True}
