#!/usr/bin/env bash
# The one check command (`make test`; `make lint` stops before the tests). With CI=true whatever is left out
# is a failure.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
# What is set for a running site must not reach the tests.
unset DATABASE_URL CELERY_BROKER_URL SECRET_KEY ALLOWED_HOSTS TIME_ZONE UPLOAD_ENABLED DJANGO_SETTINGS_MODULE
unset "${!SEQAUTO_@}"

failed=()
left_out=()

step() {
    local name=$1
    shift
    printf '\n== %s\n' "$name"
    "$@" || failed+=("$name")
}

postgres_url() {
    local url=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/seqauto}
    python - "$url" <<'PY' && echo "$url"
import sys, urllib.parse, psycopg2
parts = urllib.parse.urlsplit(sys.argv[1])
try:
    psycopg2.connect(parts._replace(path="/postgres").geturl(), connect_timeout=3).close()
except psycopg2.Error:
    sys.exit(1)
PY
}

# Debian's package for a program that tests need, installed where that is possible; says so.
has_program() {
    local program=$1 package=$2
    command -v "$program" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Debian's $package for the tests (apt-get install $package) ..."
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
    fi
    command -v "$program" >/dev/null
}

step "Format" ruff format --check .
step "Lint" ruff check .
step "Types" mypy
step "Migrations" python manage.py makemigrations --check --dry-run --settings settings.test
step "Import arrows" lint-imports

if [ "${1:-}" != lint ]; then
    has_program chromium chromium ||
        left_out+=("browser tests: no chromium (as root on Debian this script installs it)")
    has_program PicardCommandLine picard-tools ||
        left_out+=("conversions of real base calls: no picard-tools (as root on Debian this script installs it)")
    step "Tests on SQLite" pytest -q -n "${PYTEST_WORKERS:-2}"
    if url=$(postgres_url); then
        TEST_DATABASE_URL=$url step "Tests on PostgreSQL" \
            pytest -q -n "${PYTEST_WORKERS:-2}" -m "not browser and not broker" tests/seqauto
    else
        left_out+=("tests on PostgreSQL: no server answers (TEST_DATABASE_URL names one)")
    fi
fi

printf '\n'
for name in "${left_out[@]+"${left_out[@]}"}"; do echo "Left out: $name"; done
for name in "${failed[@]+"${failed[@]}"}"; do echo "Failed:   $name"; done
if [ ${#left_out[@]} -gt 0 ] && [ "${CI:-}" = true ]; then
    echo "In CI nothing may be left out."
    exit 1
fi
[ ${#failed[@]} -eq 0 ] && echo "All is well."
