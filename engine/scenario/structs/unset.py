"""The default of fields that only an entry of a network template, or one that overrides it, may do without.

Their type is that of a complete network, in which `expand_network` has seen to it that they are set.
"""

from typing import cast

from msgspec import UNSET

from engine.scenario.structs.vocabulary import TransportKind

UNSET_INT = cast("int", UNSET)
UNSET_KIND = cast("TransportKind", UNSET)
