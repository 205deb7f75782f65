"""`tocsin explain CODE`: why a code exists, with a bad and a good example."""

from __future__ import annotations

import re

import click

from tocsin.diag.codes import CODES, RETIRED
from tocsin.diag.explain import page
from tocsin.diag.nearest import did_you_mean
from tocsin.errors import UsageError


@click.command("explain")
@click.argument("code", required=False)
def explain_command(code: str | None) -> int:
    """Say why CODE exists and what to type instead; without CODE, list them all."""
    if code is None:
        for name, row in CODES.items():
            click.echo(f"{name}  {row.severity:<8}{row.slug}")
        return 0
    wanted = code.upper()
    slugs = {row.slug: name for name, row in CODES.items()}
    wanted = slugs.get(code.lower(), wanted)
    if wanted in RETIRED:
        raise UsageError(f"{wanted} is retired: nothing reports it any more")
    if wanted not in CODES:
        raise UsageError(f"there is no code `{code}`", help=did_you_mean(wanted, CODES))
    # The comments on a page are for the suite that runs its snippets.
    lines = [
        line
        for line in page(wanted).text.rstrip().split("\n")
        if not re.fullmatch(r"<!-- (run|with): .* -->", line)
    ]
    click.echo(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)))
    return 0
