# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build

# Where torch comes from. The default has the build without CUDA, several GB smaller. For a machine with an
# NVIDIA card: --build-arg TORCH_INDEX=https://pypi.org/simple
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-deps --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.txt)" \
 && /venv/bin/pip install -r requirements.txt


FROM python:3.11-slim

# What OpenCV is linked to, which the tracker and the scene detector need.
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home user \
 && install -d -o user -g user /data
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
RUN /venv/bin/python -m compileall -q app.py inference_chat

USER user
# Everything that is written goes to the volume; the models in model_cards are part of the image.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    INFERENCE_SERVICE_HOST=0.0.0.0 \
    INFERENCE_SERVICE_PORT=7860 \
    DATABASE_URL=sqlite:/data/inference.db \
    REGISTRY_PATH=/data/registry.json \
    MODEL_CACHE_DIR=/data/models
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['INFERENCE_SERVICE_PORT']}/healthz\", timeout=4)"]
CMD ["python", "app.py"]
