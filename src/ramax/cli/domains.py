"""The option --domain: applicators of an application, by the name of their module."""

import sys
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import click

from ramax.core.domain import Domain

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def domain_option(*, required: bool, purpose: str) -> Callable[[Decorated], Decorated]:
    """Make the option --domain, which may be given several times."""
    return click.option(
        "--domain",
        "domains",
        type=load_domain,
        metavar="MODULE:NAME",
        multiple=True,
        required=required,
        help=f"{purpose} Modules of the working directory are found too; several are combined.",
    )


def load_domain(text: str) -> Domain:
    """Import ``module:name``; what cannot be imported, or is no domain, is wrong usage."""
    module_name, _, path = text.partition(":")
    if not module_name or not path:
        raise click.BadParameter(f"{text!r} is not MODULE:NAME, as shop.orders:domain")
    try:
        found = attrgetter(path)(_imported(module_name))
    except Exception as error:
        reason = f"cannot load {text!r}: {type(error).__name__}: {error}"
        raise click.BadParameter(reason) from error
    if not isinstance(found, Domain):
        raise click.BadParameter(f"{text!r} is no Domain but of type {type(found).__name__}")
    return found


def _imported(module_name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return import_module(module_name)


def joined(domains: tuple[Domain, ...]) -> Domain | None:
    """Return one domain that folds what each of these folds; None for none."""
    if not domains:
        return None
    return domains[0] if len(domains) == 1 else Domain.combine(*domains)
