"""The largest numbers that a scenario may hold."""

MAX_TOTAL = 1_000_000_000
"""Most casualties of a run, and largest strength of a front."""

MAX_DAYS = 3650

MAX_COUNT = 1_000_000
"""Most teams, bays, tables, beds or places of one facility."""

MAX_FACILITIES = 1000
MAX_LINKS = 4000
MAX_VEHICLES = 1000
