"""What every view of a space's read model answers, whatever it reads from."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, TypeVar

from ramax.core.decoding import Decoding
from ramax.core.limits import check_key, check_sequence
from ramax.core.paths import Path, at_path
from ramax.core.resolve import check_depth, resolve
from ramax.core.state import Packed
from ramax.core.walk import NOT_THERE, Walk
from ramax.errors import DataError, KeyNotFoundError

T = TypeVar("T")
Load = Callable[[Sequence[str]], Awaitable[Mapping[str, Packed | None]]]

Pages = Callable[[str, int], Awaitable[Sequence[tuple[str, Packed]]]]

PAGE = 1000
"""Keys of one page of a scan."""

CHUNK = 2000
"""Keys of one read, where a walk needs many."""

_RAISE: Any = object()


class StateView:
    """Reads of one space. Every value handed out is the caller's own."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding

    async def _load(self, keys: Sequence[str]) -> Mapping[str, Packed | None]:
        """Read packed values, None for a key that is not there."""
        raise NotImplementedError

    def _name(self) -> str:
        """Return the name of the space, for errors."""
        raise NotImplementedError

    async def fetch(self, key: str) -> Any:
        """Return the value of a key.

        Raises:
            KeyNotFoundError: There is no such key.
        """
        found = await self.get_many([key])
        if key not in found:
            raise KeyNotFoundError(self._name(), key)
        return found[key]

    async def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or ``default``."""
        return (await self.get_many([key])).get(key, default)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that exist, as of one moment, in the order asked for."""
        wanted = distinct_keys(keys)
        found = await self._load(wanted)
        decode = self._decoding.value
        return {key: decode(key, value) for key in wanted if (value := found[key]) is not None}

    async def get_resolved(
        self, key: str, depth: int | None = None, *, default: Any = _RAISE
    ) -> Any:
        """Return the value of a key with references replaced by what they refer to.

        All of it is as of one moment. Every level of references is one read, every key is read
        once, and an entity that occurs several times is one object. A reference stays a `Ref`
        where its key does not exist, where it leads back to an entity that it stands in, and in a
        set whose items what it refers to cannot be.

        Args:
            depth: How many levels of references; all by default, 0 replaces none.
            default: What to return if the key does not exist.

        Raises:
            KeyNotFoundError: There is no such key, and no ``default`` was given.
            CircularRefError: A chain of keys whose values are nothing but references loops.
        """
        check_key(key, "pstate key")
        check_depth(depth)
        value = await self._walk(lambda: resolve(key, depth))
        if value is not NOT_THERE:
            return value
        if default is _RAISE:
            raise KeyNotFoundError(self._name(), key)
        return default

    async def get_path(
        self,
        key: str,
        path: str | Sequence[str | int],
        default: Any = None,
        *,
        follow: bool = False,
    ) -> Any:
        """Return what a path leads to inside the value of a key.

        Args:
            path: ``cards.c1.front``, ``tags[0]``, ``cards["c.1"]`` for names with dots, or the
                steps as a tuple. With ``*``, or as an RFC 9535 query that begins with ``$`` (extra
                ``jsonpath``), it gives the list of all that it finds.
            default: Returned if the path, or the key, leads nowhere.
            follow: Go on through references on the way and at the end, a read for each step
                that meets any.

        Raises:
            DataError: The path cannot be read.
            CircularRefError: A chain of keys whose values are nothing but references loops.
        """
        check_key(key, "pstate key")
        understood = Path(path)
        found = await self._walk(lambda: at_path(key, understood, follow=follow))
        if understood.plural:
            return found
        return found[0] if found else default

    async def scan(
        self, prefix: str = "", *, limit: int | None = None, after: str = ""
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield (key, value) in key order, byte by byte, for keys that begin with ``prefix``.

        Args:
            limit: At most so many; no limit by default.
            after: Only keys above this one.

        Raises:
            StateReplacedError: A rebuild replaced the state between two pages of 1,000; never in
                a reader or a transaction.
        """
        check_prefix(prefix)
        check_prefix(after)
        left = 2**63 - 1 if limit is None else limit
        check_sequence(left, "limit")
        read = await self._pages(prefix)
        while left > 0:
            size = min(left, PAGE)
            page = await read(after, size)
            for key, packed in page:
                yield key, self._decoding.value(key, packed)
            if len(page) < size:
                return
            left -= len(page)
            after = page[-1][0]

    async def _pages(self, prefix: str) -> Pages:
        """Begin a scan; what it returns reads so many keys above one."""
        raise NotImplementedError

    async def _walk(self, begin: Callable[[], Walk[T]]) -> T:
        """Run a walk over values that stay as they are meanwhile."""
        return await self._answered(begin(), self._load)

    async def _answered(self, walk: Walk[T], load: Load) -> T:
        try:
            wanted = next(walk)
            while True:
                values: dict[str, Any] = {}
                for chunk in _chunks(wanted):
                    found = await load(chunk)
                    for key in chunk:
                        if (packed := found[key]) is not None:
                            values[key] = self._decoding.value(key, packed)
                wanted = walk.send(values)
        except StopIteration as end:
            result: T = end.value
            return result


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def distinct_keys(keys: Iterable[str]) -> list[str]:
    """Return several keys without repeats, same order.

    Raises:
        DataError: It is one text rather than several, or a key breaks a rule.
    """
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise DataError("pstate keys", keys, "give several keys, as a list")
    wanted = list(keys)
    for key in wanted:
        check_key(key, "pstate key")
    return list(dict.fromkeys(wanted))


def check_prefix(prefix: str) -> None:
    """Refuse what cannot be the beginning of a key; the empty prefix is every key's."""
    if not isinstance(prefix, str):
        raise DataError("key prefix", prefix, "must be a str")
    if prefix:
        check_key(prefix, "key prefix")
