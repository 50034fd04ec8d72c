"""Branches as plain lists that copy everything: what merges have to come to."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

SPACES = ("a", "b")
ENTITIES = ("x", "y")


class Fact(NamedTuple):
    """An event: ``uid`` is that of its original; ``settles``: it was taken in place of others."""

    uid: int
    entity: str
    value: int
    settles: bool = False


@dataclass
class Log:
    """One space: its events, and the uids of all that it knows, with the place where it learnt it.

    What it has decided since its newest event lies one place behind that: a fork that is made here
    does not know it.
    """

    facts: list[Fact] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    own: bool = False
    """Whether it has events that it was not forked with."""

    @property
    def known(self) -> set[int]:
        return set(self.places)

    def add(self, facts: list[Fact]) -> None:
        for fact in facts:
            self.facts.append(fact)
            self.places.setdefault(fact.uid, len(self.facts))
            self.own = True

    def learn(self, uids: set[int], written: bool) -> None:
        place = len(self.facts) + (not written)
        for uid in uids:
            self.places.setdefault(uid, place)

    def state(self) -> dict[str, int]:
        return {fact.entity: fact.value for fact in self.facts}

    def forked(self, at: int) -> "Log":
        places = {uid: place for uid, place in self.places.items() if place <= at}
        return Log(self.facts[:at], places)


def unknown(log: Log, other: Log) -> list[Fact]:
    """What of a log another one does not know, and what both have not settled since."""
    known = other.known
    last: dict[str, int] = {}
    for place, fact in enumerate(log.facts):
        if fact.settles and fact.uid in known:
            last[fact.entity] = place
    return [
        fact
        for place, fact in enumerate(log.facts)
        if fact.uid not in known and place >= last.get(fact.entity, 0)
    ]


class ConflictsError(Exception):
    """Entities that both sides changed."""


def planned(source: Log, target: Log, policy: str, only: str | None = None) -> list[Fact]:
    """The events that a merge records in the target."""
    news = [f for f in unknown(source, target) if only in (None, f.entity)]
    touched = {fact.entity for fact in unknown(target, source)}
    conflicts = {fact.entity for fact in news} & touched
    if conflicts and policy == "fail":
        raise ConflictsError(conflicts)
    keep = conflicts if policy == "ours" else set()
    return [
        fact._replace(settles=fact.entity in conflicts) for fact in news if fact.entity not in keep
    ]


@dataclass
class Model:
    """Every branch with every space, by name."""

    branches: dict[str, dict[str, Log]] = field(default_factory=lambda: {"main": {}})
    parents: dict[str, str] = field(default_factory=dict)
    uids: int = 0

    def log(self, branch: str, space: str) -> Log:
        spaces = self.branches[branch]
        if space not in spaces:
            spaces[space] = Log()
        return spaces[space]

    def put(self, branch: str, space: str, entity: str) -> int:
        self.uids += 1
        self.log(branch, space).add([Fact(self.uids, entity, self.uids)])
        return self.uids

    def fork(self, source: str, name: str, back: int) -> dict[str, int]:
        """Fork every space so many events ago; return where that is."""
        spaces = self.branches[source]
        at = {space: max(len(log.facts) - back, 0) for space, log in spaces.items()}
        forks = {space: log.forked(at[space]) for space, log in spaces.items()}
        self.branches[name] = forks
        if forks:
            self.parents[name] = source
        return at

    def delete(self, branch: str) -> bool:
        """Whether it could be: a branch whose spaces others go on from stays."""
        if branch in self.parents.values():
            return False
        del self.branches[branch]
        self.parents.pop(branch, None)
        return True

    def merge(self, source: str, into: str, policy: str) -> None:
        mine, theirs = self.branches[into], self.branches[source]
        plans: list[tuple[Log, Log, list[Fact]]] = []
        for space, log in theirs.items():
            if space in mine:
                plans.append((log, mine[space], planned(log, mine[space], policy)))
        for log, target, facts in plans:
            target.add(facts)
            target.learn(log.known, bool(facts))
        for space, log in theirs.items():
            if space not in mine and log.own:
                made = self.log(into, space)
                made.add(planned(log, made, "fail"))
                made.learn(log.known, bool(made.facts))

    def promote(self, branch: str, source: str, into: str, entity: str, policy: str) -> None:
        here, there = self.log(branch, source), self.log(branch, into)
        if not any(fact.entity == entity for fact in here.facts):
            raise LookupError(entity)
        facts = planned(here, there, policy, entity)
        decided = {fact.uid for fact in here.facts if fact.entity == entity}
        there.add(facts)
        there.learn(decided, bool(facts))

    def shown(self) -> dict[str, Any]:
        """Histories and states of everything that has events."""
        return {
            f"{branch}/{space}": ([(f.entity, f.value) for f in log.facts], log.state())
            for branch, spaces in self.branches.items()
            for space, log in spaces.items()
            if log.facts
        }
