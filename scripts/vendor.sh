#!/usr/bin/env bash
# Fetches the browser's libraries into static/vendor/: labs are offline, so pages load nothing from elsewhere.
# Run by hand (`make vendor`, needs npm) when a version below changes; the result is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
target=static/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch PACKAGE VERSION FILE...: these files of the package, and its licence, into $target/PACKAGE/
fetch() {
    local package=$1 version=$2 folder=$target/$1
    shift 2
    (cd "$work" && npm pack --silent "$package@$version" >/dev/null && tar xzf "$package-$version.tgz")
    rm -rf "$folder" && mkdir -p "$folder"
    cp "$work"/package/LICENSE* "$folder/"
    for file in "$@"; do
        install -D -m 644 "$work/package/$file" "$folder/${file#*/}"
    done
    # Source maps are not shipped, and collectstatic refuses files that name missing ones.
    find "$folder" -type f \( -name '*.css' -o -name '*.js' \) -print0 | xargs -0 sed -i '/^\/[/*]# sourceMappingURL=/d'
    echo "$package $version" >>"$work/${target////-}"
    rm -rf "$work/package"
}

fetch bootstrap 5.3.9 dist/css/bootstrap.min.css dist/js/bootstrap.bundle.min.js
fetch bootstrap-icons 1.13.2 font/bootstrap-icons.min.css font/fonts/bootstrap-icons.woff2 font/fonts/bootstrap-icons.woff
fetch htmx.org 2.0.11 dist/htmx.min.js
fetch chart.js 4.6.1 dist/chart.umd.min.js
# WhiteNoise hands out what lies compressed beside a file, here a third of its bytes.
gzip -9nkf static/vendor/{bootstrap/*,htmx.org,chart.js}/*.min.*
# Only tests need this one.
target=tests/browser/vendor
fetch axe-core 4.14.1 axe.min.js
for target in static/vendor tests/browser/vendor; do mv "$work/${target////-}" "$target/VERSIONS"; done
