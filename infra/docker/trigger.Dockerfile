# The two Lambda functions: an upload starts a run (trigger), and what a run asks between its jobs
# (control). AWS_LAMBDA_FUNCTION's handler is the image's command.
# Built for linux/amd64 (`docker buildx build --platform linux/amd64`).
# The base is named by its digest; another one is given by `--build-arg BASE=…`.
ARG BASE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
FROM ${BASE} AS build
WORKDIR /build
RUN pip install --no-cache-dir uv==0.13.9
COPY requirements.lock pyproject.toml README.md ./
RUN uv venv /opt/venv \
    && uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --constraint requirements.lock \
       --generate-hashes --no-header --output-file runtime.txt \
    && uv pip install --python /opt/venv/bin/python --compile-bytecode --no-cache --require-hashes -r runtime.txt \
    && uv pip install --python /opt/venv/bin/python --compile-bytecode --no-cache awslambdaric==4.2.2

FROM ${BASE}
ARG GIT_SHA
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 SPANISHGAS_GIT_SHA=$GIT_SHA
RUN useradd --uid 10001 --create-home spanishgas
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
# The whole project, as in the other images: a run is known by its code, too.
COPY pyproject.toml dbt_project.yml profiles.yml requirements.lock ./
COPY models models
COPY macros macros
COPY seeds seeds
COPY tests/dbt tests/dbt
COPY python_ml python_ml
# Nobody may write here later, and each container starts anew.
RUN python -m compileall -q python_ml
USER 10001
HEALTHCHECK --interval=60s --timeout=10s CMD ["python", "-c", "import python_ml.aws.trigger"]
ENTRYPOINT ["python", "-m", "awslambdaric"]
CMD ["python_ml.aws.trigger.handler"]
