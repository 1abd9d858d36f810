"""The password of the embedded server: who knows it may use the database (docs/platform.md section 3.1).

It is in a file of the data folder that only the user can read, in the format of PostgreSQL's password files. The server
gets a verifier of it, from which it cannot be computed.
"""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

RULES = """# Written by goldenhour. Each connection needs the password in the data folder.
local all all scram-sha-256
"""
"""The content of pg_hba.conf."""

ITERATIONS = 1
"""Rounds of hashing. More would protect a password that can be guessed, and make each connection slower."""


def new_password() -> str:
    """Return a password of 256 random bits."""
    return secrets.token_urlsafe(32)


def verifier(password: str) -> str:
    """Return what the server stores of a password (RFC 5803). It contains no quote."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client, server = (hmac.digest(salted, words, "sha256") for words in (b"Client Key", b"Server Key"))
    stored = hashlib.sha256(client).digest()
    texts = [base64.b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{texts[0]}${texts[1]}:{texts[2]}"


def write_password_file(path: Path, user: str, password: str) -> None:
    """Write the password file, which appears when it is complete."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    write_new(draft, f"*:*:*:{user}:{password}\n", 0o600)
    draft.replace(path)


def write_new(path: Path, text: str, mode: int) -> None:
    """Create a file with this text. Raises OSError if it exists or is a link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "w") as file:
        file.write(text)
