"""The concurrency: Ray actors and tasks, the writer, and the pipeline that wires one run together."""
