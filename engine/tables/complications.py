"""What complications there are, who is at risk, and when they occur (docs/model.md section 2.5.8)."""

from typing import Annotated

from engine.codes import Complication
from engine.tables.care import CONDITIONS
from engine.tables.rows import Float64, Floats, Int64, Ints, Row, dtype_of

COMPLICATION_RISKS = 128
"""Most rows of `complication_risks.csv`."""

COMPLICATION_TREATMENTS = 4
"""Most treatments that one complication calls for."""


class ComplicationTables(Row):
    """The CSV files of complications, and their thresholds. K kinds; masks have the bit 1 << `Risk`."""

    # rows of risks in the order of the kinds: those of kind k are first[k] to first[k + 1] - 1
    first: Annotated[Ints, "i8", len(Complication) + 1]
    risks: Annotated[Ints, "i8", COMPLICATION_RISKS]  # mask of what must all be there
    without: Annotated[Ints, "i8", COMPLICATION_RISKS]  # mask of what must not
    chance: Annotated[Floats, "f8", COMPLICATION_RISKS]
    named: Annotated[Ints, "i8", len(Complication)]  # mask of what some row of the kind names
    any: Annotated[Ints, "i8", 1]  # mask of what some row names; 0: there are no complications
    from_transfusion: Annotated[Ints, "u1", len(Complication)]  # 1: times count from it, else from the injury
    earliest: Annotated[Floats, "f8", len(Complication)]  # ms
    scale: Annotated[Floats, "f8", len(Complication)]  # ms from then to the median
    sigma: Annotated[Floats, "f8", len(Complication)]  # of the logarithm of this time
    stay: Annotated[Floats, "f8", len(Complication)]  # ms added to the stay
    leaves: Annotated[Ints, "u1", len(Complication)]  # 1: ends duty in theatre
    treatments: Annotated[Ints, "u1", (len(Complication), COMPLICATION_TREATMENTS)]  # Treatment; NONE
    busy: Annotated[Floats, "f8", len(Complication)]  # ms that they take
    kills: Annotated[Floats, "f8", len(Complication)]  # weight among those that a late death is of
    limbs: Annotated[Ints, "u1", (len(Complication), 2)]  # 1: its code names the arm; the leg
    of_condition: Annotated[Ints, "i8", CONDITIONS]  # mask of the risks that a condition brings
    limb: Annotated[Ints, "u1", CONDITIONS]  # `Limb` of a condition
    massive_units: Int64  # of blood, from which a transfusion is massive
    tourniquet_time: Float64  # ms from the injury to the operation, after which a tourniquet is a risk
    shock_share: Float64  # share of the time to death that a bleeding casualty in shock has used on arrival


COMPLICATION_TABLES = dtype_of(ComplicationTables)
