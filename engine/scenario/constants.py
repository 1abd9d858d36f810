"""The constants of the model, `scenarios/data/model`, with those that a scenario replaces."""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from engine.codes import LethalMechanism
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.treatments import FIRST_AID, TreatmentName, TreatmentSetting
from scenarios.tables import model_parameters

MODEL_FILES = ("arrivals", "care", "casualties", "consumption", "survival", "treatments", "vital_signs")
"""Names of the files of constants."""

NOT_CONSTANTS = ("source", "confidence")
"""Keys of each table that say where its values come from."""


MECHANISM_OF: dict[TreatmentName, int] = {
    "tourniquet": LethalMechanism.EXTREMITY_HAEMORRHAGE,
    "haemostatic_dressing": LethalMechanism.JUNCTIONAL_HAEMORRHAGE,
    "airway_adjunct": LethalMechanism.AIRWAY,
    "needle_decompression": LethalMechanism.TENSION_PNEUMOTHORAX,
    "tranexamic_acid": LethalMechanism.TORSO_HAEMORRHAGE,
}
"""By first aid for the wounded: the lethal mechanism that it acts on, its place in the lists of survival.toml."""

_TREATMENT = ("survival", "treatment")
_ALL_WOUNDS, _ALL_BUT_BRAIN = (0, 1, 2, 3, 4, 5), (1, 2, 3, 4, 5)


class ReplacedConstant(NamedTuple):
    """The constant that a setting of a scenario replaces."""

    path: tuple[str, ...]
    """File, tables and name."""
    places: tuple[int, ...] = ()
    """Of a list: the values that are replaced."""


CONSTANTS_OF_TREATMENTS: dict[tuple[TreatmentName, str], ReplacedConstant] = {
    **{
        (name, "success"): ReplacedConstant((*_TREATMENT, "first_aid_works"), (mechanism,))
        for name, mechanism in MECHANISM_OF.items()
    },
    **{
        (name, "rate"): ReplacedConstant((*_TREATMENT, "rate_after_first_aid"), (mechanism,))
        for name, mechanism in MECHANISM_OF.items()
    },
    ("autoinjector", "success"): ReplacedConstant((*_TREATMENT, "agent", "first_aid_works")),
    ("autoinjector", "rate"): ReplacedConstant((*_TREATMENT, "agent", "rate_after_first_aid")),
    ("prehospital_blood", "success"): ReplacedConstant((*_TREATMENT, "prehospital_blood", "works")),
    ("prehospital_blood", "rate"): ReplacedConstant((*_TREATMENT, "prehospital_blood", "rate_after")),
    ("resuscitation", "success"): ReplacedConstant((*_TREATMENT, "resuscitation", "works")),
    ("resuscitation", "rate"): ReplacedConstant((*_TREATMENT, "rate_after_resuscitation"), _ALL_WOUNDS),
    ("resuscitation", "delay_minutes"): ReplacedConstant(("care", "waits", "door_to_resuscitation")),
    ("surgery", "success"): ReplacedConstant((*_TREATMENT, "surgery_succeeds"), _ALL_BUT_BRAIN),
    ("surgery", "delay_minutes"): ReplacedConstant(("care", "waits", "resuscitation_to_surgery")),
    ("atropine_and_oxime", "success"): ReplacedConstant((*_TREATMENT, "agent", "treatment_succeeds")),
    ("atropine_and_oxime", "rate"): ReplacedConstant((*_TREATMENT, "agent", "rate_after_resuscitation")),
    ("emergency_care", "success"): ReplacedConstant((*_TREATMENT, "dnbi", "treatment_succeeds")),
}
"""By treatment and field; the delay of first aid of one kind has no constant of its own."""

FIRST_AID_MEDIAN = ReplacedConstant((*_TREATMENT, "first_aid_median_minutes"))

CONSTANTS_OF_SETTINGS: dict[str, ReplacedConstant] = {
    "survival.first_aid_minutes": FIRST_AID_MEDIAN,
    "survival.tbi_success": ReplacedConstant((*_TREATMENT, "surgery_succeeds"), (LethalMechanism.TBI,)),
    "survival.late_hazard": ReplacedConstant(("survival", "late", "probability")),
    "triage_accuracy": ReplacedConstant(("care", "triage", "right")),
}
"""By setting of a scenario that replaces a single constant, or all values of a table by one."""


class HasModel(Protocol):
    """A scenario, or those of its fields that a cached value is built from."""

    @property
    def model(self) -> Mapping[str, Any]:
        """The constants that the scenario replaces: by file, table and name."""
        ...

    @property
    def treatments(self) -> Mapping[TreatmentName, TreatmentSetting]:
        """What the scenario changes of single treatments."""
        ...


def is_available(scenario: HasModel, name: TreatmentName) -> bool:
    """Whether a treatment is given in the scenario."""
    setting = scenario.treatments.get(name)
    if setting is None or setting.available is None:
        return name != "prehospital_blood"
    return setting.available


