"""Benchmarks: speed and memory, the model against published figures and theory, and runs under faults."""

from goldenhour.console import relax_encodings

relax_encodings()
