# Two stages: the first installs from hashed locks and builds the wheel, the second holds the result only.
# BASE needs Python 3.11 or newer with the venv module at the same path in both stages.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/build.txt \
 && python3 -m venv --without-pip /opt/holdfast \
 && /opt/build/bin/pip --python /opt/holdfast/bin/python install \
      --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY policies policies
COPY metrics metrics
COPY proxy proxy
RUN /opt/build/bin/hatchling build -t wheel -d /src/dist \
 && /opt/build/bin/pip --python /opt/holdfast/bin/python install \
      --no-cache-dir --disable-pip-version-check --no-index --no-deps /src/dist/*.whl \
 && install -d -m 0700 /src/state

FROM ${BASE}
COPY --from=build /opt/holdfast /opt/holdfast
# State is the only thing written: the root file system may be mounted read-only.
COPY --from=build --chown=65532:65532 /src/state /var/lib/holdfast
ENV PATH=/opt/holdfast/bin:$PATH \
    HOME=/var/lib/holdfast \
    HOLDFAST_STORE=sqlite:////var/lib/holdfast/state.db \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
VOLUME /var/lib/holdfast
# 8787: agents. 8788: metrics, on loopback inside the container until a token is configured.
EXPOSE 8787 8788
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["python3", "-c", \
  "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8787, timeout=2); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["holdfast"]
CMD ["serve", "--host", "0.0.0.0"]
