"""The exceptions of ramax, one tree.

RamaxError                          code, retryable; fields first, the message is built from them
├── Rejected                        a command's "no"; applications subclass it; not a fault
│   └── CommandRefusedError         command, refusal, reason: of the authority of a space
├── ConflictError                   retryable: somebody was first
│   ├── ConcurrencyError            space, expected, actual, entity_id, query
│   │   └── SubscriptionLostError   subscription; another reader moved its checkpoint
│   ├── IdempotencyConflictError    space, key
│   ├── VersionConflictError        key, expected, actual
│   ├── MergeConflictError          conflicts
│   └── PatchTestError              key: a `test` of a JSON patch failed
├── NotFoundError (LookupError)     SpaceNotFoundError, KeyNotFoundError, EventNotFoundError,
│                                   RecordNotFoundError,
│                                   BranchNotFoundError, CollectionNotFoundError,
│                                   NodeNotFoundError, SubscriptionNotFoundError
├── SpaceExistsError                name
├── BranchExistsError               name
├── CollectionExistsError           name
├── NodeExistsError                 tree, node
├── SpaceNotEmptyError              space, event_count, key_count
├── SpaceInUseError                 space, branches: they go on from its events
├── BranchInUseError                branch, branches
├── DataError (ValueError)          a value breaks a rule: what, value, rule
│   ├── CodecError                  what, value, rule
│   ├── CrdtError                   what, value, rule: an update of a collaborative text
│   ├── UpcastError                 space, sequence, event_type, version
│   ├── CircularRefError            path
│   ├── TreeCycleError              tree, node, parent
│   ├── SchemaError                 entity, field, key, value, rule
│   ├── SpaceNameError              name, rule
│   ├── JsonPathError · JsonPatchError · VectorError
│   └── LegacyFormatError           what, rule
├── StorageError                    the database failed; __cause__ is the driver's error
│   ├── StorageBusyError            retryable: locked, deadlock, serialization
│   ├── CommitUnknownError          the database cannot tell whether a commit happened
│   ├── SchemaOutOfDateError        current, head, and the command that fixes it
│   └── ForeignSchemaError          tables of our names that are not ours
├── SyncError
│   ├── ClockSkewError              stamp, ahead: a clock far in the future is not followed
│   ├── ForkError                   space, origin, sequence: two events claim one place
│   ├── GapError                    space, wanted: events before these are missing
│   ├── SpaceLoadTimeoutError       TimeoutError: space, timeout
│   ├── SpaceLoadError              retryable: space, failures: of the layers asked
│   ├── DurabilityError             TimeoutError: space, layers: committed, but here alone
│   ├── SpaceAlreadyOpenError       space
│   └── LayerError                  layer, reason; retryable says whether to come back
│       ├── LayerUnavailableError   retryable: it cannot be reached
│       ├── LayerAuthError          it does not let us in, or not do this
│       ├── LayerResetError         epoch: it is not the one that it was
│       └── ProtocolError           it says what nobody can understand
├── SubscriptionPausedError         subscription, reason: it delivers nothing until it is resumed
├── SecretDecryptError              space, name: another master key, or changed bytes
├── FoldError                       an applicator failed: space, sequence, event_type
├── ProjectionError                 its handler failed: space, projection, sequence, event_type
├── ProjectionBehindError           retryable, TimeoutError: space, projection, sequence, actual
└── MisuseError (RuntimeError)      fix the code, do not catch
    ├── DomainMismatchError         space, missing
    ├── NestedTransactionError · TransactionFailedError · ClosedError
    ├── SearchDisabledError         space, reason: its texts have no index
    └── StateReplacedError          a scan ran across a rebuild's swap
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar


def _rebuild(
    cls: type["RamaxError"], args: tuple[object, ...], fields: dict[str, object]
) -> "RamaxError":
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


def shown(value: object, limit: int = 80) -> str:
    """Render a value for a message, at most ``limit`` characters."""
    try:
        text = repr(value)
    except Exception:  # a user's __repr__ must not hide the error that is being reported
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


class RamaxError(Exception):
    """Base of every error that ramax raises on purpose.

    ``code`` is stable and meant for programs; ``retryable`` says that the same call may succeed
    when it is made again.
    """

    code: ClassVar[str] = "ramax"
    retryable: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        # The constructors take fields, not the message, so the default would call them wrongly.
        return _rebuild, (type(self), self.args, self.__dict__)


class Rejected(RamaxError):  # noqa: N818 - a business "no" is an answer, not a fault
    """A command said no; nothing was written. Applications subclass it."""

    code = "rejected"


class CommandRefusedError(Rejected):
    """The authority of a space refused a command; ``refusal`` is the code of its own error."""

    code = "rejected.by_authority"

    def __init__(self, command: str, refusal: str, reason: str) -> None:
        self.command, self.refusal, self.reason = command, refusal, reason
        super().__init__(f"the authority refused {command} ({refusal}): {reason}")


class ConflictError(RamaxError):
    """Somebody else was first; read again and decide again."""

    code = "conflict"
    retryable = True


class ConcurrencyError(ConflictError):
    """The space, an entity, a checkpoint or what a query finds is not as the caller expected it.

    ``expected`` and ``actual`` are sequences of the space; with ``checkpoint`` of that checkpoint;
    with ``entity_id`` numbers of events of that entity; with ``query`` the sequence after which
    nothing should match, and what does.
    """

    code = "conflict.concurrency"
    entity_id: str | None = None
    query: object = None
    checkpoint: str | None = None

    def __init__(
        self,
        space: str,
        expected: object,
        actual: object,
        *,
        entity_id: str | None = None,
        query: object = None,
        checkpoint: str | None = None,
    ) -> None:
        self.space, self.expected, self.actual = space, expected, actual
        if entity_id is not None:
            self.entity_id = entity_id
            text = f"entity {shown(entity_id)} of space {space!r} has {actual} events, expected "
            text += str(expected)
        elif query is not None:
            self.query = query
            text = f"event {actual} of space {space!r} matches {shown(query, 200)}; nothing after "
            text += f"{expected} should"
        elif checkpoint is not None:
            self.checkpoint = checkpoint
            text = f"checkpoint {shown(checkpoint)} of space {space!r} is at {actual}, "
            text += f"expected {expected}"
        else:
            text = f"space {space!r} is at sequence {actual}, expected {expected}"
        super().__init__(text)


class SubscriptionLostError(ConcurrencyError):
    """Somebody else reads the subscription now, or has moved its checkpoint; nothing was written.

    Let it end the loop, or catch it and go on: the next event is what comes after the checkpoint,
    when this reader is the one that reads again.
    """

    code = "conflict.concurrency.subscription_lost"
    retryable = False

    def __init__(self, subscription: str, space: str, expected: object, actual: object) -> None:
        super().__init__(space, expected, actual)
        self.subscription = subscription
        message = (
            f"subscription {subscription!r} of {space} is another reader's now: it is at {actual}, "
            f"and this reader left it at {expected}"
        )
        self.args = (message,)


class IdempotencyConflictError(ConflictError):
    """An idempotency key came again with other content."""

    code = "conflict.idempotency"
    retryable = False

    def __init__(self, space: str, key: str) -> None:
        self.space, self.key = space, key
        super().__init__(
            f"idempotency key {shown(key)} of space {space!r} was used for another command or "
            "other parameters; use a new key for new content"
        )


class VersionConflictError(ConflictError):
    """A versioned value is not at the version that the caller expected."""

    code = "conflict.version"

    def __init__(self, key: str, expected: object, actual: object) -> None:
        self.key, self.expected, self.actual = key, expected, actual
        super().__init__(f"{shown(key)} is at version {actual}, expected {expected}")


class MergeConflictError(ConflictError):
    """Both sides of a merge changed the same thing."""

    code = "conflict.merge"
    retryable = False

    def __init__(self, conflicts: Sequence[Any]) -> None:
        self.conflicts = tuple(conflicts)
        first = "; ".join(map(str, self.conflicts[:3]))
        more = len(self.conflicts) - 3
        super().__init__(
            f"both sides changed {first}{f' and {more} more' if more > 0 else ''}; "
            "nothing was written"
        )


class PatchTestError(ConflictError):
    """A ``test`` of a JSON patch failed: the document is not what its author thought."""

    code = "conflict.patch_test"
    retryable = False

    def __init__(self, key: str, operation: object) -> None:
        self.key, self.operation = key, operation
        super().__init__(f"document {shown(key)} fails {shown(operation)}; nothing was changed")


class NotFoundError(RamaxError, LookupError):
    """What was named does not exist."""

    code = "not_found"


class SpaceNotFoundError(NotFoundError):
    """No space of that name or id, or it was deleted."""

    code = "not_found.space"

    def __init__(self, space: str | int) -> None:
        self.space = space
        super().__init__(f"there is no space {space!r}; it was never created or has been deleted")


class KeyNotFoundError(NotFoundError):
    """The pstate of the space has no such key."""

    code = "not_found.key"

    def __init__(self, space: str, key: str) -> None:
        self.space, self.key = space, key
        super().__init__(f"space {space!r} has no key {shown(key)}")


class EventNotFoundError(NotFoundError):
    """No such event, or it belongs to another space."""

    code = "not_found.event"

    def __init__(self, event_id: int) -> None:
        self.event_id = event_id
        super().__init__(f"there is no event {event_id} here")


class RecordNotFoundError(NotFoundError):
    """A space keeps no such record of another replica aside."""

    code = "not_found.record"

    def __init__(self, space: str, uid: str) -> None:
        self.space, self.uid = space, uid
        super().__init__(f"space {space!r} keeps no record {uid} aside")


class BranchNotFoundError(NotFoundError):
    """No branch of that name."""

    code = "not_found.branch"

    def __init__(self, branch: str) -> None:
        self.branch = branch
        super().__init__(f"there is no branch {branch!r}")


class CollectionNotFoundError(NotFoundError):
    """The space has no collection of vectors of that name."""

    code = "not_found.collection"

    def __init__(self, collection: str) -> None:
        self.collection = collection
        super().__init__(f"there is no collection {shown(collection)}; create_collection makes it")


class NodeNotFoundError(NotFoundError):
    """A tree has no such node, or only in its trash."""

    code = "not_found.node"

    def __init__(self, tree: str, node: str) -> None:
        self.tree, self.node = tree, node
        super().__init__(f"there is no node {shown(node)} in tree {shown(tree)}")


class SubscriptionNotFoundError(NotFoundError):
    """No subscription of that name, or nothing of it that could be retried or skipped."""

    code = "not_found.subscription"

    def __init__(self, subscription: str, what: str = "was never opened") -> None:
        self.subscription, self.what = subscription, what
        super().__init__(f"subscription {subscription!r} {what}")


class SpaceExistsError(RamaxError):
    """A space of that name exists already."""

    code = "exists.space"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"a space {name!r} exists already; open it with content_store({name!r})")


class BranchExistsError(RamaxError):
    """A branch of that name exists already."""

    code = "exists.branch"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is a branch {name!r} already")


class NodeExistsError(RamaxError):
    """A tree has a node of that id already, perhaps in its trash."""

    code = "exists.node"

    def __init__(self, tree: str, node: str) -> None:
        self.tree, self.node = tree, node
        super().__init__(f"there is a node {shown(node)} in tree {shown(tree)} already")


class CollectionExistsError(RamaxError):
    """The space has a collection of vectors of that name already."""

    code = "exists.collection"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is a collection {name!r} already")


class SpaceNotEmptyError(RamaxError):
    """The space holds, or once held, data; deleting it needs ``force=True``."""

    code = "not_empty.space"

    def __init__(self, space: str, event_count: int, key_count: int) -> None:
        self.space, self.event_count, self.key_count = space, event_count, key_count
        super().__init__(
            f"space {space!r} is not empty ({event_count} events, {key_count} keys); "
            "delete it for good with force=True"
        )


class SpaceInUseError(RamaxError):
    """Other spaces, mostly of other branches, go on from events of this one: delete those first."""

    code = "in_use.space"

    def __init__(self, space: str, branches: Sequence[str]) -> None:
        self.space, self.branches = space, tuple(branches)
        super().__init__(
            f"space {space!r} is needed by what was forked from it on: {', '.join(branches)}"
        )


class BranchInUseError(RamaxError):
    """Other branches were forked from this one and go on from its events; delete them first."""

    code = "in_use.branch"

    def __init__(self, branch: str, branches: Sequence[str]) -> None:
        self.branch, self.branches = branch, tuple(branches)
        super().__init__(
            f"branch {branch!r} is needed by what was forked from it: {', '.join(branches)}"
        )


class DataError(RamaxError, ValueError):
    """A value breaks a rule. Nothing was written."""

    code = "data"

    def __init__(self, what: str, value: object, rule: str) -> None:
        self.what, self.value, self.rule = what, value, rule
        super().__init__(f"{what} {shown(value)}: {rule}")


class TreeCycleError(DataError):
    """A node cannot be moved under itself, or under what is under it."""

    code = "data.tree_cycle"

    def __init__(self, tree: str, node: str, parent: str) -> None:
        self.tree, self.node, self.parent = tree, node, parent
        super().__init__("parent", parent, f"is node {node!r} of tree {tree!r}, or under it")


class CodecError(DataError):
    """A value cannot be stored as, or read from, its format."""

    code = "data.codec"


class CrdtError(DataError):
    """An update of a collaborative text, or a version, cannot be read or applied."""

    code = "data.crdt"


class UpcastError(DataError):
    """An old event could not be brought to today's shape.

    What the upcaster raised is ``__cause__``.
    """

    code = "data.upcast"

    def __init__(
        self, space: str, sequence: int, event_type: str, version: int, reason: object
    ) -> None:
        self.space, self.sequence = space, sequence
        self.event_type, self.version = event_type, version
        why = reason if isinstance(reason, str) else shown(reason, 200)
        super().__init__(
            f"event {sequence} of space {space!r}", event_type, f"version {version}: {why}"
        )


class SchemaError(DataError):
    """A value does not fit what is declared of its entity; ``field`` is a path, "" the whole."""

    code = "data.schema"

    def __init__(self, entity: str, field: str, key: str, value: object, rule: str) -> None:
        self.entity, self.field, self.key = entity, field, key
        where = f"field {field!r} of {entity} {key!r}" if field else f"{entity} {key!r}"
        super().__init__(where, value, rule)


class CircularRefError(DataError):
    """A chain of bare references comes back to itself."""

    code = "data.circular_ref"

    def __init__(self, path: Iterable[str]) -> None:
        self.path = tuple(path)
        super().__init__("reference", " -> ".join(self.path), "the chain loops")


class SpaceNameError(DataError):
    """A new space may not have this name."""

    code = "data.space_name"

    def __init__(self, name: object, rule: str) -> None:
        self.name = name
        super().__init__("space name", name, rule)


class JsonPathError(DataError):
    """A path into a JSON document is none, or leads nowhere."""

    code = "data.json_path"

    def __init__(self, path: object, rule: str) -> None:
        super().__init__("JSON path", path, rule)


class JsonPatchError(DataError):
    """A JSON patch is none, or does not fit the document."""

    code = "data.json_patch"

    def __init__(self, patch: object, rule: str) -> None:
        super().__init__("JSON patch", patch, rule)


class VectorError(DataError):
    """A vector, a collection of vectors or a search for them breaks a rule."""

    code = "data.vector"


class LegacyFormatError(DataError):
    """Bytes or tables of an old database are not what they should be."""

    code = "data.legacy"


class StorageError(RamaxError):
    """The database failed. The driver's error is ``__cause__``."""

    code = "storage"


