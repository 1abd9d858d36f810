"""Measures for planners: of patients, of the network's resources, and of the whole run."""

from engine.measures.blocking import count_blocking
from engine.measures.consumption import ConsumptionRates, consumption_rates, count_consumption
from engine.measures.counted import STAGE_MEANINGS
from engine.measures.counting import count_chunk
from engine.measures.delays import Delays, split_delays
from engine.measures.files import run_arrow_table, table_rows
from engine.measures.patients import Measures
from engine.measures.resources import FlowMeasures, intervals
from engine.measures.statistics import Statistics
from engine.measures.value_names import absent_value, named_values
from engine.measures.whole_run import (
    MEASURES,
    RUN_COLUMNS,
    consumption_table,
    facilities_table,
    find_measures,
    flow_of,
    measures_table,
    summary,
)

__all__ = [
    "MEASURES",
    "RUN_COLUMNS",
    "STAGE_MEANINGS",
    "ConsumptionRates",
    "Delays",
    "FlowMeasures",
    "Measures",
    "Statistics",
    "absent_value",
    "consumption_rates",
    "consumption_table",
    "count_blocking",
    "count_chunk",
    "count_consumption",
    "facilities_table",
    "find_measures",
    "flow_of",
    "intervals",
    "measures_table",
    "named_values",
    "run_arrow_table",
    "split_delays",
    "summary",
    "table_rows",
]
