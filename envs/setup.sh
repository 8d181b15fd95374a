#!/bin/sh
# Create the environment .venv: `sh envs/setup.sh LOCK...` installs the given lock files.
# `sh envs/setup.sh --without-cuda LOCK` adds a lock file with PyTorch for the CPU.
# PYTHON, if set, names the interpreter; a .venv of another version is then recreated. Otherwise the
# first Python of 3.12 or newer is used, or uv installs one, or a message explains how to get one.
set -eu
cd "$(dirname "$0")/.."
# `python3` must be the one outside .venv, which cannot recreate itself.
PATH=$(printf %s ":$PATH:" | sed "s|:$PWD/\.venv/bin:|:|g; s|^:||; s|:\$||")

new_enough() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; }
version() { "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null || true; }

is_current() {
    [ -x .venv/bin/python ] && new_enough .venv/bin/python || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version "$PYTHON")" = "$(version .venv/bin/python)" ]
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" && command -v "$PYTHON" && return
        echo "PYTHON=$PYTHON is not Python 3.12 or newer with its venv module." >&2
        return 1
    fi
    for candidate in python3 python python3.12 python3.13 python3.14; do
        new_enough "$candidate" && command -v "$candidate" && return
    done
    if command -v uv >/dev/null 2>&1 && uv python install 3.12 >&2; then
        uv python find 3.12
        return
    fi
    cat >&2 <<'TEXT'
LAMMscope needs Python 3.12 or newer with its venv module, but none was found. Get one by any of
    Debian, Ubuntu   apt-get install python3.12 python3.12-venv
    Fedora           dnf install python3.12
    macOS            brew install python@3.12
    anywhere         install uv (`pip install uv`) and run this again: uv then downloads Python
    conda            conda create -n py312 python=3.12, then `conda activate py312`
or give its path: make setup PYTHON=/path/to/python3.12
TEXT
    return 1
}

# For make: check whether .venv has the version that PYTHON names.
if [ "${1:-}" = --is-current ]; then
    is_current
    exit
fi

if ! is_current; then
    python=$(find_python)
    echo "Creating .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv

# uv knows where PyTorch offers its wheels for the CPU. Their checksums are not in the lock file, as
# those of all other packages are.
if [ "${1:-}" = --without-cuda ]; then
    export VIRTUAL_ENV="$PWD/.venv"
    sed 's/ *\\$//; /^ /d; /^#/d' "$2" >.venv/constraints.txt
    .venv/bin/uv pip install --quiet --compile-bytecode --torch-backend cpu -c .venv/constraints.txt torch
    awk '/^[a-z]/ { kept = !/^(torch==|triton==|nvidia-|cuda-)/ } kept' "$2" >.venv/without-cuda.lock
    .venv/bin/uv pip install --quiet --compile-bytecode --require-hashes --no-deps -r .venv/without-cuda.lock
    exit
fi
for lock in "$@"; do set -- "$@" -r "$lock"; shift; done
# Without compiled bytecode every job would parse its imports again: ten seconds instead of one.
VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --compile-bytecode --require-hashes "$@"