class StorageBusyError(StorageError):
    """Locked for too long, a deadlock or a serialization failure. Nothing was written."""

    code = "storage.busy"
    retryable = True


class CommitUnknownError(StorageError):
    """The connection broke at commit and the database cannot tell whether it happened.

    Not retryable as it is: repeat the command with an ``idempotency_key``, or look first.
    """

    code = "storage.commit_unknown"


class SchemaOutOfDateError(StorageError):
    """The tables are older or newer than this version of ramax."""

    code = "storage.schema"

    def __init__(self, current: str | None, head: str, remedy: str) -> None:
        self.current, self.head, self.remedy = current, head, remedy
        super().__init__(
            f"the database is at revision {current or 'none'}, this ramax needs {head}: {remedy}"
        )


class ForeignSchemaError(StorageError):
    """The database holds tables of our names that ramax did not make; nothing was changed."""

    code = "storage.foreign_schema"

    def __init__(self, tables: Iterable[str], reason: str) -> None:
        self.tables, self.reason = tuple(tables), reason
        super().__init__(f"tables {', '.join(self.tables)} are not ramax's: {reason}")


class SyncError(RamaxError):
    """Another replica or layer failed, or said something that cannot be true."""

    code = "sync"


class SubscriptionPausedError(RamaxError):
    """A subscription is paused and delivers nothing until somebody resumes it."""

    code = "subscription.paused"

    def __init__(self, subscription: str, reason: str | None) -> None:
        self.subscription, self.reason = subscription, reason
        super().__init__(
            f"subscription {subscription!r} is paused: {reason or 'by hand'}; resume it, or skip "
            "the event at which it stopped"
        )


