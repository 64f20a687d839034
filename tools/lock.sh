#!/bin/sh
# Renews the lock files: every dependency with version and hashes, for all supported Pythons, without any index address.
set -eu
export UV_CUSTOM_COMPILE_COMMAND="make lock"
uv="$(command -v uv || echo .venv/bin/uv)"
compile="$uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate"
$compile pyproject.toml tools/build-requirements.txt --output-file requirements.lock
$compile pyproject.toml tools/build-requirements.txt --all-extras --group dev --output-file requirements-dev.lock
