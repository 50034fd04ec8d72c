"""Opening subscriptions: checks what is asked for and puts a reader together."""

from collections.abc import Iterable
from dataclasses import dataclass

from ramax.core.domain import Domain
from ramax.core.limits import check_entity_id, check_name
from ramax.core.tags import checked_tags
from ramax.errors import DataError
from ramax.runtime.core import Core
from ramax.runtime.deliveries import Opening
from ramax.runtime.sources import FeedSource, Only, Source, SpaceSource
from ramax.runtime.subscription import Subscription
from ramax.runtime.terms import Terms
from ramax.runtime.transaction import Transaction
from ramax.storage.cursors import all_spaces
from ramax.storage.reads import PSTATE
from ramax.storage.subscriptions import Key
from ramax.values import Space

_LONGEST_NAME = 200


def check_subscription_name(name: str) -> None:
    """Refuse what cannot name a subscription.

    Raises:
        DataError: It is empty, too long, ``pstate``, or has a slash in it.
    """
    check_name(name, "subscription name", _LONGEST_NAME)
    if name == PSTATE:
        raise DataError("subscription name", name, "is the checkpoint of the built-in projection")
    if "/" in name:
        raise DataError("subscription name", name, "must not contain '/', which is for partitions")


def only(types: Iterable[str] | None, entities: Iterable[str] | None, tags: Iterable[str]) -> Only:
    """Check and pack which events are wanted."""
    for what, given in (("types", types), ("entities", entities)):
        if isinstance(given, str):
            raise DataError(what, given, "give a list")
    wanted = None if types is None else frozenset(types)
    about = None if entities is None else frozenset(entities)
    for event_type in wanted or ():
        check_name(event_type, "event type")
    for entity in about or ():
        check_entity_id(entity, "entity id")
    return Only(wanted, about, frozenset(checked_tags(tags, "tags")))


@dataclass(frozen=True, slots=True)
class Opener:
    """What subscriptions of one handle have in common."""

    core: Core
    domain: Domain | None
    transaction_type: type[Transaction]

    def to_space(self, space: Space, name: str, wanted: Only, terms: Terms) -> Subscription:
        """Make the reader of one space."""
        check_subscription_name(name)

        async def opening() -> tuple[Key, Source]:
            found = await self.core.opened(space)  # it has no id before it has a row
            return Key(found.space_id, name), SpaceSource(found, wanted, self.domain)

        return self._make(name, opening, terms)

    def to_all(self, name: str, wanted: Only, terms: Terms, partition: int) -> Subscription:
        """Make the reader of all spaces, or of one partition of them."""
        check_subscription_name(name)
        if type(partition) is not int or not 0 <= partition < terms.partitions:
            raise DataError("partition", partition, f"is from 0 to {terms.partitions - 1}")

        async def opening() -> tuple[Key, Source]:
            branch = await self.core.branch()
            source = FeedSource(wanted, partition, terms.partitions, self.domain, branch)
            return Key(all_spaces(branch), name, partition), source

        return self._make(name, opening, terms)

    def _make(self, name: str, opening: Opening, terms: Terms) -> Subscription:
        return Subscription(
            self.core, name, opening, terms, self.domain, transaction_type=self.transaction_type
        )
