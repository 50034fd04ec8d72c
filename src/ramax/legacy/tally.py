"""Count a space's events in the order of their ids, and see whether its sequences hold."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """What one space's events add up to; ``renumber`` is known from the start where there is none.

    ``kept`` is the checkpoint that was stored for it: (last_event_id, last_space_sequence).
    """

    renumbered: bool
    kept: tuple[int, int] | None = None
    count: int = 0
    last_event_id: int = 0
    last_timestamp: int = 0
    first_timestamp: int | None = None
    _last_stored: int = 0
    _before_restart: tuple[int, int] | None = None
    _upto_kept: tuple[int, int] = (0, 0)
    _at_kept: int = 0
    _previous: tuple[int, int] = field(default=(0, 0))

    def add(self, event_id: int, sequence: object, timestamp: int) -> None:
        """Count an event; ``timestamp`` in microseconds."""
        stored = sequence if type(sequence) is int else 0
        if stored <= self._last_stored:
            self.renumbered = True
        if stored == 1 and self.count:
            self._before_restart = self._previous
        self.count += 1
        self._last_stored = stored
        self._previous = (event_id, self.count)
        self.last_event_id = event_id
        self.last_timestamp = max(self.last_timestamp, timestamp)
        if self.first_timestamp is None:
            self.first_timestamp = timestamp
        if self.kept is not None:
            if event_id <= self.kept[0]:
                self._upto_kept = self._previous
            if stored == self.kept[1]:
                self._at_kept = event_id

    @property
    def last_sequence(self) -> int:
        """The sequence that its newest event is to have."""
        return self.count if self.renumbered else self._last_stored

    @property
    def end(self) -> tuple[int, int]:
        """Event id and sequence of the newest event."""
        return self.last_event_id, self.last_sequence

    @property
    def before_restart(self) -> tuple[int, int]:
        """Where the events end that were there before the sequences began at 1 again."""
        return self.end if self._before_restart is None else self._before_restart

    @property
    def at_kept(self) -> tuple[int, int]:
        """Event id and sequence of the stored checkpoint, between 0 and the newest event."""
        if self.kept is None or self.renumbered:
            return self._upto_kept
        sequence = min(max(self.kept[1], 0), self.last_sequence)
        if sequence == self.last_sequence:
            return self.end
        return (self._at_kept, sequence) if sequence else (0, 0)
