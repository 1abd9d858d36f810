"""The weights of the days: how casualties spread over the time of a scenario."""

from math import fsum

from engine.scenario.structs.scenario import Scenario
from scenarios import tables


def day_weights_of(scenario: Scenario) -> list[float]:
    """Weight of each day, summing to 1; the list has `days` entries.

    The first of these that applies:

    - `day_weights` as written;
    - the `tempo`, which is `sustained` by default where there are warfare types: its table has eight entries, and day
      d (from 0) takes entry floor(8 d / days). `intermittent` repeats its eight entries instead;
    - under rates, even weights;
    - the day distribution of simulation_parameters.json (days 1, 2, 4 and 8 of an 8-day war), stretched to `days`.
      Days that fall on none of the four have weight 0.

    Under rates, a day's rate is multiplied by weight * days.
    """
    war_days = int(tables.default("war_days"))
    tempo = scenario.tempo or (tables.default("tempo") if scenario.warfare else None)
    if scenario.day_weights is not None:
        weights = list(scenario.day_weights)
    elif tempo is not None:
        pattern = tables.warfare_patterns()["tempo_patterns"][tempo]["daily_intensity"]
        repeats = tempo == "intermittent"
        weights = [
            float(pattern[day % war_days if repeats else war_days * day // scenario.days])
            for day in range(scenario.days)
        ]
    elif scenario.casualties.rates is not None:
        weights = [1.0] * scenario.days
    else:
        table = tables.simulation_parameters()["day_distribution"]
        by_day = [float(table.get(f"Day {day + 1}", 0.0)) for day in range(war_days)]
        weights = stretch_day_weights(by_day, scenario.days)
    total = fsum(weights)
    return [weight / total for weight in weights]


def stretch_day_weights(weights: list[float], days: int) -> list[float]:
    """Daily weights spread evenly over another number of days; their sum stays the same."""
    old_days = len(weights)
    stretched = []
    for day in range(days):  # in units of 1 / days of an old day, the new day lasts from begin to end
        begin, end = day * old_days, (day + 1) * old_days
        parts = [
            weights[i] * (min(end, (i + 1) * days) - max(begin, i * days)) / days
            for i in range(begin // days, -(-end // days))
        ]
        stretched.append(fsum(parts))
    return stretched