class ClockSkewError(SyncError):
    """A stamp of another replica lies too far in the future to be believed; ``ahead`` in ms."""

    code = "sync.clock_skew"

    def __init__(self, stamp: int, ahead: int) -> None:
        self.stamp, self.ahead = stamp, ahead
        super().__init__(f"stamp {stamp} lies {ahead} ms ahead of this clock; set the clocks right")


class ForkError(SyncError):
    """Two different events claim the same place of an origin, or the same uid. Nothing was written.

    A replica was restored from a backup, or copied, and wrote on under the origin it had.
    """

    code = "sync.fork"

    def __init__(self, space: str, origin: bytes, sequence: int) -> None:
        self.space, self.origin, self.sequence = space, origin, sequence
        super().__init__(
            f"space {space!r} has another event {sequence} of origin {origin!r}: that replica was "
            "restored or copied, and needs a new origin"
        )


class GapError(SyncError):
    """Events before the given ones are missing; ``wanted`` is the vector to send from."""

    code = "sync.gap"
    retryable = True

    def __init__(self, space: str, wanted: Mapping[bytes, int]) -> None:
        self.space, self.wanted = space, wanted
        super().__init__(f"space {space!r} lacks events before these; send from {self.wanted}")


class SpaceLoadTimeoutError(SyncError, TimeoutError):
    """No layer had enough of a space within ``timeout`` seconds."""

    code = "sync.load_timeout"
    retryable = True

    def __init__(self, space: str, timeout: float) -> None:
        self.space, self.timeout = space, timeout
        super().__init__(f"space {space!r} could not be loaded from any layer within {timeout} s")


