"""`ramax mcp`: the operations as tools for agents."""

import click

from ramax.cli.failures import Command
from ramax.cli.session import writing_unless
from ramax.entry import Database
from ramax.errors import MisuseError


@click.command(cls=Command)
@click.option(
    "--http",
    "port",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Serve by streamable HTTP on this host; 0 takes a free port.",
)
@click.option("--space", default="default", show_default=True, help="The active one at first.")
@click.option("--read-only", is_flag=True, help="Only the tools that change nothing.")
@writing_unless("read_only")
async def mcp(db: Database, port: int | None, space: str, read_only: bool) -> None:  # noqa: FBT001
    """Serve the operations as tools of the Model Context Protocol, over stdin and stdout.

    Needs the extra `ramax[mcp]`.
    """
    try:
        from ramax.mcp import make_server, serve_http, serve_stdio  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        told = f"{error.name} is not installed: pip install 'ramax[mcp]'"
        raise MisuseError(told) from error
    server = make_server(db, read_only=read_only, space=space)
    if port is None:
        await serve_stdio(server)
    else:
        await serve_http(server, port, lambda url: click.echo(f"ramax: serving {url}", err=True))
