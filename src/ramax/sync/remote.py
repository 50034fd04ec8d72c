"""A layer on a server elsewhere: the verbs of a layer as requests, whatever carries them."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, NoReturn

from ramax.core.sealed import SealedSet
from ramax.core.sync.frames import PROTOCOL, Frame, taken, unpack
from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import Vector, advanced
from ramax.core.sync.wire import records_from, sealed_form, sealed_from, vector_form, vector_from
from ramax.errors import (
    CodecError,
    CommandRefusedError,
    DataError,
    ForkError,
    GapError,
    LayerAuthError,
    LayerError,
    LayerResetError,
    LayerUnavailableError,
    ProtocolError,
)
from ramax.sync.layer import Incoming, LayerInfo, Refused, SpaceRef, Written

_NO_ACCESS = {"unauthorized", "forbidden"}
FORBIDDEN = {401, 403}
"""What HTTP calls that, where somebody before the server says it."""


class RemoteLayer(ABC):
    """What WebSockets and plain HTTP have in common: all but how a request gets there.

    Each greeting after `open` says which epoch is known: a server that was reset or restored
    meanwhile refuses it, and the verb raises `LayerResetError` until the layer is opened again.
    """

    two_way = True

    def __init__(self, layer_id: str, token: str | None) -> None:
        self.layer_id = layer_id
        self._token = token
        self._ref: SpaceRef | None = None
        self._epoch: bytes | None = None

    @abstractmethod
    async def _ask(self, kind: str, body: Mapping[str, Any]) -> Frame:
        """Send a request and return what is answered, be it a refusal."""

    @abstractmethod
    def _listen(self, body: Mapping[str, Any]) -> AsyncGenerator[Frame]:
        """Send the request to listen and yield what is said, until the connection ends."""

    @abstractmethod
    async def _greet(self) -> Frame:
        """Connect anew and return what is answered to the greeting."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of the connection."""

    async def open(self, ref: SpaceRef) -> LayerInfo:
        """Connect, and say what is there."""
        self._ref, self._epoch = ref, None
        with _understanding(self.layer_id):
            said = self._checked(await self._greet(), "welcome").body
            origins = said.get("origins")
            self._epoch = taken(said, "epoch", bytes, type(None))
            return LayerInfo(
                taken(said, "space_uid", bytes, type(None)),
                self._epoch,
                taken(said, "max_records", int),
                taken(said, "max_bytes", int),
                None if origins is None else frozenset(origins),
                secrets=taken(said, "secrets", bool),
            )

    async def vector(self) -> Vector:
        """Return how far the server is, by origin."""
        with _understanding(self.layer_id):
            said = await self._request("vector", "vector")
            return vector_from(said.get("vector"))

    async def read(self, since: Vector, limit: int = 500) -> AsyncGenerator[Sequence[EventRecord]]:
        """Yield all records beyond ``since``, a request for each page."""
        while True:
            with _understanding(self.layer_id):
                said = await self._request("pull", "events", since=vector_form(since), limit=limit)
                records = records_from(said.get("records"))
            if not records:
                return
            before, since = since, advanced(since, records)
            if since == before:
                raise ProtocolError(self.layer_id, "it sends again what it was not asked for")
            yield records

    async def write(self, records: Sequence[EventRecord]) -> Written:
        """Push records; a repetition, as after a lost answer, changes nothing.

        Raises:
            GapError: Records of an origin before these are missing there.
            ForkError: A record is there with other content; nothing was written.
            LayerAuthError: A record is of an origin that we may not push.
        """
        with _understanding(self.layer_id):
            said = await self._request(
                "push", "pushed", records=[list(record) for record in records]
            )
            refused = tuple(Refused(*each) for each in taken(said, "refused", list))
            duplicates = taken(said, "duplicates", int)
            return Written(vector_from(said.get("vector")), duplicates, refused)

    async def run(self, name: str, params: Any, key: str) -> Vector:
        """Have the server run a command, once for each key; return where it is after that.

        Raises:
            CommandRefusedError: The command failed there; nothing of it is there.
            LayerAuthError: We may not have commands run.
        """
        with _understanding(self.layer_id):
            frame = await self._ask("run", {"name": name, "params": params, "key": key})
            if frame.kind == "conflict":
                code, reason = taken(frame.body, "code", str), taken(frame.body, "reason", str)
                raise CommandRefusedError(name, code, reason)
            return vector_from(self._checked(frame, "ran").body.get("vector"))

    async def load_secrets(self) -> SealedSet:
        """Return the sealed secrets of the server."""
        with _understanding(self.layer_id):
            return sealed_from((await self._request("load_secrets", "secrets")).get("sealed"))

    async def save_secrets(self, sealed: SealedSet) -> None:
        """Send sealed secrets; the server takes what wins over what it has."""
        await self._request("save_secrets", "saved", sealed=sealed_form(sealed))

    async def changes(self, since: Vector) -> AsyncGenerator[Incoming]:
        """Yield what is beyond ``since``, then what comes; raises when the connection ends."""
        async with aclosing(self._listen({"since": vector_form(since)})) as frames:
            async for frame in frames:
                yield self._incoming(frame)

    def _incoming(self, frame: Frame) -> Incoming:
        with _understanding(self.layer_id):
            match frame.kind:
                case "events":
                    return Incoming(tuple(records_from(frame.body.get("records"))))
                case "secrets_changed":
                    return Incoming(secrets_changed=True)
                case "caught_up":
                    return Incoming(caught_up=True)
                case "alive":
                    return Incoming()
                case _:
                    self._checked(frame, "events")
                    return Incoming()

    def _heard(self, data: bytes) -> Frame:
        with _understanding(self.layer_id):
            return unpack(data)

    def _hello(self) -> dict[str, Any]:
        ref = self._ref
        if ref is None:
            raise LayerError(self.layer_id, "it was not opened: call open() first")
        return {
            "protocol": PROTOCOL,
            "space": ref.name,
            "space_uid": ref.space_uid,
            "origin": ref.origin,
            "epoch": self._epoch,
        }

    async def _request(self, request: str, answer: str, /, **body: Any) -> dict[str, Any]:
        return self._checked(await self._ask(request, body), answer).body

    def _checked(self, frame: Frame, wanted: str) -> Frame:
        if frame.kind == wanted:
            return frame
        if frame.kind == "refused":
            self._refuse(frame.body)
        raise ProtocolError(self.layer_id, f"it answered {frame.kind!r} instead of {wanted!r}")

    def _refuse(self, said: Mapping[str, Any]) -> NoReturn:
        name = self._ref.name if self._ref else ""
        code, reason = taken(said, "code", str), taken(said, "reason", str)
        if code == "gap":
            raise GapError(name, vector_from(said.get("wanted")))
        if code == "fork":
            raise ForkError(name, taken(said, "origin", bytes), taken(said, "sequence", int))
        if code == "reset":
            raise LayerResetError(self.layer_id, taken(said, "epoch", bytes, type(None)))
        if code in _NO_ACCESS:
            raise LayerAuthError(self.layer_id, reason)
        if code == "timeout" or said.get("retryable") is True:
            raise LayerUnavailableError(self.layer_id, reason)
        raise ProtocolError(self.layer_id, f"{code}: {reason}")


@contextmanager
def _understanding(layer_id: str) -> Iterator[None]:
    """What cannot be understood is the layer's fault, and no `DataError` of the caller."""
    try:
        yield
    except (DataError, CodecError, TypeError) as error:
        raise ProtocolError(layer_id, f"it says what makes no sense: {error}") from error
