"""What a request of OpenAI's audio API asks for: its form, read into one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from decalage.app.server.booth import Booth, Wish
from decalage.app.server.refusals import RefusedError
from decalage.app.settings import AUTO
from decalage.config import StreamOptions
from decalage.languages import primary

Task: TypeAlias = Literal["transcribe", "translate"]
Form: TypeAlias = Literal["json", "text", "srt", "verbose_json", "vtt"]
FORMS: tuple[Form, ...] = get_args(Form)
GRANULARITIES = ("word", "segment")
STREAMED: tuple[Form, ...] = ("json", "text")

_PROMPT_LETTERS = 400
"""The end of a longer prompt is heeded, as in OpenAI's API."""
_ENGLISH = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    task: Task
    form: Form = "json"
    language: str | None = None
    """Of the speech; None: the recognizer tells it, where it hears several."""
    prompt: str | None = None
    words: bool = False
    segments: bool = True
    stream: bool = False

    def settled(self, booth: Booth) -> tuple[Wish, StreamOptions]:
        """What to ask of ``booth``. Raises ``UsageError``.

        A transcription has no targets: no translator works for it.
        """
        source = self.language or _heard(booth)
        transcribes = self.task == "transcribe"
        wish = Wish(
            source=source,
            targets=(source if transcribes and source != AUTO else _ENGLISH,),
            partials=False,
            prompt=self.prompt,
            pace="max",
            words=self.words or self.form in ("srt", "vtt"),
        )
        options = booth.options(wish)
        if not transcribes:
            return wish, options
        return wish, replace(options, targets=(), recognizer=replace(options.recognizer, english=False))


def asked(task: Task, fields: Sequence[tuple[str, str]]) -> Asked:
    """Read the fields of a form; those that are unknown say nothing. Raises ``RefusedError``, 400.

    ``model`` is not looked at: there is one. ``temperature`` neither, beyond its being a number: the
    most probable words are taken, always.
    """
    given = {name.removesuffix("[]"): value.strip() for name, value in fields}
    form = given.get("response_format") or "json"
    if form not in FORMS:
        raise _wrong("response_format", form, f"use one of {', '.join(FORMS)}")
    _number("temperature", given.get("temperature", ""))
    wanted = {value for name, value in fields if name.removesuffix("[]") == "timestamp_granularities"}
    if unknown := sorted(wanted.difference(GRANULARITIES)):
        raise _wrong("timestamp_granularities", unknown[0], "use word, segment or both")
    if wanted and form != "verbose_json":
        raise _wrong("response_format", form, "timestamp_granularities are for verbose_json")
    stream = given.get("stream", "").lower() in ("true", "1") and task == "transcribe"
    if stream and form not in STREAMED:
        raise _wrong("stream", "true", f"it is for the response formats {' and '.join(STREAMED)}")
    language = given.get("language", "").lower()
    return Asked(
        task=task,
        form=form,
        language=primary(language) if language not in ("", AUTO) else None,
        prompt=given.get("prompt", "")[-_PROMPT_LETTERS:] or None,
        words="word" in wanted and task == "transcribe",
        segments=not wanted or "segment" in wanted,
        stream=stream,
    )


def _heard(booth: Booth) -> str:
    """The language of speech that nobody has named."""
    known = [str(code) for code in booth.languages()["from"]]
    return AUTO if AUTO in known else known[0]


def _number(name: str, value: str) -> None:
    try:
        float(value or 0)
    except ValueError as error:
        raise _wrong(name, value, "a number is needed") from error


def _wrong(param: str, value: str, instead: str) -> RefusedError:
    return RefusedError(400, f"{param} {value[:40]!r}: {instead}", "invalid_value", param=param)
