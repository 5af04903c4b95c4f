# The ML jobs: a step of a run as a SageMaker training or processing job, under /opt/ml.
# Built for linux/amd64 (`docker buildx build --platform linux/amd64`).
# The base is named by its digest; another one is given by `--build-arg BASE=…`.
ARG BASE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
FROM ${BASE} AS build
WORKDIR /build
RUN pip install --no-cache-dir uv==0.13.9
COPY requirements.lock pyproject.toml README.md ./
# The lock holds what tests need too; the product's own dependencies are picked from it.
RUN uv venv /opt/venv \
    && uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --constraint requirements.lock \
       --generate-hashes --no-header --output-file runtime.txt \
    && uv pip install --python /opt/venv/bin/python --compile-bytecode --no-cache --require-hashes -r runtime.txt

FROM ${BASE}
ARG GIT_SHA
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 SPANISHGAS_GIT_SHA=$GIT_SHA
RUN useradd --uid 10001 --create-home spanishgas
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY pyproject.toml dbt_project.yml profiles.yml requirements.lock ./
COPY models models
COPY macros macros
COPY seeds seeds
COPY tests/dbt tests/dbt
COPY python_ml python_ml
# Nobody may write here later, and each container starts anew.
RUN python -m compileall -q python_ml
RUN mkdir /tmp/spanishgas && chown spanishgas /tmp/spanishgas
# SageMaker mounts /opt/ml as root. The entry point takes its folders there and becomes spanishgas
# before it does anything else.
HEALTHCHECK --interval=60s --timeout=10s CMD ["python", "-c", "import xgboost, python_ml.pipeline.train"]
ENTRYPOINT ["python", "-m", "python_ml.aws.sagemaker_entry"]
