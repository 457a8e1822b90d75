"""The page in a real browser, against the real server with real models."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import pysubs2
import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from decalage.app.bench.quality import word_errors
from decalage.stages.loops import words
from tests.app.page_kit import (
    Cable,
    Row,
    Sent,
    Witness,
    browsing,
    controls,
    in_state,
    notices,
    ready,
    recording,
    rows,
    serving,
    uncut,
    until_spoken,
)
from tests.app.test_cli import ASK_NOT, SAMPLES

pytestmark = pytest.mark.real

SAID = json.loads((SAMPLES / "manifest.jsonl").read_text("utf-8").splitlines()[1])
ALL_S = 12.5
"""When everything in the recording has been said."""
DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 360, "height": 740}

WATCH_LOG = """() => {
    window.seen = {added: [], changed: 0, growing: 0};
    new MutationObserver(records => records.forEach(({type, addedNodes, removedNodes}) => {
        addedNodes.forEach(node => seen.added.push(node.className));
        if (type !== "childList" || removedNodes.length) seen.changed += 1;
    })).observe(document.getElementById("captions"), {childList: true, characterData: true, subtree: true});
    new MutationObserver(records => records.forEach(({addedNodes}) => seen.growing += addedNodes.length))
        .observe(document.getElementById("partial"), {childList: true});
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Where phrases end there depends on the sound alone, not on how early its text is known."""
    with serving("--end-silence", "0.5") as address:
        yield address


@pytest.fixture(scope="module")
def browser(
    require: Callable[[bool, str, str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    require(program is not None, "a browser", "apt-get install chromium")
    microphone = recording(tmp_path_factory.mktemp("page") / "microphone.wav", Path(ASK_NOT))
    with browsing(str(program), microphone) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESK, permissions=["microphone"])
    yield context.new_page()
    context.close()


def said(captions: list[Row]) -> list[tuple[int, list[str], list[str]]]:
    """The words of captions: which draft a decode had may change a mark, by rounding."""
    return [(index, words(spoken), words(translated)) for index, spoken, translated in captions]


def words_wrong(captions: list[Row]) -> float:
    """Word error rate of the source texts."""
    errors, words = word_errors(SAID["transcript"], " ".join(source for _, source, _ in captions), "en")
    return errors / words


@dataclass
class Spoken:
    """A session from beginning to end, with somebody who reads along and an overlay."""

    speaker: Page
    listener: Page
    overlay: Page
    witness: Witness
    live_controls: list[tuple[str, str]]


@pytest.fixture(scope="module")
def spoken(server: str, browser: Browser) -> Iterator[Spoken]:
    witness = Witness()
    booth = browser.new_context(viewport=DESK, permissions=["microphone"])
    hall = browser.new_context(viewport=PHONE)
    speaker, overlay = witness.watch(booth.new_page()), witness.watch(booth.new_page())
    listener = witness.watch(hall.new_page())
    ready(speaker, server)
    speaker.evaluate(WATCH_LOG)
    speaker.click("#start")
    in_state(speaker, "live")
    listener.goto(str(speaker.get_attribute("#share-link", "href")))
    overlay.goto(server + str(speaker.get_attribute("#overlay-link", "href")))
    live_controls = controls(speaker)
    until_spoken(speaker, ALL_S)
    speaker.click("#start")
    for each in (speaker, listener):
        in_state(each, "over")
    yield Spoken(speaker, listener, overlay, witness, live_controls)
    booth.close()
    hall.close()


def test_who_speaks_reads_settled_captions_in_both_languages(spoken: Spoken) -> None:
    captions = rows(spoken.speaker)
    assert [index for index, _, _ in captions] == list(range(len(captions)))
    assert words_wrong(captions) < 0.2
    assert "país" in captions[-1][2]
    assert all(target and target != source for _, source, target in captions)
    assert spoken.speaker.get_attribute("#captions .target", "lang") == "pt"
    assert spoken.speaker.get_attribute("#captions .source", "lang") == "en"
    assert spoken.speaker.locator("#captions .notice").all_inner_texts() == []


def test_who_reads_along_on_a_telephone_has_the_same_captions(spoken: Spoken) -> None:
    assert rows(spoken.listener) == rows(spoken.speaker) != []
    assert spoken.listener.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_nothing_is_asked_of_another_host_and_nothing_goes_wrong(spoken: Spoken, server: str) -> None:
    assert any(url.startswith("ws:") for url in spoken.witness.asked)
    assert spoken.witness.others(server) == set()
    assert spoken.witness.wrong == []


def test_the_overlay_is_the_newest_caption_and_nothing_else(spoken: Spoken) -> None:
    overlay = spoken.overlay
    shown = overlay.locator("#target p").all_inner_texts()
    targets = [target for _, _, target in rows(spoken.speaker)]
    assert shown == targets[-len(shown) :] != []
    assert overlay.inner_text("body").split() == " ".join(shown).split()
    overlay.evaluate("document.getElementById('box').classList.remove('gone')")  # it fades when all is over
    picture = matplotlib.image.imread(io.BytesIO(overlay.screenshot(omit_background=True)))
    opaque = picture[..., 3] > 0
    box = overlay.locator("#box").bounding_box()
    assert box is not None
    assert opaque[int(box["y"] + box["height"] / 2), int(box["x"] + box["width"] / 2)]
    assert not opaque[: int(box["y"]) - 1].any()
    assert not opaque[:, : int(box["x"]) - 1].any()


def test_a_screen_reader_is_told_settled_captions_alone_each_once(spoken: Spoken) -> None:
    seen = spoken.speaker.evaluate("seen")
    assert seen["growing"] > len(seen["added"])
    assert seen["added"] == ["caption"] * len(rows(spoken.speaker))
    assert seen["changed"] == 0
    assert spoken.speaker.get_attribute("#captions", "aria-live") == "polite"
    assert spoken.speaker.get_attribute("#partial", "aria-hidden") == "true"


def test_each_control_has_a_name(spoken: Spoken, page: Page, server: str) -> None:
    ready(page, server).evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for menu in ("#downloads", "#summary"):
        assert spoken.speaker.is_visible(menu)
    spoken.speaker.click("#downloads summary")
    states = [controls(page), spoken.live_controls, controls(spoken.speaker), controls(spoken.listener)]
    for found in states:
        assert len(found) > 8
        assert [role for role, name in found if not name.strip()] == []


def test_a_cut_socket_gives_the_captions_of_one_that_lasts(page: Page, server: str) -> None:
    cable, sent = Cable(server), Sent(page)
    try:
        ready(page, cable.address).click("#start")
        in_state(page, "live")
        until_spoken(page, 4)
        page.wait_for_selector("#partial .growing")
        cable.choke()
        now = until_spoken(page, 0)
        until_spoken(page, now + 2)
        assert cable.cut()
        in_state(page, "reconnecting")
        until_spoken(page, now + 3)
        cable.mend()
        in_state(page, "live")
        until_spoken(page, ALL_S)
        page.click("#start")
        in_state(page, "over")
    finally:
        cable.close()
    assert words_wrong(rows(page)) < 0.2
    assert sent.whole
    assert sent.again
    captions, told = uncut(server, sent.parts, sent.rate)
    assert said(rows(page)) == said(captions)
    assert notices(page) == told
    lost = [kind for _, kind in notices(page) if kind != "rejected"]
    assert lost == ["gap"] * (len(sent.parts) - 1)  # where the audio of this machine stood still


def test_what_is_said_while_there_is_no_server_yet_is_captioned_from_its_beginning(
    page: Page, server: str
) -> None:
    cable, sent = Cable(server), Sent(page)
    try:
        ready(page, cable.address)
        cable.cut()
        page.click("#start")
        in_state(page, "reconnecting")
        assert "The last 90 s of your words are kept." in page.inner_text("#status")
        until_spoken(page, 8)
        cable.mend()
        in_state(page, "live")
        until_spoken(page, ALL_S)
        page.click("#start")
        in_state(page, "over")
    finally:
        cable.close()
    assert words_wrong(rows(page)) < 0.2
    assert sent.whole
    captions, told = uncut(server, sent.parts, sent.rate)
    assert said(rows(page)) == said(captions)
    assert notices(page) == told
    assert page.is_hidden("#notice")


HOLED = """([before, hole, after]) => new Promise(async done => {
    const { Tape } = await import("/static/tape.js");
    const { Connection } = await import("/static/connection.js");
    const tape = new Tape(16000);
    const push = seconds => {
        for (let pushed = 0; pushed < seconds; pushed += 1) tape.push(new Int16Array(16000));
    };
    push(before);
    if (hole) tape.skip(hole);
    push(after);
    let dropped = 0;
    const connection = new Connection({wish: {from: "en", to: "pt"}, tape, on: {
        ready: () => undefined,
        progress: () => undefined,
        waiting: () => undefined,
        dropped: seconds => (dropped += seconds),
        over: how => done(how),
        event: ({type, start, end, cause, captured}) => {
            if (type === "gap") done([start, end, cause, captured, dropped]) || connection.close();
        },
    }});
})"""


@pytest.mark.parametrize(
    ("tape", "gap"),
    [
        ((2, 30, 2), [2, 32, "device", False, 0]),
        ((100, 0, 0), [0, 10, "device", False, 10]),
        ((300, 0, 0), [0, 18, "device", False, 210]),
    ],
)
def test_what_the_page_does_not_have_is_declared_and_all_before_it_is_sent(
    page: Page, server: str, tape: tuple[int, int, int], gap: list[object]
) -> None:
    sent = Sent(ready(page, server))
    assert page.evaluate(HOLED, tape) == gap
    assert sent.whole
    begins = [part.first / sent.rate for part in sent.parts]
    assert begins == [0, gap[1]]
    assert len(sent.parts[0].sound) == 32_000 * int(str(gap[0]))


def test_a_page_that_is_loaded_again_goes_on_with_one_gap(page: Page, server: str) -> None:
    sent = Sent(page)
    ready(page, server).click("#start")
    page.wait_for_selector("#captions .caption >> nth=1")
    before = rows(page)
    page.reload()
    page.wait_for_selector("#captions .gap ~ .caption")
    transcript = page.get_attribute("#download-json", "href")
    page.click("#start")
    in_state(page, "over")
    events = [json.loads(line) for line in page.request.get(f"{server}{transcript}").text().splitlines()]
    settled = [event for event in events if "index" in event]
    assert [event["index"] for event in settled] == list(range(len(settled)))
    gaps = [(event["cause"], event["captured"]) for event in settled if event["type"] == "gap"]
    assert gaps == [("device", False)] * (len(sent.parts) - 1) != []
    assert rows(page)[: len(before)] == before
    assert [
        int(str(each.get_attribute("data-index"))) for each in page.locator("#captions > *").all()
    ] == list(range(len(settled)))
    first = 1 + next(event["index"] for event in settled if event["type"] == "gap")
    captions, others = uncut(server, sent.parts[1:], sent.rate)
    assert said([row for row in rows(page) if row[0] >= first]) == [
        (first + index, *texts) for index, *texts in said(captions)
    ]
    assert [told for told in notices(page) if told[0] >= first] == [
        (first + index, kind) for index, kind in others
    ]


def test_a_recording_is_captioned_and_its_subtitles_can_be_kept(
    page: Page, server: str, tmp_path: Path
) -> None:
    witness = Witness()
    ready(witness.watch(page), server)
    with page.expect_file_chooser() as chooser:
        page.click("label[for=file]")
    chooser.value.set_files(ASK_NOT)
    in_state(page, "file")
    in_state(page, "over")
    captions = rows(page)
    assert words_wrong(captions) < 0.2
    page.click("#downloads summary")
    with page.expect_download() as download:
        page.click("#download-srt")
    assert download.value.suggested_filename == "ask-not.srt"
    download.value.save_as(tmp_path / "ask-not.srt")
    cues = pysubs2.load(str(tmp_path / "ask-not.srt"))
    text = " ".join(cue.plaintext for cue in cues).split()
    assert text == " ".join(target for _, _, target in captions).split()
    assert all(0 <= cue.start < cue.end <= SAID["seconds"] * 1000 for cue in cues)
    assert witness.wrong == []


FOCUSED = "document.activeElement.id || document.activeElement.tagName.toLowerCase()"


def test_the_keyboard_alone_reaches_everything_and_speaks(page: Page, server: str) -> None:
    ready(page, server)
    reached: list[str] = []
    while "body" not in reached[1:]:
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
        assert len(reached) < 40
    assert {"smaller", "theme", "fullscreen", "from", "to", "start", "file"} <= set(reached)
    while page.evaluate(FOCUSED) != "start":
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_selector("#partial .growing")
    page.keyboard.press("Space")
    in_state(page, "over")
    assert page.inner_text("#status") == "Finished"
