"""Injury scores: ISS and NISS of a casualty's wounds (docs/model.md section 2.4.2)."""

from engine.codes import IssRegion, Region
from engine.numeric import compiled
from engine.tables import Output

INSTANTLY_FATAL_AIS = 6
"""AIS of a wound that kills at once."""

_MAX_SCORE = 75
"""ISS and NISS of a casualty with a wound of AIS 6."""

_ISS_REGION_COUNT = len(IssRegion)


@compiled
def iss_region(region: int, ais: int) -> int:
    """Return the `IssRegion` of a wound: AIS 1 outside the face is a skin wound and counts as external."""
    if region in (Region.FACE, Region.EYES, Region.EARS):
        return IssRegion.FACE
    if ais == 1:
        return IssRegion.EXTERNAL
    if region in (Region.HEAD, Region.NECK):
        return IssRegion.HEAD_NECK
    if region == Region.THORAX:
        return IssRegion.CHEST
    if region == Region.ABDOMEN:
        return IssRegion.ABDOMEN
    return IssRegion.EXTREMITIES


@compiled
def severity_scores(output: Output, first: int, count: int) -> tuple[int, int]:
    """Return (ISS, NISS) of the wounds output.wounds[first:first + count] (docs/model.md section 2.4.2).

    ISS is the sum of squares of the worst AIS in the three worst ISS regions (Baker 1974), NISS that of the three worst
    wounds (Osler 1997). AIS 6 gives 75 for both.
    """
    worst = 0  # AIS of the worst wound of each ISS region, 4 bits each
    first_new = 0
    second_new = 0
    third_new = 0
    for number in range(first, first + count):
        ais = int(output.wounds[number].ais)
        if ais == INSTANTLY_FATAL_AIS:
            return _MAX_SCORE, _MAX_SCORE
        if ais > first_new:
            first_new, second_new, third_new = ais, first_new, second_new
        elif ais > second_new:
            second_new, third_new = ais, second_new
        elif ais > third_new:
            third_new = ais
        shift = int(4 * iss_region(output.wounds[number].region, ais))
        if (worst >> shift) & 15 < ais:
            worst = (worst & ~(15 << shift)) | (ais << shift)
    highest = 0
    second = 0
    third = 0
    for _ in range(_ISS_REGION_COUNT):
        ais = worst & 15
        worst = worst >> 4
        if ais > highest:
            highest, second, third = ais, highest, second
        elif ais > second:
            second, third = ais, second
        elif ais > third:
            third = ais
    return (
        highest * highest + second * second + third * third,
        first_new * first_new + second_new * second_new + third_new * third_new,
    )
