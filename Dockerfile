# A model behind HTTP (docs/deploy.md). The models are mounted at /models; the target is `light`, the last one and so the
# default, for exported models and those with `encoder: none`, or `full`, for every other:
#
#   docker build -t coarsefine:light .
#   docker run -p 127.0.0.1:8000:8000 -v ./models:/models:ro coarsefine:light /models/model --watch
FROM python:3.12-slim AS base
WORKDIR /app
COPY constraints.txt ./
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=2m \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["coarsefine", "serve", "--host", "0.0.0.0"]
CMD ["/models/model"]

FROM base AS wheel
COPY . ./
RUN pip wheel --no-cache-dir --no-deps --wheel-dir dist .

FROM base AS full
ARG PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir -c constraints.txt torch
COPY --from=wheel /app/dist dist
RUN pip install --no-cache-dir -c constraints.txt "$(echo dist/*.whl)[serve]"
USER 65532:65532

# Without torch, transformers and datasets: requirements-light.txt is all that it has.
FROM base AS light
COPY requirements-light.txt ./
RUN pip install --no-cache-dir --no-deps -r requirements-light.txt
COPY --from=wheel /app/dist dist
RUN pip install --no-cache-dir --no-deps dist/*.whl
USER 65532:65532
