"""What each segment does to a document model's answer: the gradient by the segment's presence."""

import numpy as np
import torch

from stages.coarse.document_model import DocumentModel


def presence_effects(
    model: DocumentModel, segments: np.ndarray, *, on_vector: np.ndarray | None, on_logits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First-order effect of each segment of one document, through all attention that it is in.

    A segment's presence scales its weight in every softmax over segments; at 0 the segment is not there. Gradient x
    input over the segment vectors themselves says nothing here: a layer norm reads them first, which does not see
    their length, so that product is 0 for every segment whatever it holds.

    Parameters
    ----------
    model
        In evaluation mode.
    segments
        (segments, hidden) segment vectors of the document.
    on_vector
        (hidden,) direction in the document vector; None where nobody reads it.
    on_logits
        (groups,) direction in the group logits.

    Returns
    -------
    attention, of_vector, of_logits : numpy.ndarray
        (segments,) float64 each: the aggregator's weights, which sum to 1, and the effects on ``vector @ on_vector``
        and ``logits @ on_logits``.
    """
    device = next(model.parameters()).device
    presence = torch.ones(len(segments), device=device, requires_grad=True)
    with torch.enable_grad():
        output = model(torch.from_numpy(segments).to(device), torch.tensor([len(segments)]), presence)

    def effect(answer: torch.Tensor, direction: np.ndarray | None) -> np.ndarray:
        if direction is None or not direction.any():
            return np.zeros(len(segments))
        along = answer[0] @ torch.from_numpy(direction).to(answer)
        (gradient,) = torch.autograd.grad(along, presence, retain_graph=True)
        return gradient.cpu().numpy().astype(np.float64)

    attention = output.segment_weights.detach().cpu().numpy().astype(np.float64)
    return attention, effect(output.vectors, on_vector), effect(output.logits, on_logits)
