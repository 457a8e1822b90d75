"""What was heard, in the forms of OpenAI's audio API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from starlette.responses import JSONResponse, PlainTextResponse, Response

from decalage.app.outputs import as_text
from decalage.app.server.openai_form import Asked
from decalage.app.server.refusals import FINAL, RefusedError
from decalage.app.session import failures
from decalage.events import Caption, Event, Summary
from decalage.languages import LANGUAGES
from decalage.stages.loops import compression_ratio

Json: TypeAlias = dict[str, object]

_UNSPACED = ("zh", "yue", "ja")
"""Written without spaces, between sentences too."""
_TOLD = 5
"""Failures that a message names."""
_ENGLISH = "en"
_DIGITS = 3


@dataclass(slots=True)
class Heard:
    """What came of one file: feed it every event."""

    asked: Asked
    captions: list[Caption] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """What of the speech failed, a line each."""
    summary: Summary | None = None
    text: str = ""

    def add(self, event: Event) -> str:
        """Take ``event``; gives what it adds to the text, with the space before it."""
        self.lost += failures(event)
        if isinstance(event, Summary):
            self.summary = event
        if not isinstance(event, Caption):
            return ""
        self.captions.append(event)
        language, said = self._said(event)
        between = "" if not self.text or language in _UNSPACED else " "
        added = between + said if said else ""
        self.text += added
        return added

    def trouble(self) -> RefusedError | None:
        """Why this is not all that is said in the file, if it is not."""
        if self.lost:
            more = f"; and {len(self.lost) - _TOLD} more" if len(self.lost) > _TOLD else ""
            told = f"not all of the speech was understood: {'; '.join(self.lost[:_TOLD])}{more}"
            return RefusedError(500, told, "incomplete", headers=FINAL)
        if self.summary is not None and self.summary.damaged:
            return RefusedError(400, self.summary.damaged, "damaged_audio", param="file")
        return None

    def response(self) -> Response:
        """The whole answer, in the form that was asked for."""
        form = self.asked.form
        if form == "text":
            return PlainTextResponse(self.text + "\n")
        if form in ("srt", "vtt"):
            media_type = "text/vtt" if form == "vtt" else "text/plain"
            return PlainTextResponse(self._subtitles(form), media_type=media_type)
        return JSONResponse({"text": self.text} if form == "json" else self._verbose())

    def _said(self, caption: Caption) -> tuple[str, str]:
        """The language and the text that was asked for."""
        language = caption.source if self.asked.task == "transcribe" else _ENGLISH
        return language, caption.text.get(language, "")

    def _verbose(self) -> Json:
        body: Json = {
            "task": self.asked.task,
            "language": self._language(),
            "duration": round(self.summary.audio_s if self.summary else 0.0, _DIGITS),
            "text": self.text,
        }
        if self.asked.segments:
            body["segments"] = [
                _segment(number, caption, self._said(caption)[1])
                for number, caption in enumerate(self.captions)
            ]
        if self.asked.words:
            body["words"] = [
                {"word": word.text, "start": round(word.start, _DIGITS), "end": round(word.end, _DIGITS)}
                for caption in self.captions
                for word in caption.words
            ]
        return body

    def _language(self) -> str:
        """The English name of the one spoken longest; of a translation, English."""
        if self.asked.task == "translate":
            code = _ENGLISH
        else:
            code = _longest(self.captions) or self.asked.language or "unknown"
        return LANGUAGES[code].name.lower() if code in LANGUAGES else code

    def _subtitles(self, form: Literal["srt", "vtt"]) -> str:
        if self.asked.task == "translate":
            return as_text(self.captions, form, "target", _ENGLISH)
        return as_text(self.captions, form, "source")


def _longest(captions: Sequence[Caption]) -> str | None:
    spoken: dict[str, float] = {}
    for caption in captions:
        spoken[caption.source] = spoken.get(caption.source, 0.0) + caption.end - caption.start
    return max(spoken, key=lambda code: spoken[code], default=None)


def _segment(number: int, caption: Caption, text: str) -> Json:
    """``avg_logprob`` and ``no_speech_prob`` are not known here; clients want numbers, and get 0.

    What the model took for no speech is not among the segments. Text is what there is of tokens.
    """
    return {
        "id": number,
        "seek": round(100 * caption.start),
        "start": round(caption.start, _DIGITS),
        "end": round(caption.end, _DIGITS),
        "text": text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": round(compression_ratio(text), _DIGITS),
        "no_speech_prob": 0.0,
    }
