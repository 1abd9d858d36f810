"""Settings for all tests: property tests draw the same examples every time and take as long as they take."""

from hypothesis import settings

settings.register_profile("goldenhour", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("goldenhour")
