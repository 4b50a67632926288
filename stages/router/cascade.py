"""The cascade: n-grams answer first, and the encoder reads only the documents of which they are not sure.

N-grams read many times as many documents a second as an encoder does. Their answer is that of a `Router` with no other
expert, whose few weights are fitted on documents of their own.
"""

from dataclasses import dataclass, replace

import numpy as np

from stages.router.fusion import fit_router
from stages.router.router import Inputs, Routed, Router


@dataclass(frozen=True)
class Cascade:
    """N-grams that answer alone where they are sure enough.

    Attributes
    ----------
    router
        Of the n-grams alone.
    threshold
        They answer where their `confidence` is above it.
    routing
        How the documents were routed that the threshold was chosen on, as `Routed` says it. Another routing gives other
        probabilities: with it the encoder reads all.
    points, delta
        Of all documents, those that n-grams answer wrongly where the whole model is right are at most so many per cent;
        this holds with probability 1 - delta over the documents that chose the threshold.
    documents, answered
        How many these were, and how many of them n-grams answer alone.
    """

    router: Router
    threshold: float
    routing: str
    points: float
    delta: float
    documents: int
    answered: int

    def answer(self, inputs: Inputs, *, routing: str, beam: int) -> tuple[Routed, np.ndarray]:
        """Answer by n-grams alone.

        Parameters
        ----------
        inputs
            Only its n-grams are read.
        routing, beam
            As for `Router.route`.

        Returns
        -------
        tuple[Routed, numpy.ndarray]
            The answers, and the places of those that count for nothing, rising: the encoder must read these documents.
        """
        routed = self.router.route(Inputs(ngrams=inputs.ngrams), routing=routing, beam=beam)
        sure = (confidence(routed) > self.threshold) & (routed.routing == self.routing)
        return routed, np.flatnonzero(~sure)


def ngram_router(router: Router, inputs: Inputs, targets: np.ndarray) -> Router:
    """Fit a router that asks the n-grams alone.

    Parameters
    ----------
    router
        Of all experts; its rows stay.
    inputs
        N-grams of documents that choose no threshold: else the choice promises nothing.
    targets
        (documents,) their labels; -1 where there is none.
    """
    fitted = fit_router(replace(router, neural=None), Inputs(ngrams=inputs.ngrams), targets)
    return replace(fitted, fusions={"full": fitted.fusions["full"]})


def confidence(routed: Routed) -> np.ndarray:
    """Probability of the best label, (documents,); 0 where nothing is known of the document."""
    return np.where(routed.known, routed.probabilities.max(axis=1), 0.0)
