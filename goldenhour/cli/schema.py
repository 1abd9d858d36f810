"""`goldenhour schema`: the schema of the records and tables, for other tools."""

import click

from engine import records
from goldenhour import console
from goldenhour.cli import options


def _format(ctx: click.Context, argument: click.Parameter, value: str) -> str:
    return options.choice(value, tuple(records.FORMATS), "--format")


@click.command()
@click.option(
    "--format",
    "fmt",
    metavar="F",
    default="jsonl",
    show_default=True,
    callback=_format,
    help=f"The format of the files: {', '.join(records.FORMATS)}.",
)
def schema(fmt: str) -> None:
    """Print the schema of the files of a run.

    For a format of records this is the JSON Schema of one record, for a format of tables a Data Package with a Table
    Schema for each table.
    """
    from engine.measures import RUN_COLUMNS  # needs NumPy, which `--help` does not

    flat = records.FORMATS[fmt].is_flat
    document = records.data_package(fmt, RUN_COLUMNS) if flat else records.record_schema()
    console.print_json(document)
