"""The largest and the smallest numbers that a scenario may hold.

The kernel handles an event for each period that passes, so a period has a lower bound. So has what a time is divided
by or multiplied with. Every other number may go down to 0, or to the smallest above 0: it is a share, a count, or a
time that nothing repeats. Bounds of what several settings give together are in `engine.scenario.checks.products`.
"""

MAX_TOTAL = 1_000_000_000
"""Most casualties of a run, and largest strength of a front."""

MAX_DAYS = 3650

MAX_HORIZON_DAYS = 10 * MAX_DAYS
"""Longest time that a run follows its patients: a century."""

MAX_COUNT = 1_000_000
"""Most teams, bays, tables, beds or places of one facility."""

MAX_POOL = 100_000
"""Most vehicles of one pool."""

MAX_FRONTS = 200
MAX_FACILITIES = 1000
MAX_LINKS = 4000
MAX_VEHICLES = 1000

MAX_LINK_FRONTS = 200_000
"""Most pairs of a link and a front that it serves: fifty fronts on each of the most links."""

MAX_WAYS, MAX_CANDIDATES = 4000, 8000
"""Most sets of links among which patients of a front choose at a place, and links in them; see `engine.tables`."""

MAX_FACILITIES_ON_WAY = 10
"""Most facilities and staging units on a way: the kernel's tables have room for them. Theatres have six."""

MAX_RATE_PARTS = 10
"""Most distributions that a daily rate is the sum of."""

MAX_INCIDENTS = 10_000
"""Most rows of listed incidents, a CSV file's lines included."""

MAX_LISTED_ROWS = 20_000
"""Most rows where each of the `numbers` of a series counts as one."""

MAX_LISTED = 1_000_000
"""Most listed casualties: all of them are held in memory."""

MAX_ROW_NUMBER, MAX_ROW_NUMBERS, MAX_ROW_CONDITIONS = 100_000, 1000, 10
"""Most casualties of a row of listed incidents, entries of its series, and conditions of each casualty."""

MAX_CELL_DAYS = 2_500_000
"""Most days times kinds of casualties by front: ten years of two hundred fronts with three kinds."""

MIN_INTERVAL_HOURS = 0.05
"""Shortest time between two lifts or two deliveries: three minutes, as buses run at the busiest."""

MIN_RETRIAGE_MINUTES = 1.0
"""Shortest interval of re-triage: no patient is triaged faster."""

MIN_SPEED_KMH = 0.5
"""Slowest vehicle: stretcher bearers on bad ground are twice as fast."""

MIN_FACTOR, MAX_FACTOR = 0.01, 100.0
"""Least and greatest factor that moves of facilities put on the time of a link, each and together."""

MAX_MINUTES = 1e6
"""Longest mean of a duration: almost two years."""

MIN_MEAN = 1e-6
"""Smallest mean, median or standard deviation above 0, in the unit of its place: below it, squares underflow."""

MAX_RARE = 0.99
"""Most often that a lift may be cancelled, or the weather ground a pool, if it moves at all."""
