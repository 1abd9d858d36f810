"""Compile the names of each nation from Faker's person tables: `python -m scenarios.compile_names`.

Writes `scenarios/data/names/<code>.json`; the same Faker release gives the same bytes. Faker (MIT licence)
is a development dependency: a run reads the compiled tables only.

Faker falls back to US English without a word where it lacks a locale, so a locale is accepted only if a
provider module of exactly that name exists and its tables are its own. Nations without a locale have a table
in `names_supplement.toml`, which also puts common names before Faker's where Faker's list is short or runs to
rare ones.

Selection: supplement first, then Faker's names, without repetitions, titles and names that are not plain
Latin words; weighted tables by weight, others in their order; a table above the limit is thinned evenly,
because most are alphabetical.

Romanisation: Greek by ELOT 743 (transcription) without accents; Bulgarian by the Transliteration Act of 2009;
Macedonian as in passports (gj, kj, zh, ch, sh, dz, dj, lj, nj, c).

Surnames agree with sex in Bulgarian, Czech, Estonian (the Russian ones), Greek, Icelandic (patronymics),
Latvian, Lithuanian, Macedonian, Polish and Slovak. The female form is Faker's own where one of the forms the
rules allow is in its table, else the first form the rules give. Spaniards bear two surnames.
"""
# ruff: noqa: RUF001  (Greek and Cyrillic letters are meant)

import json
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scenarios import catalogue

GIVEN_LIMIT = 400
FAMILY_LIMIT = 800

_GREEK_PAIRS = {
    "ου": "ou", "γγ": "ng", "γξ": "nx", "γχ": "nch", "αι": "ai", "ει": "ei", "οι": "oi", "υι": "yi",
}  # fmt: skip
_GREEK = {
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k",
    "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t",
    "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
}  # fmt: skip
_VOICELESS = "θκξπστφχψς"
_BULGARIAN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u",
    "ф": "f", "х": "h", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sht", "ъ": "a", "ь": "y", "ю": "yu", "я": "ya",
}  # fmt: skip
_MACEDONIAN = {
    **_BULGARIAN, "ѓ": "gj", "ѕ": "dz", "ј": "j", "љ": "lj", "њ": "nj", "ќ": "kj", "ц": "c", "џ": "dj",
}  # fmt: skip


def _capital_like(original: str, text: str) -> str:
    return text[:1].upper() + text[1:] if original[:1].isupper() else text


def _romanise_greek(name: str) -> str:
    decomposed = unicodedata.normalize("NFD", name)
    diaeresis, plain = set[int](), ""
    for char in decomposed:
        if char == "\u0308":
            diaeresis.add(len(plain) - 1)
        elif not unicodedata.combining(char):
            plain += char
    low, out, i = plain.lower(), "", 0
    while i < len(low):
        pair = low[i : i + 2]
        joined = len(pair) == 2 and i + 1 not in diaeresis
        if joined and pair in ("αυ", "ευ", "ηυ"):
            following = low[i + 2 : i + 3]
            text = _GREEK[pair[0]] + ("f" if not following or following in _VOICELESS else "v")
            step = 2
        elif joined and pair == "μπ":
            text, step = ("b" if i == 0 or i + 2 == len(low) else "mp"), 2
        elif joined and pair in _GREEK_PAIRS:
            text, step = _GREEK_PAIRS[pair], 2
        else:
            text, step = _GREEK.get(low[i], low[i]), 1
        out += _capital_like(plain[i], text)
        i += step
    return out


def _by_letter(table: Mapping[str, str]) -> Callable[[str], str]:
    def romanise(name: str) -> str:
        return "".join(_capital_like(char, table.get(char.lower(), char)) for char in name)

    return romanise


def _romanise_bulgarian(name: str) -> str:
    """Letter by letter; the ending -ия is -ia (the Act's one exception among names)."""
    text = _by_letter(_BULGARIAN)(name)
    return text[:-3] + "ia" if text.endswith("iya") else text


