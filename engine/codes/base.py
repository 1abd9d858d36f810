"""Codes: the small integers that stand for words in the columns of a table."""

from enum import IntEnum


class Code(IntEnum):
    """Base of the codes. A member's label, as files show it, is its name in lower case.

    Compiled functions may compare members, index with them and store them. They cannot call `int(member)`, convert a
    number to a member or iterate (docs/platform.md section 2.3).
    """

    @classmethod
    def labels(cls) -> tuple[str, ...]:
        """The labels by code, from 0 on.

        >>> from engine.codes.casualties import Stream
        >>> Stream.labels()
        ('battle', 'nbi', 'disease')
        """
        return tuple(member.name.lower() for member in cls)
