#!/bin/sh
# Makes .venv and installs the locked dependencies and this project (editable) into it.
# usage: setup.sh LOCK_FILE STAMP_FILE      (PYTHON names the interpreter)
set -eu
lock=$1
stamp=$2
python=${PYTHON:-python3}
venv=.venv

if ! command -v "$python" >/dev/null 2>&1; then
    echo "setup: no $python on PATH. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: $("$python" --version) is too old, 3.11 or newer is needed. Name one: make PYTHON=python3.12" >&2
    exit 1
fi
if [ -x $venv/bin/python ] && ! $venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    rm -rf $venv
fi
if [ ! -x $venv/bin/python ]; then
    echo "setup: making $venv" >&2
    if ! "$python" -m venv $venv >/dev/null 2>&1; then
        # Debian's python3 comes without ensurepip; a pip of the system can fill an empty environment just as well.
        rm -rf $venv
        if ! "$python" -m venv --without-pip $venv >/dev/null 2>&1 || ! "$python" -m pip --version >/dev/null 2>&1; then
            rm -rf $venv
            echo "setup: $python can make no virtual environment. On Debian or Ubuntu: apt install python3-venv" >&2
            exit 1
        fi
    fi
fi
if $venv/bin/python -m pip --version >/dev/null 2>&1; then
    pip="$venv/bin/python -m pip"
else
    pip="$python -m pip --python $venv/bin/python"
fi
echo "setup: installing the locked dependencies ($lock)" >&2
$pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
$pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
touch "$stamp"
