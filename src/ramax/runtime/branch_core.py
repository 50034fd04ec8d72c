"""The core as the handles of another branch than `main` see it: the same database, other spaces."""

from typing import Any

from ramax.core.observer import Observer
from ramax.errors import BranchNotFoundError
from ramax.runtime.core import Core
from ramax.storage import branches
from ramax.values import Space

_CHANGING = {"watch", "quick_reads"}


class BranchCore(Core):
    """Everything is the database's own but which spaces there are."""

    def __init__(self, root: Core, name: str) -> None:
        # what stays as it is; the rest is asked for each time
        vars(self).update((k, v) for k, v in vars(root).items() if k not in _CHANGING)
        self._root, self._name = root, name
        self._default: Space | None = None
        self._branch: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._root, name)

    @property
    def root(self) -> Core:
        """The core of the whole database."""
        return self._root

    async def branch(self) -> int:
        """Return the id of the branch; looked up once.

        Raises:
            BranchNotFoundError: There is none of that name.
        """
        if self._branch is None:
            found = await self.read(lambda ex: branches.find(ex, self._name))
            if found is None:
                raise BranchNotFoundError(self._name)
            self._branch = found.branch_id
        return self._branch

    def observe(self, observer: Observer | None) -> None:
        """See `Core.observe`: whoever watches, watches the whole database."""
        self._root.observe(observer)

    async def close(self) -> None:
        """Nothing: the database is not the view's to close."""
