"""Units of time. The simulation counts in milliseconds."""

MINUTE = 60_000.0
HOUR = 60.0 * MINUTE
DAY = 24.0 * HOUR
