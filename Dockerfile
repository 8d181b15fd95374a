# The workflow and its environment as an image (docs/installation.md): docker build -t lammscope .
# More engines: --build-arg LOCKS="requirements.lock requirements-edger.lock".
# A mirror, or a base image fixed by its digest: --build-arg BASE=...
ARG BASE=python:3.12-slim-trixie

FROM ${BASE} AS environment
WORKDIR /opt/lammscope
COPY requirements.lock requirements-edger.lock requirements-scvi.lock ./
COPY envs/setup.sh envs/
ARG LOCKS=requirements.lock
# The installer is needed here only.
RUN sh envs/setup.sh ${LOCKS} && rm .venv/bin/uv .venv/bin/uvx

FROM ${BASE}
WORKDIR /opt/lammscope
COPY --from=environment /opt/lammscope/.venv .venv
COPY Snakefile LICENSE CITATION.cff ./
COPY config config
COPY envs envs
COPY lammscope lammscope
COPY profiles profiles
COPY resources resources
COPY workflow workflow
RUN .venv/bin/python -m compileall -q lammscope && mkdir /data
ENV PATH=/opt/lammscope/.venv/bin:${PATH}
# `python -m lammscope.check` works from any folder.
ENV PYTHONPATH=/opt/lammscope
# Caches go where every user may write; results only to the mounted folder.
ENV HOME=/tmp
# Snakemake asks for a name, which a user of another machine does not have here.
ENV USER=lammscope
USER 1000:1000
WORKDIR /data
ENTRYPOINT ["snakemake", "--snakefile", "/opt/lammscope/Snakefile"]
CMD ["--help"]
