"""Linking two entities both ways, for applicators."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from ramax.errors import DataError
from ramax.values import Ref


def create_linked(
    state: MutableMapping[str, Any],
    key: str,
    data: Mapping[str, Any],
    *,
    parent: str,
    collection: str,
    field: str | None = None,
) -> Ref:
    """Write an entity that refers to its parent, and enter it in a collection of the parent.

    Args:
        state: What the applicator was given.
        key: The new entity's, as "card:c1".
        data: Its fields; ``field`` is added to them.
        parent: The parent's key, as "deck:d1"; it must be there, as with ``state[parent]``.
        collection: The parent's field: a dict of id to reference, made if it is missing, or a
            list of references.
        field: The entity's field for its parent; the parent's type ("deck") if not given.

    Returns:
        The reference to the new entity.

    Raises:
        KeyError: The parent does not exist.
        DataError: The parent is no dict, or the collection neither dict nor list.
    """
    holder = state[parent]
    if not isinstance(holder, MutableMapping):
        raise DataError("parent", parent, "holds no fields, so nothing can be linked to it")
    entered = holder.setdefault(collection, {})
    ref = Ref(key)
    if isinstance(entered, MutableMapping):
        entered[_id_of(key)] = ref
    elif isinstance(entered, list):
        if ref not in entered:
            entered.append(ref)
    else:
        raise DataError("collection", collection, f"of {parent!r} is neither a dict nor a list")
    state[parent] = holder
    state[key] = {**data, field or parent.partition(":")[0]: Ref(parent)}
    return ref


def _id_of(key: str) -> str:
    return key.partition(":")[2] or key
