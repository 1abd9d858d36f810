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
    help="The format of the files: jsonl, json, msgpack, csv or parquet.",
)
def schema(fmt: str) -> None:
    """Print the schema of patient files.

    For jsonl, json and msgpack this is the JSON Schema of one record, for csv and parquet a Data Package with a Table
    Schema for each table.
    """
    flat = len(records.FORMATS[fmt].tables) > 1
    document = records.table_schema() if flat else records.record_schema()
    console.print_json(document)
