"""Measures for planners: of patients, of the network's resources, and of the whole run."""

from engine.measures.counting import count_chunk
from engine.measures.files import encode_run_table, run_arrow_table, table_rows
from engine.measures.patients import Measures
from engine.measures.resources import FlowMeasures, Statistics
from engine.measures.whole_run import (
    MEASURES,
    RUN_COLUMNS,
    RunTable,
    facilities_table,
    find_measures,
    flow_of,
    measures_table,
    summary,
)

__all__ = [
    "MEASURES",
    "RUN_COLUMNS",
    "FlowMeasures",
    "Measures",
    "RunTable",
    "Statistics",
    "count_chunk",
    "encode_run_table",
    "facilities_table",
    "find_measures",
    "flow_of",
    "measures_table",
    "run_arrow_table",
    "summary",
    "table_rows",
]