ROMANISE: dict[str, Callable[[str], str]] = {
    "el_GR": _romanise_greek,
    "bg_BG": _romanise_bulgarian,
    "mk_MK": _by_letter(_MACEDONIAN),
}

Forms = Callable[[str], Sequence[str]]


def _slavic_latin(name: str) -> Sequence[str]:
    """Bulgarian and Macedonian in Latin letters."""
    if name.endswith(("ski", "ški", "cki")):
        return (name[:-1] + "a",)
    return (name + "a",) if name.endswith(("ov", "ev", "in")) else (name,)


def _czech_slovak(name: str) -> Sequence[str]:
    if name.endswith("ý"):
        return (name[:-1] + "á",)
    if name.endswith("y"):
        return (name[:-1] + "a",) if name.endswith(("ky", "ny", "ly")) else (name + "ová",)
    if name.endswith(("í", "ů")):
        return (name,)
    forms = [name + "ová"]
    if name.endswith(("a", "o", "e", "ě")):
        forms.insert(0, name[:-1] + "ová")
    if re.search(r"[^aeiouyáéíóúýäô](e)[kclt]$|[^aeiouy]e[kc]$", name):
        forms.insert(0, name[:-2] + name[-1] + "ová")
    if name.endswith("něk"):
        forms.insert(0, name[:-3] + "ňková")
    if name.endswith("ok"):
        forms.insert(0, name[:-2] + "ková")
    if name.endswith("ec"):
        forms.insert(0, name[:-2] + "cová")
    return forms


def _polish(name: str) -> Sequence[str]:
    adjectival = ("ski", "cki", "dzki", "ny", "ły", "chy", "wy")
    return (name[:-1] + "a",) if name.endswith(adjectival) else (name,)


def _latvian(name: str) -> Sequence[str]:
    if name.endswith("nieks"):
        return (name[:-2] + "ce",)
    if name.endswith("is"):
        return (name[:-2] + "e",)
    if name.endswith(("s", "š")):
        return (name[:-1] + "a", name[:-1] + "e")
    return (name,)


def _lithuanian(name: str) -> Sequence[str]:
    """The unmarried form, which shows the stem: -as -aitė, -is and -ys -ytė, -us -utė, -ius -iūtė."""
    forms = {"ius": "iūtė", "us": "utė", "as": "aitė", "is": "ytė", "ys": "ytė", "a": "aitė"}
    for ending, form in forms.items():
        if name.endswith(ending):
            return (name[: -len(ending)] + form,)
    return (name,)


def _greek(name: str) -> Sequence[str]:
    """Romanised Greek: the female form is the genitive."""
    if name.endswith(("idis", "adis")):
        return (name[:-2] + "ou",)
    if name.endswith("os"):
        return (name[:-2] + "ou",)
    return (name[:-1],) if name.endswith(("is", "as", "es")) else (name,)


def _russian_in_estonia(name: str) -> Sequence[str]:
    if name.endswith(("ov", "ev", "in", "jov", "õn")):
        return (name + "a",)
    return (name[:-2] + "aja",) if name.endswith("kii") else (name,)


FEMALE_FORM: dict[str, Forms] = {
    "BGR": _slavic_latin,
    "CZE": _czech_slovak,
    "EST": _russian_in_estonia,
    "GRC": _greek,
    "LTU": _lithuanian,
    "LVA": _latvian,
    "MKD": _slavic_latin,
    "POL": _polish,
    "SVK": _czech_slovak,
}


class MissingLocaleError(LookupError):
    """Faker has no names of its own for a locale."""


def provider(locale: str) -> type[Any]:
    """Faker's person provider of a locale. Raises MissingLocaleError instead of falling back to English."""
    module = f"faker.providers.person.{locale}"
    if find_spec(module) is None:
        raise MissingLocaleError(f"Faker has no person provider for {locale!r}")
    found: type[Any] = import_module(module).Provider
    english: type[Any] = import_module("faker.providers.person.en_US").Provider
    if locale != "en_US" and _table(found, "first_names") == _table(english, "first_names"):
        raise MissingLocaleError(f"Faker's person provider for {locale!r} is that of en_US")
    return found


