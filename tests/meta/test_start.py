"""`tocsin --help` answers before a person notices, because it loads click and nothing heavier."""

from __future__ import annotations

import subprocess
import sys

LIGHT = {"__main__", "tocsin", "click"}
# What an interpreter loads by itself where a packager left a start-up hook.
HOOKS = {"_distutils_hack", "sitecustomize", "usercustomize", "apport_python_hook"}

SCRIPT = """
import sys
before = set(sys.modules)
sys.argv = ["tocsin", "--help"]
from tocsin.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""


def test_help_loads_nothing_heavy() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Usage: tocsin" in run.stdout
    loaded = {name.partition(".")[0] for name in run.stderr.split()}
    assert "click" in loaded
    assert loaded - set(sys.stdlib_module_names) - LIGHT - HOOKS == set()
