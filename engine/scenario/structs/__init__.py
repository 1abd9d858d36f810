"""The parts of a scenario as msgspec Structs, one noun per module.

A field's `Meta` holds its bounds, which `parsing` checks, and its description, which is its documentation everywhere:
in commented scenario files and in the pages. Durations are minutes, rates are casualties per 1,000 strength per day,
shares are fractions of 1.
"""
