"""Compile the names of each nation from Faker's person tables: `python -m scenarios.compile_names`.

It writes `scenarios/data/names/<code>.json`; the same Faker release gives the same bytes. Faker (MIT licence) is a
development dependency: a run reads only the compiled tables.

Where Faker lacks a locale it falls back to US English without a warning. So a locale is accepted only if a provider
module of exactly that name exists and has tables of its own. Nations without a locale have a table in
`names_supplement.toml`. The supplement also puts common names before Faker's where Faker's list is short or holds
mostly rare names.

Selection: names of the supplement come first, then Faker's, without duplicates, titles and names that are not plain
Latin words. A table above the limit is cut: a weighted table to its heaviest names, another to evenly spaced ones,
because most of them are alphabetical.

Romanisation: Greek by ELOT 743 (transcription) without accents; Bulgarian by the Transliteration Act of 2009;
Macedonian as in passports (gj, kj, zh, ch, sh, dz, dj, lj, nj, c).

Surnames agree with sex in Bulgarian, Czech, Estonian (Russian surnames only), Greek, Icelandic (patronymics), Latvian,
Lithuanian, Macedonian, Polish and Slovak. The female form is the first form of the rules that is in Faker's own table,
else the first form. A Spaniard has two surnames.
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
from scenarios.texts import clean_text

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
    """The text, with a capital first letter if the original has one."""
    return text[:1].upper() + text[1:] if original[:1].isupper() else text


def _romanise_greek(name: str) -> str:
    """Transcription by ELOT 743: pairs of letters first, unless a diaeresis separates them."""
    decomposed = unicodedata.normalize("NFD", name)
    diaeresis, plain = set[int](), ""
    for char in decomposed:
        if char == "\u0308":
            diaeresis.add(len(plain) - 1)
        elif not unicodedata.combining(char):
            plain += char
    lower, roman, i = plain.lower(), "", 0
    while i < len(lower):
        pair = lower[i : i + 2]
        joined = len(pair) == 2 and i + 1 not in diaeresis
        if joined and pair in ("αυ", "ευ", "ηυ"):
            following = lower[i + 2 : i + 3]
            text = _GREEK[pair[0]] + ("f" if not following or following in _VOICELESS else "v")
            step = 2
        elif joined and pair == "μπ":
            text, step = ("b" if i == 0 or i + 2 == len(lower) else "mp"), 2
        elif joined and pair in _GREEK_PAIRS:
            text, step = _GREEK_PAIRS[pair], 2
        else:
            text, step = _GREEK.get(lower[i], lower[i]), 1
        roman += _capital_like(plain[i], text)
        i += step
    return roman


def _romanise_by_letter(table: Mapping[str, str]) -> Callable[[str], str]:
    def romanise(name: str) -> str:
        return "".join(_capital_like(char, table.get(char.lower(), char)) for char in name)

    return romanise


def _romanise_bulgarian(name: str) -> str:
    """Letter by letter; the ending -ия is -ia (the Act's one exception among names)."""
    text = _romanise_by_letter(_BULGARIAN)(name)
    return text[:-3] + "ia" if text.endswith("iya") else text


ROMANISE: dict[str, Callable[[str], str]] = {
    "el_GR": _romanise_greek,
    "bg_BG": _romanise_bulgarian,
    "mk_MK": _romanise_by_letter(_MACEDONIAN),
}

FemaleForms = Callable[[str], Sequence[str]]
"""The female forms of a surname that a language allows, the usual one first."""


def _feminise_slavic(name: str) -> Sequence[str]:
    """Bulgarian and Macedonian in Latin letters."""
    if name.endswith(("ski", "ški", "cki")):
        return (name[:-1] + "a",)
    return (name + "a",) if name.endswith(("ov", "ev", "in")) else (name,)


def _feminise_czech_slovak(name: str) -> Sequence[str]:
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


def _feminise_polish(name: str) -> Sequence[str]:
    adjectival = ("ski", "cki", "dzki", "ny", "ły", "chy", "wy")
    return (name[:-1] + "a",) if name.endswith(adjectival) else (name,)


def _feminise_latvian(name: str) -> Sequence[str]:
    if name.endswith("nieks"):
        return (name[:-2] + "ce",)
    if name.endswith("is"):
        return (name[:-2] + "e",)
    if name.endswith(("s", "š")):
        return (name[:-1] + "a", name[:-1] + "e")
    return (name,)


def _feminise_lithuanian(name: str) -> Sequence[str]:
    """The unmarried form: -as -aitė, -is and -ys -ytė, -us -utė, -ius -iūtė."""
    forms = {"ius": "iūtė", "us": "utė", "as": "aitė", "is": "ytė", "ys": "ytė", "a": "aitė"}
    for ending, form in forms.items():
        if name.endswith(ending):
            return (name[: -len(ending)] + form,)
    return (name,)


def _feminise_greek(name: str) -> Sequence[str]:
    """Romanised Greek: the female form is the genitive."""
    if name.endswith(("idis", "adis")):
        return (name[:-2] + "ou",)
    if name.endswith("os"):
        return (name[:-2] + "ou",)
    return (name[:-1],) if name.endswith(("is", "as", "es")) else (name,)


def _feminise_russian(name: str) -> Sequence[str]:
    if name.endswith(("ov", "ev", "in", "jov", "õn")):
        return (name + "a",)
    return (name[:-2] + "aja",) if name.endswith("kii") else (name,)


FEMALE_FORMS: dict[str, FemaleForms] = {
    "BGR": _feminise_slavic,
    "CZE": _feminise_czech_slovak,
    "EST": _feminise_russian,
    "GRC": _feminise_greek,
    "LTU": _feminise_lithuanian,
    "LVA": _feminise_latvian,
    "MKD": _feminise_slavic,
    "POL": _feminise_polish,
    "SVK": _feminise_czech_slovak,
}


class MissingLocaleError(LookupError):
    """Faker has no names of its own for a locale."""


def find_provider(locale: str) -> type[Any]:
    """Faker's person provider for a locale.

    Raises
    ------
    MissingLocaleError
        Where Faker would fall back to US English.
    """
    module = f"faker.providers.person.{locale}"
    if find_spec(module) is None:
        raise MissingLocaleError(f"Faker has no person provider for {locale!r}")
    provider: type[Any] = import_module(module).Provider
    english: type[Any] = import_module("faker.providers.person.en_US").Provider
    if locale != "en_US" and _table(provider, "first_names") == _table(english, "first_names"):
        raise MissingLocaleError(f"Faker's person provider for {locale!r} is that of en_US")
    return provider


def _table(source: type[Any], *attributes: str) -> list[str]:
    """The first of these tables that the provider has: by descending weight if weighted, else in its own order."""
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


def _is_plain(name: str) -> bool:
    """Whether a name has only Latin letters, hyphens and apostrophes, and several words only after a particle."""
    if not all(unicodedata.name(char).startswith("LATIN") for char in name if char.isalpha()):
        return False
    first, *rest = name.split(" ")
    if rest and first[:1].isupper() and first not in _PARTICLES:
        return False
    return (
        len(name) > 1 and re.fullmatch(rf"{_WORD}(?:[ -]{_WORD})*", name) is not None and name[-1].islower()
    )


def _capitalise(name: str) -> str:
    """The name with capitals where Faker lacks them ("petek", "Da silva", "Lora-sofia"); not in "de Jong"."""
    if " " in name and name[:1].islower():
        return name
    words = re.split(r"([ -])", name)
    return "".join(word if word in _LOWER else word[:1].upper() + word[1:] for word in words)


def _clean(names: Iterable[str], drop: Iterable[str] = ()) -> list[str]:
    """The plain names, normalised, without duplicates and without those to drop."""
    normalised = (
        _capitalise(clean_text(unicodedata.normalize("NFC", name)).replace("\u2019", "'")) for name in names
    )
    return [name for name in dict.fromkeys(normalised) if _is_plain(name) and name not in set(drop)]


def _thin(names: Sequence[str], limit: int) -> list[str]:
    """At most `limit` of the names, evenly spaced."""
    if len(names) <= limit:
        return list(names)
    return [names[i * len(names) // limit] for i in range(limit)]


def _given_names(source: type[Any], locale: str, sex: str) -> tuple[list[str], bool]:
    """Given names of one sex and whether the table is weighted."""
    table = getattr(source, f"first_names_{sex}", None)
    if table:
        return _table(source, f"first_names_{sex}"), isinstance(table, Mapping)
    endings = {"lt_LT": {"male": ("s",), "female": ("a", "ė")}}[locale][sex]
    return [name for name in _table(source, "first_names") if name.endswith(endings)], False


def _surnames(source: type[Any], locale: str) -> tuple[list[str], set[str], bool]:
    """Surnames (male ones where they differ), the female ones that Faker has, and whether the table is weighted."""
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
    """The tables of names of a nation's file.

    Parameters
    ----------
    supplement
        The nation's table of names_supplement.toml; empty where it has none.
    """
    given = {f"{sex}_given": _compile_given_names(nation, supplement, sex) for sex in ("male", "female")}
    return given | _compile_surnames(nation, supplement)


def _locale_shares(nation: catalogue.Nation) -> dict[str, float]:
    """Shares of Faker's locales among the names of a nation, summing to 1."""
    locales = {locale: share for locale, share in nation.locales.items() if locale != "supplement"}
    scale = sum(locales.values()) or 1.0
    return {locale: share / scale for locale, share in locales.items()}


def _compile_given_names(nation: catalogue.Nation, supplement: Mapping[str, Any], sex: str) -> list[str]:
    drop: Sequence[str] = supplement.get("drop", ())
    names = _clean(supplement.get(f"{sex}_given", ()), drop)
    room = int(supplement.get("given_cap", GIVEN_LIMIT)) - len(names)
    for locale, share in _locale_shares(nation).items():
        table, weighted = _given_names(find_provider(locale), locale, sex)
        romanise = ROMANISE.get(locale, str)
        new = [name for name in _clean(map(romanise, table), drop) if name not in names]
        names += _take(new, round(room * share), weighted)
    return names


def _compile_surnames(nation: catalogue.Nation, supplement: Mapping[str, Any]) -> dict[str, list[str]]:
    if "patronymics" in supplement:
        stems = supplement["patronymics"]
        return {
            "male_family": [stem + "son" for stem in stems],
            "female_family": [stem + "dóttir" for stem in stems],
        }
    drop: Sequence[str] = supplement.get("drop", ())
    surnames = _clean(supplement.get("family", ()) or supplement.get("male_family", ()), drop)
    known_female: set[str] = set()
    room = int(supplement.get("family_cap", FAMILY_LIMIT)) - len(surnames)
    for locale, share in _locale_shares(nation).items() if supplement.get("faker_family", True) else ():
        romanise = ROMANISE.get(locale, str)
        table, female, weighted = _surnames(find_provider(locale), locale)
        known_female |= {romanise(name) for name in female}
        new = [name for name in _clean(map(romanise, table), drop) if name not in surnames]
        surnames += _take(new, round(room * share), weighted)
    if nation.code == "ESP":
        second = [surnames[(7 * index + 3) % len(surnames)] for index in range(len(surnames))]
        return {"family": [f"{first} {other}" for first, other in zip(surnames, second, strict=True)]}
    if nation.code not in FEMALE_FORMS:
        return {"family": surnames}
    return {"male_family": surnames, "female_family": _feminise(nation.code, surnames, known_female)}


def _feminise(code: str, surnames: Sequence[str], known_female: set[str]) -> list[str]:
    """The female form of each surname: the first allowed one that Faker has, else the first allowed one."""
    inflected = set(surnames)
    if code == "EST":
        inflected = set(_table(find_provider("et_EE"), "last_names_rus"))
    female = []
    for name in surnames:
        forms = FEMALE_FORMS[code](name) if name in inflected else (name,)
        female.append(next((form for form in forms if form in known_female), forms[0]))
    return female


def compile_names() -> dict[str, bytes]:
    """The contents of all name files, by file name."""
    text = files("scenarios").joinpath("data", "names_supplement.toml").read_text("utf-8")
    supplements = tomllib.loads(text)
    contents = {}
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
        lines = ",\n".join(
            f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()
        )
        contents[f"{nation.code}.json"] = f"{{\n{lines}\n}}\n".encode()
    return contents


def main() -> None:
    """Write the name files and print how many names each nation has."""
    folder = Path(str(files("scenarios").joinpath("data", "names")))
    for name, data in compile_names().items():
        (folder / name).write_bytes(data)
        table = json.loads(data)
        family = table.get("family") or table["male_family"]
        given = f"{len(table['male_given'])} + {len(table['female_given'])} given"
        print(f"{name[:3]} {given}, {len(family)} family")


if __name__ == "__main__":
    main()