class ChangedConstant(NamedTuple):
    """A constant, or a field of a treatment, that a scenario replaces."""

    path: str
    """Where the scenario replaces it: `model` with file, tables and name, or the path of the setting."""
    old: Any
    """The value without that: the model's own, unless another setting of the scenario replaces it too."""
    new: Any
    """The scenario's value."""


def model_constants(scenario: HasModel, name: str) -> dict[str, Any]:
    r"""The constants of a file of `scenarios/data/model`, with those that the scenario replaces.

    Callers must not change it.

    Parameters
    ----------
    scenario
        A scenario that `check` accepts.
    name
        The file, one of `MODEL_FILES`.

    Examples
    --------
    >>> from engine.scenario import model_constants, parse
    >>> scenario = parse(b'name = "cold"\n[model.survival.clock_factors]\ncold = 1.3', "toml")
    >>> model_constants(scenario, "survival")["clock_factors"]["cold"]
    1.3
    """
    own: dict[str, Any] = model_parameters(name)
    replaced = scenario.model.get(name)
    merged = _merged(own, replaced) if replaced else own
    for (treatment, field), constant in CONSTANTS_OF_TREATMENTS.items():
        setting = scenario.treatments.get(treatment)
        value = None if setting is None else getattr(setting, field)
        if value is not None and constant.path[0] == name:
            merged = _with_value(merged, constant.path[1:], constant.places, value)
    return merged


def changed_constants(scenario: Scenario) -> list[ChangedConstant]:
    """What a scenario replaces by another value: constants by path, settings of the scenario, fields of treatments.

    The old value is the one without this setting: that of a constant, or of the more general setting, if the scenario
    replaces that as well.
    """
    found = [
        change
        for name, replaced in sorted(scenario.model.items())
        for change in _changes(f"model.{name}", model_parameters(name), replaced)
    ]
    without = replace(scenario, treatments={})
    for setting, constant in CONSTANTS_OF_SETTINGS.items():
        new = attrgetter(setting)(scenario)
        old = _value_of(without, constant)
        if new is not None and any(value != new for value in _values(old)):
            found.append(ChangedConstant(setting, old, new))
    for name, treatment in sorted(scenario.treatments.items()):
        for field in TreatmentSetting.__struct_fields__:
            new = getattr(treatment, field)
            if new is not None and new != (old := _without_treatment(without, name, field)):
                found.append(ChangedConstant(f"treatments.{name}.{field}", old, new))
    return found


def _without_treatment(scenario: Scenario, name: TreatmentName, field: str) -> Any:
    """What a field of a treatment is in a scenario that changes no treatment."""
    if field == "available":
        return name != "prehospital_blood"
    if field == "delay_minutes" and name in FIRST_AID:
        own = scenario.survival.first_aid_minutes
        return own if own is not None else _value_of(scenario, FIRST_AID_MEDIAN)
    return _value_of(scenario, CONSTANTS_OF_TREATMENTS[name, field])


def _value_of(scenario: HasModel, constant: ReplacedConstant) -> Any:
    """The value of a constant in a scenario; of a list, the values at its places, one alone without the list."""
    file, *path = constant.path
    value: Any = model_constants(scenario, file)
    for key in path:
        value = value[key]
    values = [value[place] for place in constant.places]
    return value if not values else values[0] if len(values) == 1 else values


def _values(value: Any) -> list[Any]:
    """All values of a constant: of a table those of its keys that are constants."""
    if isinstance(value, Mapping):
        return [item for key, item in value.items() if key not in NOT_CONSTANTS]
    return value if isinstance(value, list) else [value]


def _with_value(
    table: Mapping[str, Any], path: tuple[str, ...], places: tuple[int, ...], value: float
) -> dict[str, Any]:
    """A table in which the value at `path` is replaced; of a list, the values at `places`."""
    key, *rest = path
    if rest:
        inside: Any = _with_value(table[key], tuple(rest), places, value)
    elif places:
        inside = [float(value) if place in places else own for place, own in enumerate(table[key])]
    else:
        inside = float(value)
    return {**table, key: inside}


def _merged(own: Mapping[str, Any], replaced: Mapping[str, Any]) -> dict[str, Any]:
    """A table with some values replaced; a value takes the type of the one that it replaces."""
    result = dict(own)
    for key, value in replaced.items():
        result[key] = _merged(own[key], value) if isinstance(own[key], Mapping) else _like(own[key], value)
    return result


def _like(own: Any, value: Any) -> Any:
    """A value of the type of `own`: whole numbers become floats where the constant is one."""
    if isinstance(own, list):
        return [_like(one, other) for one, other in zip(own, value, strict=True)]
    return float(value) if isinstance(own, float) else value


def _changes(place: str, own: Mapping[str, Any], replaced: Mapping[str, Any]) -> Iterator[ChangedConstant]:
    for key, value in replaced.items():
        inside = f"{place}.{key}"
        if isinstance(own[key], Mapping):
            yield from _changes(inside, own[key], value)
        elif _like(own[key], value) != own[key]:
            yield ChangedConstant(inside, own[key], _like(own[key], value))
