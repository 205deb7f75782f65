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


class RemoteError(MachineError):
    """A server's part in something that did not work. `endpoint` is `METHOD https://host/path`, without a query and without a secret."""

    def __init__(self, message: str, *, endpoint: str, help: str = "") -> None:
        super().__init__(message, help=help)
        self.endpoint = endpoint


class Unreachable(RemoteError):
    """A read that got no usable answer, after every attempt."""


class TooLong(Unreachable):
    """A read whose answer went on beyond what the door takes, in bytes or in seconds: less must be asked for."""


class NotSent(Unreachable):
    """No connection came about, so nothing of the request left: a write was certainly not applied."""


class Ambiguous(RemoteError):
    """A write was sent, and what became of it is not known. The caller reads back; nobody sends it again blindly.

    `status` is what was answered (500, 502, ...), None where no answer came; `said` is the server's own sentence.
    """

    def __init__(self, message: str, *, endpoint: str, status: int | None = None, said: str = "") -> None:
        super().__init__(message, endpoint=endpoint, help="it is read back before anything else is done")
        self.status = status
        self.said = said


class Refused(RemoteError):
    """The server answered, and the answer is no: nothing was applied. `kind` is Grafana's `messageId`, for decisions; `said` is for people."""

    def __init__(
        self, message: str, *, endpoint: str, status: int, kind: str = "", said: str = "", help: str = ""
    ) -> None:
        super().__init__(message, endpoint=endpoint, help=help)
        self.status = status
        self.kind = kind
        self.said = said


class Denied(Refused):
    """401 or 403: the credentials are missing, wrong, expired or not enough."""


class Redirected(Refused):
    """The server points elsewhere. It is not followed: a redirected write may arrive as a read, and a token at a stranger."""


class WrongShape(RemoteError):
    """A server's answer is not what its interface promises. `field` is the path inside the answer, `""` for the whole."""

    exit_code = 6

    def __init__(self, message: str, *, endpoint: str, field: str = "") -> None:
        super().__init__(
            message,
            endpoint=endpoint,
            help="is this the server it should be, and is nothing rewriting its answers?",
        )
        self.field = field


class Incompatible(MachineError):
    """The server is one that tocsin does not work with: too old, or of another kind."""

    exit_code = 6
