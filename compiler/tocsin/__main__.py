"""The entry of the command, and of `python -m tocsin`. Whoever presses Ctrl-C while Python still reads the command line's own modules is answered as ever."""

from __future__ import annotations

import sys


def main() -> int:
    """As `tocsin.cli.main`."""
    try:
        from tocsin.cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("cancelled; nothing half-written was left behind\n")
        return 5


if __name__ == "__main__":
    sys.exit(main())
