"""What one client may ask of the server: sizes, counts and times."""

from dataclasses import dataclass

from ramax.core.sync.frames import MAX_FRAME_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for each connection, which end it when they are passed."""

    frame_bytes: int = MAX_FRAME_BYTES
    """The longest frame. The server in front, such as uvicorn, has one of its own."""

    greeting_bytes: int = 1 << 16
    """The longest greeting: more is not read of somebody who has not been let in."""

    records: int = 500
    """The most records in a frame, both ways."""

    page_bytes: int = 1 << 20
    """About the most bytes of records in a frame; one record may exceed it."""

    greeting_seconds: float = 10.0
    """How long a client may take to say who it is."""

    alive_seconds: float = 20.0
    """After how long a silence one who listens over HTTP is told that the server is there; a
    client gives it up after 60. WebSockets have signs of their own."""

    access_seconds: float = 60.0
    """How old an answer of `authorize` may be: a client that stays is asked about again before it
    is told or brings anything."""

    idle_seconds: float = 300.0
    """How long a client that does not listen may say nothing, and how long a frame to one that
    does may take to leave."""
