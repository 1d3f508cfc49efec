# Build:  docker build -t monkeytown .
# Run:    docker run -p 8000:8000 -e MONKEYTOWN_SECRET="$(openssl rand -hex 32)" -e MONKEYTOWN_GUESTS=1 -v monkeytown:/data monkeytown
# A game of your own:  … -v "$PWD/mygame.py:/games/mygame.py:ro" monkeytown run mygame.py

FROM python:3.12-slim-bookworm AS build
# Nothing of these gets into the image that is run, so their versions may be those of the day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/monkeytown
WORKDIR /source
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY ext ext
COPY src src
RUN --mount=type=cache,target=/root/.cache/pip /opt/monkeytown/bin/pip install '.[all]'

FROM python:3.12-slim-bookworm
RUN groupadd --system --gid 10001 monkeytown \
    && useradd --system --uid 10001 --gid monkeytown --no-create-home --shell /usr/sbin/nologin monkeytown \
    && install --directory --owner monkeytown --group monkeytown --mode 700 /data
COPY --from=build /opt/monkeytown /opt/monkeytown
# Listening beyond loopback needs MONKEYTOWN_SECRET, which has no default: without it the container stops with one line.
ENV PATH=/opt/monkeytown/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MONKEYTOWN_HOST=0.0.0.0 \
    MONKEYTOWN_PORT=8000 \
    MONKEYTOWN_LOG_FORMAT=json \
    MONKEYTOWN_DATA_FOLDER=/data
WORKDIR /games
# By number, so that who runs it can see that this is not root.
USER 10001:10001
# What must last, unless MONKEYTOWN_DATABASE_URL names a database; and what waits for that one.
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['MONKEYTOWN_PORT']}/health/ready\", timeout=2)"]
# The exec form makes the server PID 1, so that it gets the signal of a stop itself.
STOPSIGNAL SIGTERM
ENTRYPOINT ["monkeytown"]
CMD ["run", "jungle"]
