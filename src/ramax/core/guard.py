"""The guard of a space: what a decision rests on, and what its write compares and sets."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from ramax.core.fulltext.documents import Searched


class Guard(NamedTuple):
    """The hot row of a space as a decision was made on it, and what goes with those numbers.

    ``checkpoint`` is the sequence up to which the pstate is folded; ``domains`` are the names of
    the domains that folded it, None where nobody recorded them. ``head_hash`` is the newest hash
    of a space that has a hash chain. ``indexed`` says which fields
    have an index of all their references, None where there is none. ``searched`` says what of the
    space has an index of its texts. ``in_step`` are inline projections that are known to be where
    the pstate is; None where nobody has looked. ``replica`` is the packed `ReplicaHead` of a
    replicated space.
    """

    last_sequence: int
    state_version: int
    last_timestamp: int
    checkpoint: int
    domains: frozenset[str] | None
    head_hash: bytes | None = None
    indexed: str | None = None
    searched: Searched | None = None
    in_step: frozenset[str] | None = None
    replica: bytes | None = None

    @property
    def replacements(self) -> int:
        """How often the pstate was replaced as a whole: the high half of the state version."""
        return self.state_version >> _REPLACEMENT_BITS

    @property
    def step_to_replacement(self) -> int:
        """What to add to the state version when the pstate is replaced; else it moves by 1."""
        return ((self.replacements + 1) << _REPLACEMENT_BITS) - self.state_version


_REPLACEMENT_BITS = 32

guard_of: Callable[[Iterable[Any]], Guard] = partial(tuple.__new__, Guard)
"""Makes a guard of its values, in a third of the time of the class itself."""
