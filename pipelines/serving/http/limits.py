"""How much a request may ask for, and how much may wait."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the service takes.

    Attributes
    ----------
    documents
        In a request.
    explained
        In a request that asks for explanations, each of which takes as long as many answers.
    listed
        Labels with their probability, in all answers to a request together.
    tokens
        In a request, as `pipelines.serving.batcher.tokens_of` estimates them.
    body
        Bytes of a request.
    batch_tokens, queue_tokens
        Computed at once, and waiting.
    seconds
        From the end of a request to its answer.
    body_seconds
        From the beginning of a request to the end of its body.
    """

    documents: int = 1_000
    explained: int = 16
    listed: int = 250_000
    tokens: int = 200_000
    body: int = 8 << 20
    batch_tokens: int = 16_384
    queue_tokens: int = 400_000
    seconds: float = 60.0
    body_seconds: float = 30.0
