"""Pictures of the page for the documentation, from a run.

    python -m scripts.page_pictures [FOLDER]

A browser speaks ``samples/talk.flac`` at its own pace into ``decalage serve``, a telephone reads along, an
overlay lies over a scene. Needs Chromium (``apt-get install chromium``) and takes about a minute.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, expect

from tests.app.page_kit import browsing, in_state, ready, recording, serving, until_spoken

_TALK = Path(__file__).parents[1] / "samples" / "talk.flac"
_OVERLAY_AT_S, _PAGE_AT_S = 27, 45
_GROWN = re.compile(r"\S.{30,}")
"""A caption that grows has so much to show."""

_SCENE = (
    "radial-gradient(ellipse 70% 60% at 22% 118%, #10231f 60%, #10231f00 61%),"
    "radial-gradient(ellipse 90% 50% at 85% 112%, #17332d 60%, #17332d00 61%),"
    "radial-gradient(ellipse 120% 45% at 50% 104%, #2c5049 60%, #2c504900 61%),"
    "radial-gradient(circle at 68% 46%, #fff3cf 0 4%, #ffd98a88 5%, #ffb86b00 32%),"
    "linear-gradient(#274a73 0%, #6d7fa3 30%, #d9a58e 52%, #f2c48d 62%, #8a7f78 74%)"
)
"""Evening over hills: something light and something dark for captions to be read on."""


def pictures(browser: Browser, address: str, folder: Path) -> None:
    """One session, three pictures."""
    desk = browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme="light", permissions=["microphone"]
    )
    telephone = browser.new_context(
        viewport={"width": 390, "height": 780}, device_scale_factor=1.5, color_scheme="dark"
    )
    studio = browser.new_context(viewport={"width": 1280, "height": 720})
    speaker, listener, overlay = desk.new_page(), telephone.new_page(), studio.new_page()
    ready(speaker, address).click("#start")
    in_state(speaker, "live")
    listener.goto(str(speaker.get_attribute("#share-link", "href")))
    overlay.goto(address + str(speaker.get_attribute("#overlay-link", "href")) + "&size=40")
    overlay.evaluate("scene => document.documentElement.style.background = scene", _SCENE)
    until_spoken(speaker, _OVERLAY_AT_S)
    _taken(overlay, "#target p:last-child", folder / "overlay.png")
    until_spoken(speaker, _PAGE_AT_S)
    _taken(speaker, "#partial .target", folder / "page.png")
    _taken(listener, "#partial .target", folder / "page-dark.png")
    for context in (desk, telephone, studio):
        context.close()


def _taken(page: Page, growing: str, path: Path) -> None:
    """A picture of ``page`` as soon as the text at ``growing`` is worth one."""
    expect(page.locator(growing).last).to_have_text(_GROWN, timeout=15_000)
    page.screenshot(path=path)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs")
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        sys.exit("no browser: apt-get install chromium")
    with TemporaryDirectory() as scratch:
        microphone = recording(Path(scratch) / "microphone.wav", _TALK)
        with serving() as address, browsing(program, microphone) as browser:
            pictures(browser, address, folder)


if __name__ == "__main__":
    main()
