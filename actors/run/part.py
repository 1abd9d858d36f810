"""Part: one file of a run, as the journal and the manifest describe it."""

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
"""A number of patients, rows, chunks or bytes in a file that is read back."""

Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""A SHA-256 in hexadecimal digits."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
"""The name of a file, a format or a table."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a run. The digests are None while bytes may still follow.

    `sha256` is the digest of the file's bytes. `content_sha256` is set for compressed parts only: the digest of the
    decompressed content, which equals the `sha256` of the same part without compression, whatever the chunk size and
    the versions of the libraries.
    """

    path: Name
    format: Name
    table: Name
    patients: Count
    rows: Count
    bytes: Count
    sha256: Digest | None = None
    content_sha256: Digest | None = None