def _table(source: type[Any], *attributes: str) -> list[str]:
    """The first of these tables the provider has, by descending weight if weighted, else in its order."""
    for attribute in attributes:
        table = getattr(source, attribute, None)
        if isinstance(table, Mapping):
            return sorted(table, key=lambda name: -float(table[name]))
        if table:
            return list(table)
    return []


_PARTICLES = frozenset(("De", "Di", "Del", "Della", "La", "Le", "Lo", "Da", "Dal", "Van"))
_LOWER = frozenset(("de", "den", "der", "het", "la", "le", "ter", "van"))
_WORD = r"(?:(?:Mc|Mac|De|Di|Du|Fitz|Van|La|Le|Lo|Ap|O'|D'|L'|d'|l')?[^\W\d_][^\W\d_A-Z]*)"


def _plain(name: str) -> bool:
    """A name of Latin letters with hyphens or apostrophes at most; several words only after a particle."""
    if not all(unicodedata.name(char).startswith("LATIN") for char in name if char.isalpha()):
        return False
    first, *rest = name.split(" ")
    if rest and first[:1].isupper() and first not in _PARTICLES:
        return False
    return (
        len(name) > 1 and re.fullmatch(rf"{_WORD}(?:[ -]{_WORD})*", name) is not None and name[-1].islower()
    )


def _capitalise(name: str) -> str:
    """Capitals where Faker forgot them ("petek", "Da silva", "Lora-sofia"); not in "de Jong", "van Dijk"."""
    if " " in name and name[:1].islower():
        return name
    words = re.split(r"([ -])", name)
    return "".join(word if word in _LOWER else word[:1].upper() + word[1:] for word in words)


def _clean(names: Iterable[str], drop: Iterable[str] = ()) -> list[str]:
    normal = (
        _capitalise(unicodedata.normalize("NFC", name).strip().replace("\u2019", "'")) for name in names
    )
    return [name for name in dict.fromkeys(normal) if _plain(name) and name not in set(drop)]