class SpaceLoadError(SyncError):
    """Layers failed, and none of the others holds the space.

    ``failures`` says how each did; the errors are ``__cause__``, as a group.
    """

    code = "sync.load"
    retryable = True

    def __init__(self, space: str, failures: Iterable[str]) -> None:
        self.space, self.failures = space, tuple(failures)
        super().__init__(f"space {space!r} could not be loaded: {'; '.join(self.failures)}")


class DurabilityError(SyncError, TimeoutError):
    """Committed here, but ``layers`` did not confirm it within ``timeout`` seconds.

    Do not repeat the command: what it wrote is in the space, and reaches them when they can be.
    """

    code = "sync.durability"

    def __init__(self, space: str, layers: Iterable[str], timeout: float) -> None:
        self.space, self.layers, self.timeout = space, tuple(layers), timeout
        super().__init__(
            f"space {space!r}: committed here, but {', '.join(map(repr, self.layers))} did not "
            f"confirm it within {timeout} s; it is sent when that is possible"
        )


class SpaceAlreadyOpenError(SyncError):
    """A space was added that is open already; `SpaceManager.get` returns it."""

    code = "sync.already_open"

    def __init__(self, space: str) -> None:
        self.space = space
        super().__init__(f"space {space!r} is open already")


class LayerError(SyncError):
    """A layer failed; the space itself, its other layers and local work go on."""

    code = "sync.layer"

    def __init__(self, layer: str, reason: str) -> None:
        self.layer, self.reason = layer, reason
        super().__init__(f"layer {layer!r}: {reason}")


