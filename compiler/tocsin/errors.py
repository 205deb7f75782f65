"""What an operator, not an author, must fix. An author's mistake is a `Diagnostic`; anything else that is raised is our bug."""

from __future__ import annotations


class TocsinError(Exception):
    """One sentence for the operator, and the exit code the command ends with."""

    exit_code = 3

    def __init__(self, message: str, *, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class UsageError(TocsinError):
    """The command line asks for something that does not exist: an environment, a rule, a code."""

    exit_code = 2


class MachineError(TocsinError):
    """Something outside the repository is missing or refuses: a tool, a folder, a permission."""

    exit_code = 3


class Cancelled(TocsinError):
    """The person at the keyboard stopped the run."""

    exit_code = 5