def _thin(names: Sequence[str], limit: int) -> list[str]:
    """At most `limit` of the names, evenly spaced."""
    if len(names) <= limit:
        return list(names)
    return [names[i * len(names) // limit] for i in range(limit)]


def _given(source: type[Any], locale: str, sex: str) -> tuple[list[str], bool]:
    """Given names of one sex and whether the table is weighted."""
    table = getattr(source, f"first_names_{sex}", None)
    if table:
        return _table(source, f"first_names_{sex}"), isinstance(table, Mapping)
    endings = {"lt_LT": {"male": ("s",), "female": ("a", "ė")}}[locale][sex]
    return [name for name in _table(source, "first_names") if name.endswith(endings)], False


def _families(source: type[Any], locale: str) -> tuple[list[str], set[str], bool]:
    """Male or common surnames, the female ones Faker knows, and whether the table is weighted."""
    if locale == "pl_PL":
        male = _table(source, "male_last_names")
        both = _table(source, "unisex_last_names")
        both = [name for name in both if not re.search(r"([^aeiouyąęó]n|sk|ck|ow)a$", name)]  # female forms
        return male + _thin(both, FAMILY_LIMIT - len(male) - 60), set(), True
    male = _table(source, "last_names_male", "last_names")
    if locale == "lv_LV":
        male += _table(source, "last_names_nonbinary")
    if locale == "nl_NL":
        male = [name for name in male if not name.endswith(("dr", "sz", "dochter"))]
    weighted = isinstance(getattr(source, "last_names", None), Mapping)
    return male, set(_table(source, "last_names_female")), weighted


def _take(names: Sequence[str], limit: int, weighted: bool) -> list[str]:
    """At most `limit` of the names: the heaviest, or an even selection."""
    return list(names[:limit]) if weighted else _thin(names, limit)


def compile_nation(nation: catalogue.Nation, supplement: Mapping[str, Any]) -> dict[str, Any]:
    """The names of a nation as they are written to its file."""
    drop: Sequence[str] = supplement.get("drop", ())
    given_limit = int(supplement.get("given_cap", GIVEN_LIMIT))
    family_limit = int(supplement.get("family_cap", FAMILY_LIMIT))
    locales = {locale: share for locale, share in nation.locales.items() if locale != "supplement"}
    scale = sum(locales.values()) or 1.0
    out: dict[str, Any] = {}

    for sex in ("male", "female"):
        names = _clean(supplement.get(f"{sex}_given", ()), drop)
        room = given_limit - len(names)
        for locale, share in locales.items():
            table, weighted = _given(provider(locale), locale, sex)
            roman = ROMANISE.get(locale, str)
            found = [name for name in _clean(map(roman, table), drop) if name not in names]
            names += _take(found, round(room * share / scale), weighted)
        out[f"{sex}_given"] = names

    if "patronymics" in supplement:
        stems = supplement["patronymics"]
        out["male_family"] = [stem + "son" for stem in stems]
        out["female_family"] = [stem + "dóttir" for stem in stems]
        return out

    families = _clean(supplement.get("family", ()) or supplement.get("male_family", ()), drop)
    known: set[str] = set()
    room = family_limit - len(families)
    for locale, share in locales.items() if supplement.get("faker_family", True) else ():
        roman = ROMANISE.get(locale, str)
        table, female, weighted = _families(provider(locale), locale)
        known |= {roman(name) for name in female}
        found = [name for name in _clean(map(roman, table), drop) if name not in families]
        families += _take(found, round(room * share / scale), weighted)

    if nation.code == "ESP":
        second = [families[(7 * index + 3) % len(families)] for index in range(len(families))]
        return out | {"family": [f"{a} {b}" for a, b in zip(families, second, strict=True)]}
    if nation.code not in FEMALE_FORM:
        return out | {"family": families}
    russian = set(_table(provider("et_EE"), "last_names_rus")) if nation.code == "EST" else set(families)
    female_families = []
    for name in families:
        forms = FEMALE_FORM[nation.code](name) if name in russian else (name,)
        female_families.append(next((form for form in forms if form in known), forms[0]))
    return out | {"male_family": families, "female_family": female_families}


def compile_names() -> dict[str, bytes]:
    """All name files: file name -> contents."""
    text = files("scenarios").joinpath("data", "names_supplement.toml").read_text("utf-8")
    supplements = tomllib.loads(text)
    out = {}
    for nation in catalogue.nations():
        supplement = supplements.get(nation.code, {})
        locales = [locale for locale in nation.locales if locale != "supplement"]
        sources = ["supplement: " + supplement["source"]] if supplement else []
        sources += [f"Faker (MIT licence), person tables {' and '.join(locales)}"] if locales else []
        head = {
            "nation": nation.code,
            "source": "; ".join(sources),
            "confidence": "assumption: names of the nation, drawn evenly, not by frequency",
        }
        fields = {**head, **compile_nation(nation, supplement)}
        lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in fields.items())
        out[f"{nation.code}.json"] = f"{{\n{lines}\n}}\n".encode()
    return out


def main() -> None:
    """Write the name files and say how many names each nation has."""
    folder = Path(str(files("scenarios").joinpath("data", "names")))
    for name, data in compile_names().items():
        (folder / name).write_bytes(data)
        table = json.loads(data)
        family = table.get("family") or table["male_family"]
        given = f"{len(table['male_given'])} + {len(table['female_given'])} given"
        print(f"{name[:3]} {given}, {len(family)} family")


if __name__ == "__main__":
    main()
