"""What one client may ask about one space, and what it is answered, whatever carries it."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from ramax.core.sealed import check_id
from ramax.core.sync.frames import PROTOCOL, Frame, pack, page_of, taken
from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import Vector
from ramax.core.sync.wire import records_from, sealed_form, sealed_from, vector_form, vector_from
from ramax.errors import RamaxError
from ramax.sync.authority import NOT_THE_COMMANDS
from ramax.sync.layer import LayerInfo, SpaceRef, TwoWayLayer
from ramax.web.access import Access, Asking, Authorize
from ramax.web.limits import Limits
from ramax.web.refusals import RefusedError

LayerOf = Callable[[str], TwoWayLayer]
"""Makes the layer that holds a space of that name here; the server opens and closes it."""


Decide = Callable[[str, str, Any, str], Awaitable[Vector]]
"""Runs a command of a space, by names, with its parameters, once for each key; returns where the
space is after it, and raises what the command raises. See `ramax.sync.Decider`."""


@dataclass(frozen=True, slots=True)
class Service:
    """What is served, to whom, and how much of it."""

    layer_of: LayerOf
    authorize: Authorize
    limits: Limits
    decide: Decide | None = None

    async def begin(self, hello: Frame, token: str | None = None) -> "Conversation":
        """Let a client in; ``token`` is what it brought besides its greeting.

        Raises:
            RefusedError: It speaks another protocol, means another space or one from before a
                reset, or has no access.
        """
        ref, said = _greeting(hello)
        standing = Standing(
            partial(self.authorize, Asking(ref.name, said or token, ref.origin)), self.limits
        )
        await standing.access()
        layer = self.layer_of(ref.name)
        try:
            info = _checked(await layer.open(ref), ref, hello)
        except BaseException:
            await layer.aclose()
            raise
        decide = None if self.decide is None else partial(self.decide, ref.name)
        return Conversation(layer, info, standing, self.limits, decide)


class Standing:
    """What one client may do by now: asked for again where the last answer is old."""

    def __init__(self, ask: Callable[[], Awaitable[Access | None]], limits: Limits) -> None:
        self._ask, self._seconds = ask, limits.access_seconds
        self._access: Access | None = None
        self._asked = 0.0

    async def access(self) -> Access:
        """Return it.

        Raises:
            RefusedError: It may do nothing, or nothing any more.
        """
        now = time.monotonic()
        if self._access is None or now - self._asked >= self._seconds:
            self._access, self._asked = await self._ask(), now
        if self._access is None:
            raise RefusedError("unauthorized", "no access to this space")
        return self._access


class Conversation:
    """Answers the requests of a client that has been let in; ends with `aclose`."""

    def __init__(
        self,
        layer: TwoWayLayer,
        info: LayerInfo,
        standing: Standing,
        limits: Limits,
        decide: Callable[[str, Any, str], Awaitable[Vector]] | None = None,
    ) -> None:
        self._layer, self._info, self._standing, self._limits = layer, info, standing, limits
        self._decide = decide
        self._max_records = min(limits.records, info.max_records)

    async def aclose(self) -> None:
        """Let go of the layer."""
        await self._layer.aclose()

    async def welcome(self) -> bytes:
        """Say what is here and what may be asked."""
        access = await self._standing.access()
        origins = access.origins
        return pack(
            "welcome",
            protocol=PROTOCOL,
            space_uid=self._info.space_uid,
            epoch=self._info.epoch,
            max_records=self._max_records,
            max_bytes=min(self._limits.page_bytes, self._info.max_bytes),
            origins=None if origins is None else sorted(origins),
            secrets=access.secrets,
        )

    async def answer(self, asked: Frame) -> bytes:
        """Answer a request that has one answer."""
        access = await self._standing.access()
        match asked.kind:
            case "vector":
                return pack("vector", vector=vector_form(await self._layer.vector()))
            case "pull":
                return await self._pull(asked.body)
            case "push":
                return await self._push(asked.body, access)
            case "run":
                return await self._run(asked.body, access)
            case "load_secrets":
                _check_secrets(access)
                return pack("secrets", sealed=sealed_form(await self._layer.load_secrets()))
            case "save_secrets":
                _check_secrets(access)
                if access.origins == frozenset():
                    raise RefusedError("forbidden", "you may only read")
                await self._layer.save_secrets(sealed_from(asked.body.get("sealed")))
                return pack("saved")
            case _:
                raise RefusedError("unknown", f"there is no request {asked.kind[:64]!r}")

    async def listen(self, asked: Frame) -> AsyncGenerator[bytes]:
        """Yield what comes beyond a vector, until the client leaves."""
        since = vector_from(asked.body.get("since"))
        async with aclosing(self._layer.changes(since)) as changes:
            async for incoming in changes:
                access = await self._standing.access()
                for page in self._pages(incoming.records):
                    yield pack("events", records=page)
                if incoming.secrets_changed and access.secrets:
                    yield pack("secrets_changed")
                if incoming.caught_up:
                    yield pack("caught_up")

    async def _pull(self, body: dict[str, Any]) -> bytes:
        since = vector_from(body.get("since"))
        limit = max(1, min(taken(body, "limit", int), self._max_records))
        async with aclosing(self._layer.read(since, limit)) as pages:
            async for page in pages:
                return pack("events", records=page_of(page, self._limits.page_bytes))
        return pack("events", records=[])

    async def _push(self, body: dict[str, Any], access: Access) -> bytes:
        given = taken(body, "records", list)
        if len(given) > self._max_records:
            raise RefusedError("too_large", f"at most {self._max_records} records in a frame")
        records = records_from(given)
        allowed = access.origins
        if not records and allowed == frozenset():
            raise RefusedError("forbidden", "you may not bring a space here")
        for record in records:
            if allowed is not None and record.origin not in allowed:
                raise RefusedError("forbidden", f"origin {record.origin.hex()} is not yours")
        written = await self._layer.write(records)
        return pack(
            "pushed",
            vector=vector_form(written.vector),
            duplicates=written.duplicates,
            refused=[[each.uid, each.code, each.reason] for each in written.refused],
        )

    async def _run(self, body: dict[str, Any], access: Access) -> bytes:
        if self._decide is None or not access.commands:
            raise RefusedError("forbidden", "you may not have commands run here")
        name, key = taken(body, "name", str), taken(body, "key", str)
        try:
            vector = await self._decide(name, body.get("params"), key)
        except (*NOT_THE_COMMANDS, RefusedError):
            raise
        except Exception as error:  # whatever a command raises
            code = error.code if isinstance(error, RamaxError) else type(error).__name__
            return pack("conflict", code=code, reason=str(error))
        return pack("ran", vector=vector_form(vector))

    def _pages(self, records: tuple[EventRecord, ...]) -> "list[list[list[Any]]]":
        pages, at = [], 0
        while at < len(records):
            part = records[at : at + self._max_records]
            pages.append(page_of(part, self._limits.page_bytes))
            at += len(pages[-1])
        return pages


def _check_secrets(access: Access) -> None:
    if not access.secrets:
        raise RefusedError("forbidden", "no access to the secrets")


def _checked(info: LayerInfo, ref: SpaceRef, hello: Frame) -> LayerInfo:
    known = _id(hello.body, "epoch")
    if known is not None and known != info.epoch:
        raise RefusedError("reset", "reset or restored since it was heard", epoch=info.epoch)
    if ref.space_uid and info.space_uid and ref.space_uid != info.space_uid:
        raise RefusedError("wrong_space", f"{ref.name!r} is another space here")
    return info


def _greeting(hello: Frame) -> tuple[SpaceRef, str | None]:
    if hello.kind != "hello":
        raise RefusedError("bad_frame", "the first frame must be hello")
    if hello.body.get("protocol") != PROTOCOL:
        raise RefusedError("protocol", f"this server speaks {PROTOCOL}")
    name = taken(hello.body, "space", str)
    uid, origin = (_id(hello.body, each) for each in ("space_uid", "origin"))
    return SpaceRef(name, uid, origin), taken(hello.body, "token", str, type(None))


def _id(body: dict[str, Any], name: str) -> bytes | None:
    value: bytes | None = body.get(name)
    if value is not None:
        check_id(value, name)
    return value
