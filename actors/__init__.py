"""The distributed part: Ray actors and tasks, stores and caches, and the pipeline that runs a scenario."""
