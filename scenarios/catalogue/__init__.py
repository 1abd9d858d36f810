"""The catalogue: nations, names, ranks, blood groups, units, diagnoses and external causes that a run draws from.

The data lie under `scenarios/data` with their sources and confidence tags. This package only loads them, each table
once and on first use. A column of codes holds the position of an entry in its tuple: WOUND.condition and
PATIENT.condition point into `conditions()`, PATIENT.cause into `external_causes()`, PATIENT.nation into `nations()`,
and so on. So the order of the entries is part of the data.

The displays of ICD-10-CM codes are `simple_icd_10_cm.get_description(code)`, cleaned by `scenarios.texts.clean_text`:
the full title of the code with its seventh character. (In that release the titles of some open fractures hold a tab.)
"""

from scenarios.catalogue.care import (
    MechanismCare,
    NeedRule,
    Needs,
    TreatmentKind,
    condition_needs,
    mechanism_care,
    need_rules,
    needs_of,
    treatment_kinds,
)
from scenarios.catalogue.case_mix import (
    AgentGrade,
    AgentKind,
    CauseKind,
    Group,
    MixFactor,
    SecondDiagnosis,
    agent_grades,
    agent_kinds,
    cause_kinds,
    groups,
    mix_factors,
    second_diagnoses,
)
from scenarios.catalogue.diagnoses import (
    UNSIDED_REGIONS,
    Cause,
    Condition,
    Exclusion,
    Snomed,
    Source,
    condition_keys,
    conditions,
    exclusions,
    external_causes,
    snomed,
    snomed_notice,
    sources,
    wound_fits,
)
from scenarios.catalogue.exclusions import exclude_each_other, excluded_pairs
from scenarios.catalogue.people import (
    BloodGroup,
    Names,
    Nation,
    Rank,
    blood_groups,
    names,
    nation_index,
    nations,
    units,
)
from scenarios.catalogue.tables import CatalogueError
from scenarios.catalogue.vocabulary import Agent, Climate, Grade, Season

__all__ = [
    "UNSIDED_REGIONS",
    "Agent",
    "AgentGrade",
    "AgentKind",
    "BloodGroup",
    "CatalogueError",
    "Cause",
    "CauseKind",
    "Climate",
    "Condition",
    "Exclusion",
    "Grade",
    "Group",
    "MechanismCare",
    "MixFactor",
    "Names",
    "Nation",
    "NeedRule",
    "Needs",
    "Rank",
    "Season",
    "SecondDiagnosis",
    "Snomed",
    "Source",
    "TreatmentKind",
    "agent_grades",
    "agent_kinds",
    "blood_groups",
    "cause_kinds",
    "condition_keys",
    "condition_needs",
    "conditions",
    "exclude_each_other",
    "excluded_pairs",
    "exclusions",
    "external_causes",
    "groups",
    "mechanism_care",
    "mix_factors",
    "names",
    "nation_index",
    "nations",
    "need_rules",
    "needs_of",
    "second_diagnoses",
    "snomed",
    "snomed_notice",
    "sources",
    "treatment_kinds",
    "units",
    "wound_fits",
]
