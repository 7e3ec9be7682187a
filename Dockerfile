# The Python that the tests run on. To have the same image tomorrow, name the base by its digest:
# docker build --build-arg PYTHON=python:3.11-slim-trixie@sha256:… .
ARG PYTHON=python:3.11-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# The dependencies first: they change less often than the code. What isn't in the lock by its hash isn't installed.
COPY requirements-postgres.lock ./
RUN python -m venv --without-pip /opt/aura-analytics \
    && python -m pip --python /opt/aura-analytics/bin/python install --no-compile --require-hashes \
        -r requirements-postgres.lock

# What builds the wheel, and the page in it, stays outside of what is shipped, and is pinned as well.
COPY deploy/requirements-build.lock ./
RUN python -m pip install --require-hashes -r requirements-build.lock

COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY migrations ./migrations
COPY web ./web
COPY src ./src
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/aura-analytics/bin/python install --no-compile --no-deps --no-index dist/*.whl
# Compiled here, since nothing can be written there; by hash and not by time, so that two builds are alike.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/aura-analytics/lib


FROM ${PYTHON}
LABEL org.opencontainers.image.title="Aura Analytics" \
      org.opencontainers.image.description="What a voice shopping assistant was asked, what became of it, and how good it was." \
      org.opencontainers.image.licenses="MIT"

# The number is fixed, so that files on a volume have the same owner in every version.
RUN groupadd --gid 10001 aura \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin aura \
    && install --directory --owner 10001 --group 10001 --mode 0750 /data
COPY --from=build /opt/aura-analytics /opt/aura-analytics

ENV PATH=/opt/aura-analytics/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AURA_DATABASE_URL=sqlite:////data/aura.db \
    AURA_COLUMNS_PATH=/data/columns.duckdb \
    HOST=0.0.0.0 \
    PORT=8787 \
    LOG_FORMAT=json

# Nothing is written but here and in /tmp: the rest may be read-only.
VOLUME /data
WORKDIR /data
USER 10001:10001
EXPOSE 8787
STOPSIGNAL SIGTERM
# Of a server. What doesn't serve (`evaluate --watch`, `migrate`) is run with this check switched off.
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["/opt/aura-analytics/bin/python", "-I", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=8); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["aura-analytics"]
CMD ["serve"]
