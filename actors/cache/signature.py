"""Signatures of what goes to Redis, and the secret that they are made with (docs/caches.md).

Other programs may write to the same Redis. Only what a process with the deployment's secret has written is used. The
name under which a value is stored is part of its signature, so one value cannot stand for another.
"""

import fcntl
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping

from engine.errors import InputError
from engine.private_folder import PrivateFolder

SIGNATURE_BYTES = hashlib.sha256().digest_size
KEY, KEY_FILE = "GOLDENHOUR_CACHE_KEY", "GOLDENHOUR_CACHE_KEY_FILE"
SHORTEST, LONGEST = 16, 4096
"""Number of bytes of a secret."""

_FOLDER, _FILE = "keys", "redis"
_VERSION = b"goldenhour cache 1"


class NoSecretError(Exception):
    """The secret in the cache folder can be neither made nor trusted. The text says why."""


def sign(secret: bytes, name: str, data: bytes) -> bytes:
    """Return the HMAC-SHA256 of a name and its data, followed by the data."""
    return _signature(secret, name, data) + data


def verify(secret: bytes, name: str, stored: object) -> bytes | None:
    """Return the data of `sign`, or None for anything that was not signed with this secret for this name."""
    if not isinstance(stored, bytes):
        return None
    data = stored[SIGNATURE_BYTES:]
    return data if hmac.compare_digest(_signature(secret, name, data), stored[:SIGNATURE_BYTES]) else None


def _signature(secret: bytes, name: str, data: bytes) -> bytes:
    signature = hmac.new(secret, digestmod=hashlib.sha256)
    # No name contains a zero byte, so the name and the data cannot be confused.
    signature.update(b"%b\0%b\0" % (_VERSION, name.encode()))
    signature.update(data)
    return signature.digest()


def deployment_secret(environment: Mapping[str, str] = os.environ) -> bytes:
    """Return the secret of this deployment.

    It is the text of GOLDENHOUR_CACHE_KEY, or the content of the file that GOLDENHOUR_CACHE_KEY_FILE names. Without
    either it is a file in the cache folder, which the first process of this user makes. It is made anew if it is
    too short.

    Raises
    ------
    InputError
        If a variable has a value that is not allowed. The message never contains the secret.
    NoSecretError
        If the file in the cache folder can be neither made nor trusted.
    """
    text, path = environment.get(KEY), environment.get(KEY_FILE)
    if text and path:
        raise InputError(f"{KEY} and {KEY_FILE} exclude each other")
    if text:
        return _checked(text.encode("utf-8", "surrogateescape"), KEY)
    if path:
        return _checked(_read_file(path), KEY_FILE)
    try:
        with PrivateFolder.open(_FOLDER, create=True) as folder:
            try:
                secret = folder.read(_FILE, LONGEST)
            except FileNotFoundError:
                folder.write_new(_FILE, secrets.token_hex(32).encode())
                secret = folder.read(_FILE, LONGEST)
            return secret if len(secret.strip()) >= SHORTEST else _renew(folder)
    except (OSError, ValueError) as error:
        raise NoSecretError(str(error)) from error


def _renew(folder: PrivateFolder) -> bytes:
    """Replace a secret that is too short. Processes that do so at once get the same one."""
    lock = folder.open_lock(f"{_FILE}.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if len(folder.read(_FILE, LONGEST).strip()) < SHORTEST:
            folder.write(_FILE, secrets.token_hex(32).encode())
        return folder.read(_FILE, LONGEST)
    finally:
        os.close(lock)


def _read_file(path: str) -> bytes:
    """Return the content of the file that the user names. Raises InputError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            mode = status.st_mode
            if not stat.S_ISREG(mode):
                raise InputError(f"{KEY_FILE}: {path!r} is not a regular file")
            if mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise InputError(
                    f"{KEY_FILE}: other users can write to {path!r}; take that right away (chmod go-w)"
                )
            if mode & stat.S_IROTH:
                raise InputError(
                    f"{KEY_FILE}: all users can read {path!r}; take that right away (chmod o-r, or "
                    "`defaultMode: 0440` where Kubernetes mounts it) and make a new secret"
                )
            if status.st_uid not in (0, os.geteuid()):
                raise InputError(
                    f"{KEY_FILE}: {path!r} belongs to user {status.st_uid}; allowed: this user ({os.geteuid()}) or root"
                )
            return os.read(descriptor, LONGEST + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise InputError(f"{KEY_FILE}: {path!r} cannot be read: {error}") from error


def _checked(secret: bytes, variable: str) -> bytes:
    """Return the secret without white space around it. Raises InputError if it is too short or too long."""
    secret = secret.strip()
    if SHORTEST <= len(secret) <= LONGEST:
        return secret
    raise InputError(
        f"{variable}: got a secret of {len(secret)} characters; allowed: {SHORTEST} to {LONGEST:,}, for example "
        "what `openssl rand -hex 32` prints"
    )
