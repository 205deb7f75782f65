"""The terminal: is a person reading, and with colours."""

from __future__ import annotations

import os
import sys

import click


def coloured() -> bool:
    """Whether stdout is a terminal that wants colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def echo(text: str) -> None:
    """Prints finished text to stdout."""
    click.echo(text, nl=False, color=coloured())
