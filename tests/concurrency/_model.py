"""What a space of the ledger must hold: a list of events and a dict, without any database."""

from dataclasses import dataclass, field
from typing import Any

from tests.concurrency._audit import Contents, check_log, fold

Params = dict[str, Any]


@dataclass
class Model:
    """One space: its events as (entity, type, payload), and what was put beside them."""

    space_id: int
    log: list[tuple[str, str, Params]] = field(default_factory=list)
    puts: dict[str, Any] = field(default_factory=dict)

    def state(self, upto: int | None = None) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for entity_id, event_type, payload in self.log[:upto]:
            fold(state, entity_id, event_type, payload)
        return state | self.puts

    def names(self) -> set[str]:
        return {payload["name"] for _, _, payload in self.log}

    def post(self, params: Params) -> bool:
        """Do what the command `post` does; say whether it agreed."""
        balance = self._balance(params)
        if balance + params["amount"] * params["parts"] < 0:
            return False
        for part in range(1, params["parts"] + 1):
            self._append("posted", {**params, "part": part, "balance": balance})
        return True

    def close(self, params: Params) -> None:
        """Do what the command `close` does."""
        if _key(params) in self.state():
            self._append("closed", {**params, "parts": 1, "part": 1})

    def fact(self, params: Params) -> tuple[str, str, Params]:
        """Append a posting that no command has decided on, and return it."""
        self._append("posted", {**params, "parts": 1, "part": 1, "balance": self._balance(params)})
        return self.log[-1]

    def check(self, raw: Contents) -> None:
        """Compare with the rows of the space; a fact may not be folded yet."""
        assert raw.space_id == self.space_id
        check_log(raw)
        assert [tuple(row[1:4]) for row in raw.log] == self.log
        assert raw.checkpoint <= raw.sequence
        assert raw.stored == self.state(raw.checkpoint)

    def _balance(self, params: Params) -> int:
        return int(self.state().get(_key(params), {"total": 0})["total"])

    def _append(self, event_type: str, payload: Params) -> None:
        self.log.append((_key(payload), event_type, payload))


def _key(params: Params) -> str:
    return f"account:{params['account']}"
