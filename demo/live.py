"""Twelve minutes of twenty clusters' queues into a running Prometheus: two of them past, ten to come.

    python -m demo.live URL

Every sample has its own time and is in the server before it is due, so that what the rules see does not depend on how busy this machine is. One
cluster of the twenty is `canary-1`, the scope of tocsin.yaml.
"""

from __future__ import annotations

import sys
import time

from tests.equivalence.remote_write import push

PAST, COMING = 120, 590
"""Seconds. A Prometheus takes no sample from more than ten minutes ahead."""
BUSY = (1, 7)
"""Clusters whose queue is deep for four seconds of every eight; `canary-1` is one of them."""


def main() -> int:
    start = int(time.time()) - PAST
    series = []
    for number in range(20):
        cluster = "canary-1" if number == 1 else f"prod-{number}"
        high = 40.0 if number in BUSY else 0.0
        depth = [((start + at) * 1000, 40.0 + high * ((start + at) // 4 % 2)) for at in range(PAST + COMING)]
        series.append(([("__name__", "checkout_queue_depth"), ("cluster", cluster)], depth))
    push(sys.argv[1], series)
    return 0


if __name__ == "__main__":
    sys.exit(main())
