"""Part: one file of a run, as the journal and the manifest describe it."""

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a run. The digests are None while bytes may still follow.

    `sha256` is the digest of the file's bytes. `content_sha256` is set for compressed parts only: the digest of the
    decompressed content, which equals the `sha256` of the same part without compression, whatever the chunk size and
    the versions of the libraries.
    """

    path: str
    format: str
    table: str
    patients: int
    rows: int
    bytes: int
    sha256: str | None = None
    content_sha256: str | None = None
