"""Addresses with passwords: which part of an address may be shown, and messages without its secrets.

An address is a URL (`postgresql://`, `redis://`, `s3://`, `http://` ...) or the keywords of PostgreSQL's library
(`host=... password=...`). Libraries divide a URL with a stray `@`, `/`, `?` or `#` in different ways, and put the
pieces, with parts of the password, into their messages. `parse_address` therefore shows nothing but the scheme of an
address that can be read in two ways, and says in `doubt` how to write it.
"""

import re
from typing import NamedTuple

MASK = "..."
"""What stands for a secret."""

KNOWN_SCHEMES = re.compile(
    r"(postgres|postgresql|mysql|mariadb|mssql|oracle|sqlite)(\+(psycopg|psycopg2|psycopg3|asyncpg|pg8000|pymysql))?"
    "|mongodb|rediss?|unix|memcached|amqps?|ray|https?|ftp|file|s3a?|gs|gcs|az|azure|abfss?"
)
"""Schemes that may be shown. Any other one may be the beginning of a password."""

SHORTEST_SECRET = 3
"""Fewest characters of a secret that is searched for in messages."""

_QUOTING = "in user and password write '%' as %25, '@' as %40, '/' as %2F, '?' as %3F and '#' as %23"
_PUBLIC = ("host", "hostaddr", "port", "dbname", "db")
_LOGIN = ("user", "username", "password")
_LIBPQ = ("postgresql", "postgres")

_KEYWORDS_DOUBT = (
    "it is neither a URL nor a list of KEYWORD=VALUE with blanks in between; keywords are in lower case, a value with "
    "blanks or quotes is in single quotes, with a backslash before each quote and backslash"
)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_HOST = r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|(?:[\w.-]|%[0-9A-Fa-f]{2})*)(?::\d{1,5})?"
_HOSTS = re.compile(rf"{_HOST}(?:,{_HOST})*")
_PATH = re.compile(r"(?:/[\w./~%+=:,-]*)?")
_VALUE = re.compile(r"[\w./:,%~-]+")
_KEYWORD = re.compile(
    r"\s*([a-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'(?=\s|$)|(?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|(?=\s|$))", re.DOTALL
)
_LOGIN_IN_TEXT = re.compile(
    r"(?<![\w.-])([A-Za-z][A-Za-z0-9+.-]*://)?(?!USER:PASSWORD@)(?:[^\s:/@'\"]+:(?!//)|:(?!['\"]))\S*@"
)
_PASSWORD_IN_TEXT = re.compile(r"(\bpassword\s*=\s*)(?:'[^']*'|[^\s'\"&;]+)", re.IGNORECASE)
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:\S*@)?[^\s<>\"'`()]*(?<![.,;:])")


class Address(NamedTuple):
    """An address, and what of it may be shown.

    `scheme` is in lower case; it is empty for keywords, and for text that is no address. `shown` may be printed.
    `doubt` says why the address cannot be read with certainty, or is None. `secrets` must not appear anywhere. `hosts`,
    `path` and `parameters` are the parts of a URL that can be read; the values of `parameters` are secrets.
    """

    scheme: str
    shown: str
    doubt: str | None
    secrets: tuple[str, ...]
    hosts: str = ""
    path: str = ""
    parameters: tuple[tuple[str, str], ...] = ()

    def mask(self, message: str) -> str:
        """Return a message with every secret of this address replaced by `MASK`."""
        return mask_message(message, self.secrets)


def parse_address(text: str) -> Address:
    """Return what may be shown of an address. Never fails.

    >>> parse_address("postgresql://me:secret@host:5432/db?sslpassword=x").shown
    'postgresql://me:...@host:5432/db'
    >>> parse_address("postgresql://me:sec/ret@host/db").shown
    'postgresql://...'
    """
    found = _SCHEME.fullmatch(text)
    return _parse_keywords(text) if found is None else _parse_url(found[1].lower(), found[2])


def shown_address(text: str) -> str:
    """Return what may be shown of HOST:PORT, which somebody may have written as a URL with a password."""
    return parse_address(text).shown if re.search("[@=]|://", text) else text


def mask_logins(text: str) -> str:
    """Return a text with `MASK` for each user and password before an `@`, and for each `password=`.

    For what somebody has typed in a place that is none for an address: it may lack its scheme. The form in which
    messages say how to write an address, `USER:PASSWORD@`, remains.

    >>> mask_logins("there is no run 'me:secret@host/x'")
    "there is no run '...@host/x'"
    """
    masked = _LOGIN_IN_TEXT.sub(_masked_login, text)
    return _PASSWORD_IN_TEXT.sub(rf"\g<1>{MASK}", masked)


def _masked_login(found: re.Match[str]) -> str:
    scheme = found[1] or ""
    if found[0][len(scheme) :].partition(":")[2] == f"{MASK}@":  # as `parse_address` shows it
        return found[0]
    return f"{scheme if KNOWN_SCHEMES.fullmatch(scheme[:-3].lower()) else ''}{MASK}@"


