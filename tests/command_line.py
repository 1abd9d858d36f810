"""What the command line answers in a test. The fixture `call` of conftest.py runs it."""

from collections.abc import Callable
from typing import NamedTuple


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Answer]
