"""`goldenhour scenarios new`: a short commented scenario file from six answers."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import click

from engine.errors import GoldenhourError, InputError, shown
from engine.scenario import NETWORKS, parse, prepare
from goldenhour import console

RATES = "rates"
"""The answer that asks for daily rates in place of a number of casualties."""

NO_NETWORK = "none"

STRENGTH = 4000
"""Strength of a front for which none is given, that of a brigade."""


@dataclass(frozen=True)
class Answers:
    """What a new scenario is made of, as it was answered."""

    name: str = "mine"
    days: str = "10"
    casualties: str = "500"
    fronts: str = f"North={STRENGTH}"
    nations: str = "GBR"
    network: str = "brigade"


QUESTIONS = {
    "name": "Name",
    "days": "Days on which people are hurt",
    "casualties": f"Casualties in all, or {RATES} for daily rates by strength",
    "fronts": "Fronts with their strength, such as North=4000, South=2500",
    "nations": "Nations with their shares, such as GBR=0.6, NOR=0.4",
    "network": f"Evacuation network with finite care: {', '.join(NETWORKS)}, or {NO_NETWORK} for no limits",
}


@click.command("new")
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--name", help=f"{QUESTIONS['name']}. Default: that of FILE without its ending, or mine.")
@click.option("--days", help=f"{QUESTIONS['days']}. Default: 10.")
@click.option("--casualties", metavar="N", help=f"{QUESTIONS['casualties']}. Default: 500.")
@click.option("--fronts", metavar="NAME=STRENGTH,...", help=f"{QUESTIONS['fronts']}. Default: North=4000.")
@click.option("--nations", metavar="CODE=SHARE,...", help=f"{QUESTIONS['nations']}. Default: GBR.")
@click.option("--network", help=f"{QUESTIONS['network']}. Default: brigade.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def new(file: str | None, force: bool, **given: str | None) -> None:
    """Write a short scenario file with comments, ready to edit.

    At a terminal six questions are asked unless options answer some of them. Without FILE the text is printed; after
    questions it is written to NAME.toml.
    """
    answered = {name: text for name, text in given.items() if text is not None}
    if file is not None:
        check_new(Path(file), force)
    answers = Answers(**({"name": Path(file).stem} if file is not None else {}) | answered)
    is_asked = not answered and console.can_ask()
    if is_asked:
        answers = _ask(answers)
    text = _checked_text(answers)
    if file is None and not is_asked:
        console.print_toml(text, lambda: text)
        return
    path = Path(file if file is not None else f"{answers.name}.toml")
    check_new(path, force)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(str(path))} cannot be written: {error}") from None
    console.print_line(f"written to {path}; `goldenhour scenarios check {path}` says what it will do")


def check_new(path: Path, force: bool) -> None:
    """Raise InputError unless a .toml file can be written to `path`."""
    if path.suffix.lower() != ".toml":
        raise InputError(f"FILE: got {shown(str(path))}; allowed: a name that ends in .toml")
    if path.exists() and not force:
        raise InputError(f"{shown(str(path))} exists; --force replaces it")


def _ask(answers: Answers) -> Answers:
    """Ask each question until its answer makes a scenario; an empty answer leaves what is in brackets."""
    for field in fields(Answers):
        while True:
            default = getattr(answers, field.name)
            answer = console.ask(f"{QUESTIONS[field.name]} [{default}]")
            changed = replace(answers, **{field.name: answer or default})
            try:
                _checked_text(changed)
            except GoldenhourError as error:
                console.print_error_line(str(error))
            else:
                answers = changed
                break
    return answers


def _checked_text(answers: Answers) -> str:
    """The scenario as TOML. Raises InputError or ScenarioError if it cannot be run."""
    text = _text(answers)
    prepare(parse(text.encode(), "toml", "the answers"))
    return text


def _text(answers: Answers) -> str:
    fronts = [
        (name, _number(strength, "fronts", STRENGTH)) for name, strength in _pairs(answers.fronts, "fronts")
    ]
    nations = _pairs(answers.nations, "nations")
    shares = ", ".join(
        f"{_key(code)} = {_number(share, 'nations', 1 / len(nations))}" for code, share in nations
    )
    lines = [
        "# `goldenhour scenarios check FILE` says what this file will do, `goldenhour run FILE` runs it.",
        "# All other fields and their meaning: `goldenhour scenarios show standard`.",
        f"name = {_quoted(answers.name)}",
        f"days = {_number(answers.days, 'days', 10)} # days on which people are hurt",
    ]
    network = answers.network.strip()
    if network == NO_NETWORK:
        lines += [
            '# network = "brigade" # for finite care: beds, tables, teams and vehicles that can run out'
        ]
    else:
        lines += [
            f"network = {_quoted(network)} # finite care; `goldenhour scenarios show FILE --network` shows it"
        ]
    lines += ["", *_casualties(answers.casualties.strip())]
    for number, (name, strength) in enumerate(fronts):
        about = " # where people are hurt; one such table for each" if number == 0 else ""
        lines += ["", f"[[fronts]]{about}", f"name = {_quoted(name)}", f"population = {strength} # strength"]
        lines += [f"nations = {{ {shares} }} # shares, together 1"]
    return "\n".join(lines) + "\n"


def _casualties(answer: str) -> list[str]:
    if answer == RATES:
        return [
            "[casualties.rates] # per 1,000 strength a day, here those of moderate fighting",
            'battle = { distribution = "lognormal", mean = 1.5, sd = 3 } # killed and wounded',
            'nbi = { distribution = "constant", mean = 0.3 } # non-battle injuries',
            'disease = { distribution = "constant", mean = 0.45 }',
        ]
    return ["[casualties]", f"total = {_number(answer, 'casualties', 500)} # of all kinds; exactly so many"]


def _pairs(answer: str, place: str) -> list[tuple[str, str]]:
    """Names and what stands after `=`; empty where nothing does. Raises InputError."""
    pairs = [
        (name.strip(), value.strip())
        for name, _, value in (part.partition("=") for part in answer.split(","))
    ]
    if not all(name for name, _ in pairs):
        raise InputError(f"{place}: got {shown(answer)}; allowed: NAME=NUMBER, separated by commas")
    return pairs


def _number(text: str, place: str, default: float) -> str:
    """A number as TOML writes it. Raises InputError."""
    if not text:
        return repr(default)
    try:
        value = json.loads(text.replace("_", ""))
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        other = f", or {RATES}" if place == "casualties" else ""
        raise InputError(f"{place}: got {shown(text)}; allowed: a number{other}")
    return repr(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(text: str) -> str:
    return text if text.isascii() and text.isalnum() else _quoted(text)
