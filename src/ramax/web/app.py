"""The ASGI application: its two doors, which lead to the same conversation."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from ramax.web.access import Authorize
from ramax.web.conversation import Decide, LayerOf, Service
from ramax.web.limits import Limits
from ramax.web.requests import answer
from ramax.web.sockets import SocketSession


def make_app(
    layer_of: LayerOf,
    authorize: Authorize,
    *,
    decide: Decide | None = None,
    limits: Limits | None = None,
) -> Starlette:
    """Return an application that lets replicas pull, push and listen.

    WebSockets go to ``/socket``, plain requests to ``/<kind of the request>``.

    Args:
        layer_of: Makes the layer that holds a space here, such as a `SqlLayer` of the server's
            database; each client gets one of its own, which is closed when it leaves.
        authorize: Asked for every client before anything of the space is touched.
        decide: Runs commands for clients that follow a space and may have that done; a
            `ramax.sync.Decider`, or a function of yours.
    """
    service = Service(layer_of, authorize, limits or Limits(), decide)

    async def socket(websocket: WebSocket) -> None:
        await SocketSession(websocket, service).run()

    async def post(request: Request) -> Response:
        return await answer(request, service)

    return Starlette(
        routes=[WebSocketRoute("/socket", socket), Route("/{kind}", post, methods=["POST"])]
    )
