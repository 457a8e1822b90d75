"""``decalage models``: what is here, where it is, and bringing more."""

from __future__ import annotations

import click

from decalage.store.marian import licence
from decalage.store.models import add_model, list_models, model_path


@click.group()
def models() -> None:
    """List, add and locate models."""


@models.command("list")
def list_() -> None:
    """List every model known by name; "hub" means not on this machine yet."""
    records = list_models()
    width = max(len(record.name) for record in records)
    for record in records:
        size = "" if record.size_mb is None else f"{record.size_mb:6.0f} MB"
        click.echo(f"{record.name:<{width}}  {record.kind:<10}  {record.where:<7}  {size}".rstrip())


@models.command()
@click.argument("name")
@click.option("--again", is_flag=True, help="Remove the copy in the cache first.")
@click.option("--from", "given", metavar="WHERE", help="Another repository of the hub, or a folder.")
def add(name: str, again: bool, given: str | None) -> None:
    """Bring model NAME onto this machine and check its files.

    NAME is a recognizer (see "models list"), a Firefox direction such as firefox:en-es, an OPUS-MT direction
    such as opus:en-de, nllb-600m (97 languages to each other) or a voice to read aloud such as
    voice:pt_BR-faber-medium.
    """
    if told := licence(name):
        click.echo(f"decalage: {told}", err=True)
    click.echo(add_model(name, given, again=again))


@models.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the folder of model NAME; nothing is downloaded."""
    click.echo(model_path(name, offline=True))
