"""The demo's servers on 127.0.0.1: a Prometheus over a data folder and a folder of rules, and the Alertmanager it notifies.

    python -m demo.servers FOLDER

FOLDER holds `data` and `rules`. Their addresses go to FOLDER/addresses, as lines a shell can read, once both are ready; they end with standard input.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.real.components import alertmanager, prometheus
from tests.real.servers import running_alertmanager, running_prometheus


def main() -> int:
    folder = Path(sys.argv[1]).resolve()
    with running_alertmanager(
        alertmanager(), "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
    ) as alerts:
        config = (
            "global: {evaluation_interval: 30s}\n"
            f"rule_files: ['{folder}/rules/*.yaml']\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alerts.url.removeprefix('http://')}']}}]}}]}}\n"
        )
        flags = ["--web.enable-remote-write-receiver"]
        with running_prometheus(prometheus("2.53"), config, data=folder / "data", flags=flags) as server:
            lines = f"PROMETHEUS_URL={server.url}\nALERTMANAGER_URL={alerts.url}\n"
            (folder / "addresses.part").write_text(lines, encoding="utf-8")
            (folder / "addresses.part").rename(folder / "addresses")
            sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
