"""What is checked before a scenario runs: `scenario.check` refuses what cannot be run and notes what has no effect."""
