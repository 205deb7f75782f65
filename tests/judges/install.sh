#!/usr/bin/env bash
# Puts the judges of package.json into tests/judges/node_modules. Quick when they are already there.
set -euo pipefail
cd "$(dirname "$0")"

want=$(sha256sum package.json install.sh | sha256sum | cut -c1-16)
if [ "$(cat node_modules/.ready 2>/dev/null)" = "$want" ]; then
    exit 0
fi
command -v npm >/dev/null || {
    echo "judges: npm is not here; install Node.js 20 or newer (Debian: apt-get install npm)" >&2
    exit 3
}
echo "judges: installing $(sed -n 's/^    "\(.*\)": ".*/\1/p' package.json | paste -sd' ')" >&2
# No lock file: it would write down the registry of whoever ran this. Versions are exact in package.json.
npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error >&2
# What sarif-multitool's own install script would do.
chmod u+x node_modules/@microsoft/sarif-multitool-*/Sarif.Multitool
echo "$want" >node_modules/.ready
