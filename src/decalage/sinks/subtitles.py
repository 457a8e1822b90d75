"""Captions as a subtitle file: SRT, WebVTT or ASS. What stands in it is valid at any moment.

pysubs2 writes each cue in its format; cues of a caption are laid out by ``sinks.layout``.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

from decalage.events import Caption, Event
from decalage.sinks.captions import Show, clean
from decalage.sinks.layout import Cue, both, cues
from decalage.sinks.output import TextOutput

SubtitleForm: TypeAlias = Literal["srt", "vtt", "ass"]
FORMS: tuple[SubtitleForm, ...] = get_args(SubtitleForm)


class SubtitleSink:
    """Writes the cues of each caption as it settles.

    ``show`` both: source above target. ``language``: the target to write where there are several; None:
    the first that a caption has.
    """

    def __init__(
        self, output: TextOutput, form: SubtitleForm, show: Show, language: str | None = None
    ) -> None:
        self._output = output
        self._form = form
        self._show = show
        self._language = language
        self._number = 0
        self._begin()

    def write(self, event: Event) -> None:
        if isinstance(event, Caption):
            for cue in self._cues(event):
                self._number += 1
                self._output.line(self._written(cue))

    def close(self) -> None:
        self._output.close()

    def _begin(self) -> None:
        if self._form == "vtt":
            self._output.line("WEBVTT\n")
        elif self._form == "ass":
            self._output.line(_file([], "ass").rstrip("\n"))

    def _cues(self, caption: Caption) -> list[Cue]:
        source = clean(caption.text.get(caption.source, ""))
        target = clean(self._target(caption))
        when = (caption.start, caption.end, caption.words)
        if self._show == "source" or not target:
            return [] if self._show == "target" and self._translates(caption) else cues(source, *when)
        if self._show == "target":
            return cues(target, *when)
        return both(source, target, *when)

    def _target(self, caption: Caption) -> str:
        """The translation to show; none where it failed or the speech is in that language."""
        if self._language is not None:
            return caption.text.get(self._language, "") if self._language != caption.source else ""
        return next((text for language, text in caption.text.items() if language != caption.source), "")

    def _translates(self, caption: Caption) -> bool:
        """Whether a translation was to stand here: one that failed is not replaced by the source text."""
        if self._language == caption.source:
            return False
        return bool(caption.errors) or self._language is not None or len(caption.text) > 1

    def _written(self, cue: Cue) -> str:
        """One cue in the form of the file."""
        lines = [_escaped(line, self._form) for line in cue.lines]
        written = _file(["\\N".join(lines)], self._form).rstrip("\n")
        start, end = (_stamp(time, self._form) for time in (cue.start, cue.end))
        if self._form == "ass":
            name, _, _, rest = written.rpartition("\n")[2].split(",", 3)
            return f"{name},{start},{end},{rest}"
        _, _, text = written[written.index(" --> ") :].partition("\n")
        return f"{self._number}\n{start} --> {end}\n{text}\n"


_LIKE = str.maketrans({"\\": "⧵", "{": "(", "}": ")"})


def _stamp(time_s: float, form: SubtitleForm) -> str:
    """``time_s`` as the format has it; pysubs2 has nothing after 10 h in ASS, nor after 100 h in SRT."""
    whole, ms = divmod(round(100 * time_s) * 10 if form == "ass" else round(1000 * time_s), 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    if form == "ass":
        return f"{hour}:{minute:02}:{second:02}.{ms // 10:02}"
    return f"{hour:02}:{minute:02}:{second:02}{',' if form == 'srt' else '.'}{ms:03}"


def _file(texts: Iterable[str], form: SubtitleForm) -> str:
    """A whole file of ``texts`` without times, with pysubs2's mark between lines."""
    import pysubs2  # noqa: PLC0415 - for those who write subtitles

    file = pysubs2.SSAFile()
    for text in texts:
        file.append(pysubs2.SSAEvent(text=text))
    written: str = file.to_string(form)
    return written


def _escaped(line: str, form: SubtitleForm) -> str:
    """``line`` with nothing in it that the format, or pysubs2, would take for markup."""
    plain = line.translate(_LIKE)
    if form == "vtt":
        return html.escape(plain, quote=False)
    shown = plain.replace("-->", "→")
    return shown.replace("<", "‹") if form == "srt" else shown  # FFmpeg takes any text up to a > for a tag
