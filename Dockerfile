# tocsin with its site builder and promtool, as a user that is not root. Mount a rule repository at /repository:
#
#   docker build -t tocsin .
#   docker run --rm -v "$PWD:/repository:ro" tocsin check
#
# A version tag and not a digest: point releases of the base bring its security updates.
FROM debian:12.12-slim

RUN apt-get update -q && \
    apt-get install -y -q --no-install-recommends ca-certificates git prometheus python3 python3-venv && \
    rm -rf /var/lib/apt/lists/*

COPY pyproject.toml constraints.txt README.md LICENSE /source/
COPY compiler /source/compiler

RUN python3 -m venv /opt/tocsin && \
    /opt/tocsin/bin/pip install -q --no-cache-dir --disable-pip-version-check -c /source/constraints.txt '/source[site]' && \
    useradd --create-home --shell /usr/sbin/nologin tocsin && \
    git config --system --add safe.directory /repository

USER tocsin
WORKDIR /repository
ENV PATH="/opt/tocsin/bin:$PATH"
ENTRYPOINT ["tocsin"]
CMD ["--help"]
