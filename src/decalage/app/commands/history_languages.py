"""The languages that a session can be read in; what is asked for in another one is refused, or told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from decalage.errors import UsageError
from decalage.events import Caption, Event, Failure
from decalage.languages import primary
from decalage.sinks.captions import Show
from decalage.sinks.subtitles import FORMS
from decalage.sinks.video import FORM as VIDEO
from decalage.store.history_values import transcript


def check_languages(session: str, events: Iterable[Event], wanted: Iterable[str]) -> None:
    """Raise ``UsageError`` for the first of ``wanted`` that nothing of ``events`` is in.

    Where nothing was said there is nothing to miss.
    """
    there = list(
        dict.fromkeys(
            language for event in events if isinstance(event, Caption | Failure) for language in event.text
        )
    )
    for language in wanted:
        if there and language not in there:
            raise UsageError(
                f"{session} has no captions in {language} (it has {', '.join(there)}): "
                f"decalage history translate {session} --to {language}"
            )


def languages_of_names(outputs: Iterable[str], show: Show | None, among: Collection[str] | None) -> list[str]:
    """Those that names such as ``talk.es.srt`` ask for.

    Raises ``UsageError`` for one that is not ``among`` the languages taken; None: all are.
    """
    found = []
    for path in outputs:
        parts = Path(path).suffixes[-2:]
        if len(parts) < 2 or parts[1].lstrip(".") not in (*FORMS, VIDEO) or show == "source":
            continue
        try:
            language = primary(parts[0].lstrip("."))
        except UsageError:
            continue  # talk.2.srt
        if among is not None and language not in among:
            raise UsageError(f"{path} takes {language}, which --to leaves out")
        found.append(language)
    return found


def check_kept(language: str, there: Sequence[str]) -> None:
    """Raise ``UsageError`` for a language that nothing ``there`` is in, unless nothing is there at all."""
    if there and language not in there:
        raise UsageError(f"nothing is kept in {language} (only in {', '.join(there)})")


def nothing_to_translate(session: str, events: Iterable[Event], language: str) -> str:
    """Why nothing of ``events`` is left to be translated into ``language``."""
    spoken = {heard[0] for heard in map(transcript, events) if heard is not None}
    if not spoken:
        return f"nothing was said in {session}"
    if spoken == {language}:
        return f"{language} is what was spoken in {session}"
    return f"{session} is in {language} already; --again replaces it"
