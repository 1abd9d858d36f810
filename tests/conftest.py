"""Settings for all tests.

Property tests draw the same examples every time and take as long as they take. A shell that starts the tests in the
background makes them ignore the interrupt signal, and so would every process they start: they listen to it again.
"""

import signal

from hypothesis import settings

settings.register_profile("goldenhour", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("goldenhour")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
