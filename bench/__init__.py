"""Benchmarks: throughput and memory, micro-benchmarks, and the model against published figures."""
