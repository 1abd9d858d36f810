"""Codes of the vital signs: how closely a patient is watched, tubes, and what an illness does to the signs."""

from engine.codes.base import Code


class Watch(Code):
    """Who watches a patient, which decides how often signs are taken."""

    NOBODY = 0
    FIELD = 1
    """At the point of injury."""
    VEHICLE = 2
    BAY = 3
    """At a facility, until the patient lies in a bed."""
    OPERATION = 4
    INTENSIVE_CARE = 5
    WARD = 6
    """On a ward, or waiting to leave."""


class Tube(Code):
    """What a treatment means for the airway."""

    NONE = 0
    ANAESTHESIA = 1
    """Asleep and ventilated while it lasts."""
    STAYS = 2
    """Intubated until the tube is removed."""
    VENTILATOR = 3
    """Asleep and ventilated through a tube while it lasts."""


class SignPattern(Code):
    """What an illness or accident does to the signs: row of the table of illnesses."""

    NONE = 0
    FEVER = 1
    GUT = 2
    """Loss of fluid."""
    CHEST = 3
    COUGH = 4
    """The upper airways."""
    HEAT = 5
    STROKE = 6
    """Heatstroke."""
    COLD = 7
    ABDOMEN = 8
    HEART = 9
    SEIZURE = 10
    COLIC = 11
    MIND = 12
    SEPSIS = 13
    BRAIN = 14
    LIMB = 15
    TOXIC = 16
    ALLERGY = 17
    NERVE = 18
    """A nerve agent, whose signs have a table of their own."""
    CORD = 19
    """Spinal cord of neck and chest."""
    ACHE = 20
    """A complaint that hurts and does nothing else, such as a tendon, a headache or a sore back."""
    SPRAIN = 21
    """A sprain, strain or bruise."""
    FACE = 22
    """A sore eye, ear, sinus or tooth."""
    THROAT = 23
    """A sore throat with fever."""
    PRESSURE = 24
    """A high blood pressure."""


SIGN_PATTERNS = SignPattern.labels()
