"""The Open Inference Protocol, version 2 (once of KServe): one input of texts, answers as tensors.

https://github.com/open-inference/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hierarchy.text.characters import healed
from pipelines.serving.http.refusals import RefusedError
from pipelines.serving.http.schemas import InferRequest, Tensor
from pipelines.serving.http.service import Service
from pipelines.serving.served_model import ServedModel

SERVER = "coarsefine"
INPUT = "text"
OUTPUTS: Mapping[str, str] = MappingProxyType({
    "label": "BYTES", "label_name": "BYTES", "group": "BYTES", "group_name": "BYTES", "probability": "FP64",
    "group_probability": "FP64", "level": "BYTES", "reason": "BYTES", "read": "BYTES",
})  # fmt: skip


class InferenceProtocol:
    """The paths below ``/v2``.

    Parameters
    ----------
    service
        Which answers.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    async def server(self) -> dict[str, Any]:
        """Name the server."""
        from pipelines.model.record import library_version

        return {"name": SERVER, "version": library_version(SERVER) or "", "extensions": []}

    async def live(self) -> dict[str, Any]:
        """Tell whether the process is alive."""
        self.service.check_alive()
        return {"live": True}

    async def ready(self) -> dict[str, Any]:
        """Tell whether requests are welcome."""
        self.service.check_ready()
        return {"live": True, "ready": True}  # the protocol's text calls it live, its servers ready

    async def model(self, name: str, version: str | None = None) -> dict[str, Any]:
        """Say what goes into the model and what comes out."""
        served = self._served(name, version)
        return {
            "name": served.name,
            "versions": [served.version],
            "platform": SERVER,
            "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": output, "datatype": kind, "shape": [-1]} for output, kind in OUTPUTS.items()],
        }

    async def model_ready(self, name: str, version: str | None = None) -> dict[str, Any]:
        """Tell whether the model takes requests."""
        served = self._served(name, version)
        await self.ready()
        return {"name": served.name, "ready": True}

    async def infer(self, name: str, request: InferRequest, version: str | None = None) -> dict[str, Any]:
        """Answer texts."""
        served = self._served(name, version)
        asked = OUTPUTS if request.outputs is None else [output.name for output in request.outputs]
        wanted = list(dict.fromkeys(asked))  # each once, or an answer could be a thousand times as long as its request
        if unknown := [output for output in wanted if output not in OUTPUTS]:
            raise RefusedError(400, f"there is no output {unknown[0]!r}: choose of {', '.join(OUTPUTS)}")
        found = await self.service.answers(served, _texts(request.inputs))
        tensors = [
            {
                "name": output,
                "datatype": OUTPUTS[output],
                "shape": [len(found)],
                "data": [answer[output] if answer[output] is not None else "" for answer in found],
            }
            for output in wanted
        ]
        said = {"model_name": served.name, "model_version": served.version, "outputs": tensors}
        return said if request.id is None else {**said, "id": healed(request.id)}

    def _served(self, name: str, version: str | None) -> ServedModel:
        served = self.service.served
        if name != served.name or version not in (None, served.version):
            raise RefusedError(404, f"there is one model here, {served.name!r} in version {served.version}")
        return served


def _texts(inputs: Sequence[Tensor]) -> list[str]:
    """Return the texts of a request's only input."""
    if len(inputs) != 1 or inputs[0].name != INPUT or inputs[0].datatype != "BYTES":
        raise RefusedError(400, f"give one input, {INPUT!r}, of datatype BYTES")
    [tensor] = inputs
    if len([size for size in tensor.shape if size != 1]) > 1:
        raise RefusedError(400, "the shape of the input is [documents] or [documents, 1]")
    texts = _flat(tensor.data)
    documents = 1
    for size in tensor.shape:
        documents *= size
    if len(texts) != documents or not all(isinstance(text, str) for text in texts):
        raise RefusedError(400, f"by its shape the input has {documents} strings: its data are others")
    return texts


def _flat(data: Sequence[Any]) -> list[Any]:
    """Return what stands in a tensor, which may be written as lists of lists."""
    return [one for item in data for one in (item if isinstance(item, list) else [item])]
