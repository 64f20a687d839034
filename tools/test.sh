#!/bin/sh
# Every check of the project: lint, format, types, tests. The last line counts the tests.
set -eu
bin=.venv/bin

if ! PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v mosquitto >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "test: mosquitto is missing; installing it with apt-get" >&2
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto; } >/dev/null 2>&1 ||
            echo "test: apt-get could not install mosquitto; the tests that need it will be skipped" >&2
    else
        echo "test: no mosquitto on PATH (apt install mosquitto, or brew install mosquitto); the tests that need it will be skipped" >&2
    fi
fi

$bin/ruff check .
$bin/ruff format --check --quiet .
$bin/mypy
exec $bin/python -m pytest -q -n 2 --dist worksteal "$@"