def mask_message(message: str, secrets: tuple[str, ...] = ()) -> str:
    """Return a message without these secrets, and with every URL in it as `parse_address` shows it."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            message = message.replace(secret, MASK)
    return _URL_IN_TEXT.sub(lambda found: parse_address(found[0]).shown, message)


def _parse_url(scheme: str, rest: str) -> Address:
    name = f"{scheme}://" if KNOWN_SCHEMES.fullmatch(scheme) else ""
    login, at, place = _split_login(scheme, rest)
    place, question, query = place.partition("?")
    slash = place.find("/") if "/" in place else len(place)
    hosts, path = place[:slash], place[slash:]
    doubt = None
    if not KNOWN_SCHEMES.fullmatch(scheme):
        doubt = "its scheme is not known"
    elif re.search(r"[\s\x00-\x1f\x7f]", rest):
        doubt = "it contains a blank or a line break"
    elif re.search(r"%(?![0-9A-Fa-f]{2})|%00", rest):
        doubt = f"a percent sign is not followed by two hexadecimal digits; {_QUOTING}"
    elif _ends_login(scheme, login) or "@" in place + query or "#" in place + query:
        doubt = f"its parts cannot be told apart; {_QUOTING}"
    elif not _HOSTS.fullmatch(hosts) or any(
        int(port) > 65535 for port in re.findall(r":(\d+)(?=,|$)", hosts)
    ):
        doubt = f"its host or port cannot be read; {_QUOTING}"
    elif not _PATH.fullmatch(path):
        doubt = f"its path cannot be read; {_QUOTING}"
    if doubt is not None:
        return Address(scheme, name + MASK, doubt, _pieces(rest))
    user, _colon, password = login.partition(":")
    shown_user = user if password and scheme in _LIBPQ and re.fullmatch(r"[\w.-]+", user) else ""
    secrets = {password, *(() if shown_user else (user,))}
    public, parameters = [], []
    for part in query.split("&") if question else ():
        key, _, value = part.partition("=")
        parameters.append((key, value))
        if key in _PUBLIC and _may_be_shown(key, value):
            public.append(f"{key}={value}")
        elif key == "port":
            return Address(scheme, name + MASK, "its port is not a number", _pieces(rest))
        else:
            secrets |= {part, value, "" if key in _LOGIN else key}
    mark = f"{shown_user}{':' if shown_user else ''}{MASK}@" if at else ""
    shown = f"{name}{mark}{hosts}{path}{'?' if public else ''}{'&'.join(public)}"
    return Address(scheme, shown, None, _with_decoded(secrets), hosts, path, tuple(parameters))


def _split_login(scheme: str, rest: str) -> tuple[str, str, str]:
    """Return user and password, the `@` behind them, and the rest, divided as the library of this scheme does."""
    if "@" not in rest:
        return "", "", rest
    return rest.partition("@") if scheme in _LIBPQ else rest.rpartition("@")


def _ends_login(scheme: str, login: str) -> bool:
    """Return whether the login has a character that may already belong to the place or the parameters."""
    if scheme in _LIBPQ:
        return "/" in login or ("?" in login and "=" in login)
    return any(character in login for character in "/?#@")


def _parse_keywords(text: str) -> Address:
    """Return the address of keywords as PostgreSQL's library reads them."""
    public: list[str] = []
    secrets: set[str] = set()
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _KEYWORD.match(text, position)
        if found is None or (found[1] in _PUBLIC and "=" in found[2] and found[2][0] != "'"):
            return Address("", MASK, _KEYWORDS_DOUBT, _pieces(text))
        position = found.end()
        key, value = found[1], found[2]
        if value.startswith("'"):
            value = value[1:-1]
        value = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        may_be_shown = key in _PUBLIC and _may_be_shown(key, value)
        if key == "port" and value and not may_be_shown:
            return Address("", MASK, "its port is not a number", _pieces(text))
        if not may_be_shown:
            secrets |= {found[2], value}
        if key in _PUBLIC:
            public.append(f"{key}={value if may_be_shown else MASK}")
    return Address("", " ".join(public) or MASK, None, _with_decoded(secrets))


def _may_be_shown(key: str, value: str) -> bool:
    if key in ("port", "db"):
        return re.fullmatch(r"[\d,]{1,60}", value) is not None
    return _VALUE.fullmatch(value) is not None


def _pieces(text: str) -> tuple[str, ...]:
    """Return all that may be a secret in an address that cannot be read: the text and its parts."""
    return _with_decoded({text, *re.split(r"[\s:/@?#&=,;'\"\\]+", text)})


def _with_decoded(secrets: set[str]) -> tuple[str, ...]:
    """Return the secrets, also with percent signs decoded, without short ones."""
    decoded = {_decode(secret) for secret in secrets}
    return tuple(sorted(secret for secret in secrets | decoded if len(secret) >= SHORTEST_SECRET))


def _decode(text: str) -> str:
    data = re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda found: bytes([int(found[1], 16)]),
        text.encode("utf-8", "surrogateescape"),
    )
    return data.decode("utf-8", "replace")
