"""`tocsin schema`: the formats, for editors and for people."""

from __future__ import annotations

import click

from tocsin.source.schema import KINDS, Kind, schema_text


@click.command("schema")
@click.argument("kind", type=click.Choice(KINDS), required=False)
def schema_command(kind: Kind | None) -> int:
    """Print the JSON Schema of a source format; without KIND, the names there are.

    An editor that speaks YAML shows them as hover help: `# yaml-language-server: $schema=.tocsin/schemas/rules.schema.json`.
    """
    click.echo(schema_text(kind).rstrip() if kind is not None else "\n".join(sorted(KINDS)))
    return 0
