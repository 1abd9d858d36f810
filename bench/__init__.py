"""Benchmarks: speed and memory, the model against published figures and theory, and runs under faults."""
