# The program with Ray, for deploy/kuberay.yaml. Not run here.
#   docker build -f deploy/ray.Dockerfile -t decalage-ray:0.1.0 .

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE.md ./
COPY src ./src
COPY samples ./samples
# Ray's own extra `default` answers the probes of KubeRay.
RUN python -m venv --without-pip /opt/decalage && \
    python -m pip --python /opt/decalage/bin/python --disable-pip-version-check --no-cache-dir \
        install --only-binary=:all: --constraint constraints.txt '.[models,server,ray]' 'ray[default]'

FROM python:3.11.14-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends wget && rm -rf /var/lib/apt/lists/* && \
    useradd --system --uid 10001 --user-group --shell /bin/bash \
        --home-dir /var/cache/decalage --create-home decalage
COPY --from=build /opt/decalage /opt/decalage
ENV PATH=/opt/decalage/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/var/cache/decalage \
    DECALAGE_CACHE=/var/cache/decalage \
    RAY_USAGE_STATS_ENABLED=0 \
    RAY_worker_niceness=0
USER 10001:10001
CMD ["bash"]
