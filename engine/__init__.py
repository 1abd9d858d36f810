"""The simulation: arrays in, arrays out. Knows no Ray, no database, no network, no wall clock."""
