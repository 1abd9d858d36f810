"""Service numbers: no two casualties of a run and a nation have the same one (docs/model.md section 5.2.1).

A casualty's number in the run is permuted within all numbers of as many digits. The permutation is a Feistel network
of mixed radix (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002). It is a bijection whatever its
round function is.
"""

from typing import Any

import numpy as np

from engine.codes import SERVICE_NUMBER
from engine.numeric import compiled, words
from engine.tables import PatientRow

FEWEST_DIGITS = 8
_MOST_DIGITS = 32


@compiled
def mixed(half: int, word: int) -> Any:
    """Return the round function of `permuted`, a uint64: the bits of `half` and of `word`, well mixed."""
    shift = np.uint64(32)
    bits = (half ^ (word << shift)) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> shift)) * np.uint64(0xD6E8FEB86659FD93)
    return bits ^ (bits >> shift)


@compiled
def permuted(number: int, upper: int, lower: int, key: int, index: int) -> Any:
    """Return the image of `number` under a permutation of 0 to upper * lower - 1, which `key` and `index` choose.

    All are uint64, as the `words` of the generator are.
    """
    a, b, c, d = words(key, np.uint64(0), index, np.uint64(SERVICE_NUMBER))
    half_word = np.uint64(32)  # so that sums never pass 64 bits
    high = number // lower
    low = number - high * lower
    high = (high + (mixed(low, a) >> half_word)) % upper
    low = (low + (mixed(high, b) >> half_word)) % lower
    high = (high + (mixed(low, c) >> half_word)) % upper
    low = (low + (mixed(high, d) >> half_word)) % lower
    return high * lower + low


@compiled
def service_number(number: int, nation: int, key: int) -> int:
    """Return the service number of a casualty.

    Eight digits, the first of which is not 0, are used for the first 90,000,000 numbers, nine for the next
    900,000,000, and so on.

    Parameters
    ----------
    number
        The casualty's number in the run, from 0: see `ArrivalRow.number`.
    nation
        Index of the nation.
    key
        Key of the draws of purpose PERSON.
    """
    left = np.uint64(number)
    ten = np.uint64(10)
    digits = np.uint64(FEWEST_DIGITS)
    upper = np.uint64(1_000)  # its product with `lower` is the smallest number of so many digits
    lower = np.uint64(10_000)
    while left >= np.uint64(9) * upper * lower:
        left -= np.uint64(9) * upper * lower
        digits += np.uint64(1)
        if digits % np.uint64(2) == np.uint64(1):
            upper *= ten
        else:
            lower *= ten
    index = np.uint64(nation) * np.uint64(_MOST_DIGITS) + digits
    return int(upper * lower + permuted(left, np.uint64(9) * upper, lower, key, index))


@compiled
def set_service_number(record: PatientRow, key: int) -> None:
    """Replace the casualty's number in the run by the service number."""
    record.service_number = service_number(record.service_number, record.nation, key)
