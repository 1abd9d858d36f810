"""The purposes of random draws, and the blocks of the generator that each draw uses.

A draw is a pure function of the key of its purpose and a counter (cell, index, block); see docs/model.md section 5.2. A
block gives four words. No two draws of a casualty may share purpose, block and word.
"""

from engine.codes.base import Code


class DrawPurpose(Code):
    """Purposes of draws. Each has its own key, computed from seed, replication and label."""

    CARE = 0
    """Triage, service times, vital signs."""
    INJURY = 1
    """Wounds and conditions."""
    PERSON = 2
    """Identity and demographics."""
    SURVIVAL = 3
    """Lethality, the survival clock, outcomes."""
    TRAVEL = 4
    """Travel times and the choice of a destination."""
    VEHICLES = 5
    """Losses, weather, cancelled lifts, hits."""


# CARE: blocks of a casualty; the blocks of consecutive legs are LEG_BLOCKS apart.
FIRST_RESPONDER = 0
"""Words 0: delay of first aid; 1: triage at the point of injury."""
TRIAGE_AND_TREATMENT = 1
"""Words 0: triage; 1: treatment time; 2: success of resuscitation, or rescue of the ill; 3: triage time.

Plus LEG_BLOCKS * leg."""
OPERATION = 2
"""Words 0: operating time; 1: success; 2: when the definitive operation is due; 3: when a burn is excised.

Plus LEG_BLOCKS * leg.
"""
INTENSIVE_CARE = 3
"""Words 0: stay in intensive care; 1: pace of the treatments in a bay; 2: how long the journey to Role 4 takes to
arrange. Plus LEG_BLOCKS * leg."""
LEG_BLOCKS = 4
VITAL_SIGNS = 4096
"""Of the person and the injury, three blocks. Plus VITAL_SIGNS_BLOCKS times the number of the reading, from 1 on: the
errors of the signs, the drifts, and what was not taken or the errors of laboratory values."""
VITAL_SIGNS_BLOCKS = 3
RETRIAGE = 8192
"""Word 0: triage again. Plus the number of the re-triage."""
REOPERATION = 1 << 31
"""Words 0: whether another operation follows; 1: the interval; 2: its time; 3: the stay in intensive care after it.
Plus REOPERATION_BLOCKS * leg plus the number of operations before it at the facility."""
REOPERATION_BLOCKS = 8
FIELD_CARE = 1 << 30
"""At the point of injury, words 0: start of field triage; 1: its duration; 2: duration of first aid; 3: pace of the
treatments there and on the way."""

# INJURY
CASUALTY_SEVERITY = 0
"""Of the wounded, words 1: latent severity; 2: instant death; 3: number of wounds. Of the others, 0 and 1: illness; 2:
triage; 3: condition."""
ILLNESS_CAUSE = 1
"""Word 0: external cause of a casualty without weapon wounds."""
SECOND_DIAGNOSES = 2
"""Words 0 to 3: the first four further diagnoses of the ill; the next block has the next four."""
INCIDENT_CAUSE = 0
"""Of an incident, words 0: mechanism; 1: external cause."""
WOUND_DRAWS = 16
"""Words 0: region; 1: AIS; 2: side; 3: condition. Plus the number of the wound."""

# PERSON
IDENTITY = 0
"""Words 0 to 3: nation, sex, rank, age."""
BIRTH_AND_NAMES = 1
"""Words 0 to 3: day of birth, given name, family name, unit."""
BODY = 2
"""Words 0 and 1: blood group, weight."""
SERVICE_NUMBER = 16
"""Words 0 to 3: rounds of the permutation of service numbers; keyed by nation and digits."""

# SURVIVAL
LETHALITY = 0
"""Words 0: lethal; 1: life; 2: mechanism, or onset of symptoms; 3: triage."""
STAY = 1
"""Words 1: length of stay; 2: T4, of those at the edge."""
LATE_DEATH = 2
"""Words 0: late death; 1: its time; 2: the complication that kills; 3: its onset."""
FIRST_AID = 3
"""Words 0: success of first aid; 1: of blood on the way to the first facility; 2: units of blood."""
MATRIX_START = 7
"""Words 1: triage category; 2: time of death, under transition-matrix routing."""
MATRIX_OUTCOME = 8
"""Word 0: outcome of a place under transition-matrix routing. Plus the role, 0 at the point of injury."""
COMPLICATION_DRAWS = 16
"""Words 0 and 1: whether it occurs and when, of the first complication of two; 2 and 3: of the second. Plus half the
number of the complication."""

# TRAVEL: the block of a ride is the number of the leg.
EMPTY_RETURN = 1024
"""Word 0: return of a vehicle that found no patient; keyed by pool and sortie."""
WAY_OUT = 2048
"""Word 0: travel of a vehicle to the casualty. Plus leg plus WAY_OUT_BLOCKS * vehicles sent before."""
WAY_OUT_BLOCKS = 128
DESTINATION_CHOICE = 4096
"""Word 2: choice of a destination under spread-out. Plus DESTINATION_BLOCKS * leg plus the candidate's number."""
DESTINATION_BLOCKS = 64

# VEHICLES: counted by pool and sortie, except weather (pool and day) and hits (casualty).
SORTIE_LOSS = 0
WEATHER = 1
LIFT_CANCELLED = 2
HIT = 16
"""Word 0: death of the casualty. Plus the number of the world event."""


class RecordDraw(Code):
    """Purposes of draws that are made when a record is written: hashes of an id, which is itself a draw.

    They need no key: the id of a patient or of an incident differs from run to run, and no other draw uses it.
    """

    POSTURE = 0
    """Of an incident: where its casualties were."""
    PROTECTION = 1
    ALLERGY = 2
    HISTORY = 3
    MEDICATION = 4