class LayerUnavailableError(LayerError):
    """A layer cannot be reached now."""

    code = "sync.layer.unavailable"
    retryable = True


class LayerAuthError(LayerError):
    """A layer does not let us in, or does not let us do this."""

    code = "sync.layer.auth"


class LayerResetError(LayerError):
    """A layer was reset or restored: it is at another ``epoch`` than when it was last heard."""

    code = "sync.layer.reset"

    def __init__(self, layer: str, epoch: bytes | None) -> None:
        self.epoch = epoch
        super().__init__(layer, f"it was reset or restored, and is at epoch {epoch!r} now")


class ProtocolError(LayerError):
    """A layer, or a client, says what breaks the protocol."""

    code = "sync.layer.protocol"


class SecretDecryptError(RamaxError):
    """A secret, or the data key of a space, cannot be opened. Nothing was changed.

    ``name`` is None where it is the data key.
    """

    code = "secret.decrypt"

    def __init__(self, space: str, name: str | None, reason: str) -> None:
        self.space, self.name, self.reason = space, name, reason
        what = "the secrets" if name is None else f"secret {shown(name)}"
        super().__init__(f"{what} of space {space!r} cannot be opened: {reason}")


class FoldError(RamaxError):
    """An applicator failed on a recorded event. The pstate stays as it was.

    The applicator's own exception is ``__cause__``.
    """

    code = "fold"

    def __init__(self, space: str, sequence: int, event_type: str, reason: object) -> None:
        self.space, self.sequence, self.event_type = space, sequence, event_type
        super().__init__(
            f"the applicator for {event_type!r} failed on event {sequence} of space {space!r}: "
            f"{shown(reason, 200)}; mend the applicator, then run again or rebuild"
        )


