"""Operations on two branches, or two spaces: diff, merge, rebase, promote."""

from collections.abc import Mapping
from typing import Any, Final

from ramax.core.json_form import to_json
from ramax.core.merging.conflicts import MergeConflict
from ramax.core.merging.differences import BranchDiff, KeyChange, SideEvents, SpaceDiff
from ramax.core.merging.results import (
    BranchMerge,
    BranchPreview,
    MergePreview,
    SpaceMerge,
)
from ramax.entry.operations.answer import (
    BOOL,
    INT,
    MAP,
    NAMES,
    TEXT,
    VALUE,
    Schema,
    listed,
    or_null,
    record,
)
from ramax.entry.operations.operation import Document, Operation, Parameter

_SOURCE: Final = Parameter("source", "text", "The branch from which is taken over.")
_INTO: Final = Parameter(
    "into", "text", "The branch that gets it; main by default.", required=False
)
_POLICY: Final = Parameter(
    "on_conflict",
    "text",
    "What both sides changed: fail (the default), ours keeps what the target has, theirs takes "
    "what the source has.",
    required=False,
)

_SIDE: Final = record({"events": INT, "by_type": MAP, "by_entity": MAP})
_CHANGE: Final = record(
    {"type": TEXT, "key": TEXT, "kind": TEXT, "old": VALUE, "new": VALUE},
)
_CONFLICT: Final = record(
    {"space": TEXT, "type": TEXT, "name": TEXT, "part": or_null(TEXT), "paths": NAMES}
)
_TAKEN: Final[Mapping[str, Schema]] = {"space": TEXT, "copied": INT, "made": INT}
_PREVIEW: Final = record({**_TAKEN, "conflicts": listed(_CONFLICT)})
_MERGED: Final[Mapping[str, Schema]] = {
    **_TAKEN,
    "kept": listed(_CONFLICT),
    "taken": listed(_CONFLICT),
    "space_sequence": INT,
}
_DIFF: Final[Mapping[str, Schema]] = {
    "left": TEXT,
    "right": TEXT,
    "same": BOOL,
    "spaces": listed(
        record(
            {
                "space": TEXT,
                "keys": listed(_CHANGE),
                "left": _SIDE,
                "right": _SIDE,
                "behind": NAMES,
            }
        )
    ),
    "only_left": NAMES,
    "only_right": NAMES,
    "unchanged": INT,
}


def _of_branches(space: Schema) -> Mapping[str, Schema]:
    head = {"source": TEXT, "into": TEXT, "spaces": listed(space)}
    return {**head, "created": NAMES, "unchanged": INT}


def diff_document(diff: BranchDiff) -> Document:
    """Describe how two branches differ; values in their JSON form."""
    return {
        "left": diff.left,
        "right": diff.right,
        "same": diff.same,
        "spaces": [_space_diff(space) for space in diff.spaces],
        "only_left": list(diff.only_left),
        "only_right": list(diff.only_right),
        "unchanged": diff.unchanged,
    }


def _space_diff(space: SpaceDiff) -> Document:
    return {
        "space": space.space,
        "keys": [_change(change) for change in space.keys],
        "left": _side(space.left),
        "right": _side(space.right),
        "behind": list(space.behind),
    }


def _change(change: KeyChange) -> Document:
    values = {"old": to_json(change.old), "new": to_json(change.new)}
    return {"type": change.type, "key": change.key, "kind": change.kind, **values}


def _side(side: SideEvents) -> Document:
    return {
        "events": side.count,
        "by_type": dict(side.by_type),
        "by_entity": dict(side.by_entity),
    }


def merge_document(merge: BranchMerge | BranchPreview) -> Document:
    """Describe what a merge of branches did, or would do."""
    return {
        "source": merge.source,
        "into": merge.into,
        "spaces": [space_document(space) for space in merge.spaces],
        "created": list(merge.created),
        "unchanged": merge.unchanged,
    }


def space_document(space: SpaceMerge | MergePreview) -> Document:
    """Describe what was taken over into a space, or would be."""
    found: Document = {"space": space.space, "copied": space.copied, "made": space.made}
    if isinstance(space, MergePreview):
        return {**found, "conflicts": [conflict_document(each) for each in space.conflicts]}
    return {
        **found,
        "kept": [conflict_document(each) for each in space.kept],
        "taken": [conflict_document(each) for each in space.taken],
        "space_sequence": space.space_sequence,
    }


def conflict_document(conflict: MergeConflict) -> Document:
    """Describe a conflict, without its events."""
    names = ("space", "type", "name", "part")
    return {**{n: getattr(conflict, n) for n in names}, "paths": list(conflict.paths)}


async def _diff(
    db: Any,
    left: str,
    right: str,
    values: bool = False,  # noqa: FBT001, FBT002 - as it was given
    include_unchanged: bool = False,  # noqa: FBT001, FBT002
) -> Document:
    options = {"values": values, "include_unchanged": include_unchanged}
    return diff_document(await db.branches.diff(left, right, **options))


async def _preview(db: Any, source: str, into: str = "main") -> Document:
    return merge_document(await db.branches.preview_merge(source, into))


async def _merge(db: Any, source: str, into: str = "main", on_conflict: str = "fail") -> Document:
    return merge_document(await db.branches.merge(source, into, on_conflict=on_conflict))


async def _rebase(
    db: Any, branch: str, onto: str | None = None, on_conflict: str = "fail"
) -> Document:
    return merge_document(await db.branches.rebase(branch, onto, on_conflict=on_conflict))


async def _promote(db: Any, source: str, target: str, **given: Any) -> Document:
    return space_document(await db.spaces.promote(source, target, **given))


MERGES: Final = (
    Operation(
        "branch_diff",
        "Say how two branches differ: keys, and the events that the other does not have.",
        (
            Parameter("left", "text", "The one branch."),
            Parameter("right", "text", "The other one."),
            Parameter("values", "bool", "Give the values of both.", required=False),
            Parameter("include_unchanged", "bool", "List every space.", required=False),
        ),
        _diff,
        _DIFF,
        writes=True,
    ),
    Operation(
        "branch_preview_merge",
        "Say what a merge would take over, and its conflicts.",
        (_SOURCE, _INTO),
        _preview,
        _of_branches(_PREVIEW),
    ),
    Operation(
        "branch_merge",
        "Take over into a branch what it does not have of another, in all spaces or in none.",
        (_SOURCE, _INTO, _POLICY),
        _merge,
        _of_branches(record(_MERGED)),
        writes=True,
    ),
    Operation(
        "branch_rebase",
        "Take over into a branch what has happened since on the one that it was forked from.",
        (
            Parameter("branch", "text", "The branch."),
            Parameter("onto", "text", "Another one than that.", required=False),
            _POLICY,
        ),
        _rebase,
        _of_branches(record(_MERGED)),
        writes=True,
    ),
    Operation(
        "spaces_promote",
        "Take some entities over from one space to another.",
        (
            Parameter("source", "text", "The space from which is taken over."),
            Parameter("target", "text", "The space that gets it."),
            Parameter("entities", "texts", "Their ids.", required=False),
            Parameter(
                "data", "map", "Lists of names by data type: kv, cells, json, …", required=False
            ),
            _POLICY,
        ),
        _promote,
        _MERGED,
        writes=True,
    ),
)
