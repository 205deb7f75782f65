#!/usr/bin/env bash
# Makes sure that the headless Chromium of the browser tests is here. Quick when it already is.
# It is Debian's own package: the browser that Playwright would download is not in any archive a build machine trusts.
set -euo pipefail

works() { "${1}" --headless --no-sandbox --disable-gpu --version >/dev/null 2>&1; }
for each in "${TOCSIN_CHROMIUM:-/usr/bin/chromium}" /usr/bin/chromium-browser; do
    if [ -x "$each" ] && works "$each"; then
        exit 0
    fi
done

stop() {
    printf 'browser: %s\n' "$@" >&2
    exit 3
}
as=()
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || stop "Chromium is not here; as root: apt-get install chromium"
    as=(sudo -n)
fi
command -v apt-get >/dev/null || stop "Chromium is not here, and this is no Debian" "install it and name it: TOCSIN_CHROMIUM=/path/to/chromium"
echo "browser: installing chromium" >&2
"${as[@]}" apt-get update -q >&2
# fonts: without any, text has no width and a Chinese page no glyphs.
"${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core fonts-noto-cjk >&2 ||
    stop "Chromium could not be installed; as root: apt-get install chromium"
works /usr/bin/chromium || stop "Chromium was installed and does not start"