class ProjectionError(RamaxError):
    """A projection's handler failed on an event, or made a statement that cannot be confined.

    Nothing was written for the event. What went wrong is ``__cause__``.
    """

    code = "projection"

    def __init__(
        self, space: str, projection: str, sequence: int, event_type: str, reason: object
    ) -> None:
        self.space, self.projection = space, projection
        self.sequence, self.event_type = sequence, event_type
        why = str(reason) if isinstance(reason, RamaxError) else shown(reason, 200)
        super().__init__(
            f"projection {projection!r} failed on event {sequence} ({event_type}) of space "
            f"{space!r}: {why}"
        )


class ProjectionBehindError(RamaxError, TimeoutError):
    """A projection did not get to a sequence in time; it is at ``actual``."""

    code = "projection.behind"
    retryable = True

    def __init__(self, space: str, projection: str, sequence: int, actual: int) -> None:
        self.space, self.projection = space, projection
        self.sequence, self.actual = sequence, actual
        super().__init__(
            f"{projection!r} of space {space!r} is at {actual} and did not get to {sequence} in "
            "time; does anybody run it?"
        )


class MisuseError(RamaxError, RuntimeError):
    """The calling code is wrong; fix it instead of catching this."""

    code = "misuse"


class DomainMismatchError(MisuseError):
    """The pstate of the space was folded by domains that this handle lacks, or lacks this one's.

    Open the space with all of them, or record the new set with ``rebuild_pstate()``.
    """

    code = "misuse.domain"

    def __init__(self, space: str, missing: Iterable[str], reason: str) -> None:
        self.space, self.missing = space, tuple(sorted(missing))
        super().__init__(
            f"space {space!r}: {reason} {', '.join(map(repr, self.missing))}; open it with all "
            "its domains (Domain.combine) or run rebuild_pstate() to record a new set"
        )


class NestedTransactionError(MisuseError):
    """A handle was used inside a transaction of the same task; use the transaction itself."""

    code = "misuse.nested_transaction"


class TransactionFailedError(MisuseError):
    """The transaction broke on an earlier error and can only be rolled back."""

    code = "misuse.transaction_failed"


class ClosedError(MisuseError):
    """The database handle, or the transaction, is closed."""

    code = "misuse.closed"


class SearchDisabledError(MisuseError):
    """The texts of the space have no index, or it is still being made: the reason."""

    code = "misuse.search_disabled"

    def __init__(self, space: str, reason: str = "is not searched") -> None:
        self.space, self.reason = space, reason
        super().__init__(f"space {space!r} {reason}; db.spaces.enable_search indexes its texts")


class StateReplacedError(MisuseError):
    """A rebuild replaced the pstate between two pages of a scan; start the scan again."""

    code = "misuse.state_replaced"
    retryable = True
