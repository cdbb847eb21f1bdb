"""index.html in a real browser, where Chromium is installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rhapsody_lib.song.bundle import write_bundle
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.words.document import Lyrics, LyricSection
from tests.browser import BROWSER, FLAGS, Tab, open_browser
from tests.unit.song.song_samples import sample_lyrics, sample_score

pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def dom_of(page: Path, profile: Path) -> str:
    """The document after its scripts ran."""
    command = [
        str(BROWSER),
        *FLAGS,
        "--virtual-time-budget=4000",
        "--dump-dom",
        f"--user-data-dir={profile}",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, encoding="utf-8")
    return done.stdout


def write_page(folder: Path, *, audio: bool = False) -> tuple[Path, int]:
    """(index.html of a song with hostile words, its number of syllables)."""
    first = LyricSection("verse 1", (HOSTILE, "The sky is blue & <b>bold</b>"))
    lyrics = Lyrics(HOSTILE, (first, *sample_lyrics().sections[1:]))
    score = fit_words(lyrics, sample_score())
    match = {
        "title": HOSTILE,
        "confidence": 0.5,
        "licence": "CC0-1.0",
        "closest": {"generated_line": HOSTILE, "catalogue_line": HOSTILE},
    }
    info = {"prompt": HOSTILE, "seed": 1, "primer": HOSTILE, "matches": [match, match]}
    files = write_bundle(folder / "song", lyrics=lyrics, score=score, info=info, audio=audio)
    return files["index.html"], len(score.syllables)


def root_tag(dom: str) -> str:
    found = re.search(r"<html[^>]*>", dom)
    assert found
    return found.group()


def test_scripts_run_and_show_the_words_and_markup_does_not(tmp_path: Path) -> None:
    page, syllables = write_page(tmp_path)
    dom = dom_of(page, tmp_path / "profile")
    assert f'data-ready="{syllables}"' in root_tag(dom)
    assert "data-error" not in dom
    assert dom.count("licence: CC0-1.0") == 2
    assert "data-violation" not in root_tag(dom)
    assert "<img" not in dom
    assert "<b>bold</b>" not in dom
    assert "owned" not in re.findall(r"<title>(.*?)</title>", dom)
    assert len(re.findall(r'<span class="syl[ "]', dom)) == syllables
    assert "made without audio" in dom
    assert dom.count('class="pair"') == 2  # the matched song and the other


def test_a_song_with_audio_has_a_source_to_play(tmp_path: Path) -> None:
    pytest.importorskip("tinysoundfont")
    page, _ = write_page(tmp_path, audio=True)
    dom = dom_of(page, tmp_path / "profile")
    assert re.search(r'<audio id="audio"[^>]* src="song.mp3"', dom)
    assert "data-alone" not in root_tag(dom)
    assert 'data-file="song.mp3"' not in dom.partition('<script type="application/json"')[2]
    assert "made without audio" not in re.sub(r"<script>.*?</script>", "", dom, flags=re.DOTALL)
    assert "data-violation" not in root_tag(dom)


def test_the_policy_stops_a_script_that_is_not_ours(tmp_path: Path) -> None:
    page, _ = write_page(tmp_path)
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", "<script>document.title = 'owned'</script></body>"), encoding="utf-8")
    dom = dom_of(page, tmp_path / "profile")
    assert 'data-violation="script-src' in root_tag(dom)
    assert "<title>owned</title>" not in dom


#: What the page sends to the loudspeaker goes through a meter too.
METER = """
window.meters = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to instanceof AudioDestinationNode) {
    const meter = new AnalyserNode(this.context, { fftSize: 8192, smoothingTimeConstant: 0 });
    window.meters.push(meter);
    connect.call(this, meter);
  }
  return connect.call(this, to, ...rest);
};
window.loudness = () => {
  const heard = new Float32Array(8192);
  window.meters.at(-1).getFloatTimeDomainData(heard);
  return Math.sqrt(heard.reduce((sum, value) => sum + value * value, 0) / heard.length);
};
window.levelAt = (hertz) => {
  const meter = window.meters.at(-1);
  const bins = new Float32Array(meter.frequencyBinCount);
  meter.getFloatFrequencyData(bins);
  const middle = Math.round((hertz * meter.fftSize) / meter.context.sampleRate);
  return Math.max(...bins.slice(middle - 2, middle + 3));
};
"""
#: How often the page looks through the whole document while it opens.
COUNTER = """
window.searches = 0;
const search = Document.prototype.querySelectorAll;
Document.prototype.querySelectorAll = function (wanted) { window.searches += 1; return search.call(this, wanted); };
"""
#: Seconds of the song in a second, over half a second of it from the moment that it goes on.
PACE = """
(async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const until = async (truth) => { while (!truth()) await frame(); };
  const before = player.time;
  await until(() => player.time > before + 0.1);
  const [time, at] = [player.time, performance.now()];
  await until(() => player.time > time + 0.5);
  return (player.time - time) / (performance.now() - at) * 1000;
})()
"""
#: What has no name for those who do not see it.
NAMELESS = """
[...document.querySelectorAll("button, select, input, canvas, [role]")]
  .filter((one) => !(one.ariaLabel || one.textContent.trim() || (one.labels && one.labels.length)))
  .filter((one) => one.getAttribute("role") !== "status").map((one) => one.outerHTML)
"""


def open_song(tab: Tab, folder: Path) -> None:
    score = fit_words(sample_lyrics(), sample_score())
    files = write_bundle(folder / "song", lyrics=sample_lyrics(), score=score, info={"prompt": "sky"}, audio=True)
    tab.call("Page.enable")
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=METER + COUNTER)
    tab.open(files["index.html"])


def test_a_page_without_its_folder_plays_its_parts(tmp_path: Path) -> None:
    pytest.importorskip("tinysoundfont")
    pytest.importorskip("websockets")
    page, _ = write_page(tmp_path, audio=True)
    sent = tmp_path / "sent" / "index.html"
    sent.parent.mkdir()
    page.rename(sent)
    with open_browser(tmp_path / "profile") as tab:
        tab.call("Page.enable")
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=METER)
        tab.open(sent)
        tab.wait("root.dataset.alone")
        assert tab.run("stemsWanted === null")  # They take memory: nobody has asked for them yet.
        tab.run("player.play()")
        tab.wait("root.dataset.stems")
        tab.wait("player.time > 1 && loudness() > 0.01")
        assert tab.run("!root.dataset.violation && !root.dataset.error")
        assert tab.run("document.querySelectorAll('#files [data-file=\"song.mp3\"]').length") == 0
        assert tab.run("document.querySelectorAll('#files li').length") > 4


#: The recording is asked for again, and is not there.
LOSE_RECORDING = """
window.lost = false;
audio.addEventListener("error", playAlone, { once: true });
audio.addEventListener("error", () => { window.lost = true; }, { once: true });
audio.src = "lost.mp3";
"""


def test_parts_play_on_when_the_recording_is_lost_and_silence_when_they_fail(tmp_path: Path) -> None:
    pytest.importorskip("tinysoundfont")
    pytest.importorskip("websockets")
    with open_browser(tmp_path / "profile") as tab:
        open_song(tab, tmp_path)
        open_mixer(tab)
        tab.run("player.play()")
        tab.wait("loudness() > 0.01")
        tab.run(LOSE_RECORDING)
        tab.wait("window.lost")
        assert tab.run("engine !== silence && player.playing && !root.dataset.alone")
        # Play pressed before the recording is known to be missing, in a page whose parts are damaged.
        tab.run(
            "player.pause(); engine = recording; stemsWanted = null; song.stems.forEach((stem) => { stem.file = 'x' })"
        )
        tab.run(LOSE_RECORDING + "player.play()")
        tab.wait("engine === silence && player.playing")
        assert tab.run("!byId('notice').hidden && byId('notice').textContent").startswith(
            "The parts cannot be played here"
        )
        assert tab.run("stemsWanted === null")


def click(tab: Tab, selector: str) -> None:
    tab.run(f"document.querySelector({selector!r}).click()")


def open_mixer(tab: Tab) -> None:
    click(tab, "#mixer")
    tab.wait("root.dataset.stems")
    assert tab.run("root.dataset.stems") == "6"
    assert tab.run("byId('desk-state').textContent") == ""


def check_mixer(tab: Tab) -> None:
    """What is muted is not heard, what is soloed alone is; slower is not lower."""
    tab.run("player.time = 6; player.play()")
    tab.wait("loudness() > 0.01")
    tab.run("document.querySelectorAll('.mute').forEach((button) => button.click())")
    tab.wait("loudness() < 0.0001")
    tab.run("document.querySelectorAll('.mute').forEach((button) => button.click())")
    click(tab, ".strip[data-part=melody] .solo")
    assert tab.run("document.querySelectorAll('.strip.off').length") == 5
    # The long note of the first line: middle C. Half as fast would be an octave lower if it were only slowed down.
    tab.run("player.loop = [8.5, 9.2]; player.rate = 0.5; player.time = 8.5")
    # Since then half a second has passed, three times what the meter looks back.
    tab.wait("player.time > 8.75 && levelAt(261.6) > levelAt(130.8) + 20")
    click(tab, ".strip[data-part=melody] .solo")


def passed(tab: Tab) -> float:
    """Seconds of the song in a second."""
    seconds: float = tab.run(PACE)
    return seconds


def check_tempo_and_loop(tab: Tab) -> None:
    tab.run("player.loop = null; player.time = 5; player.rate = 1")
    assert passed(tab) == pytest.approx(1.0, abs=0.15)
    tab.run("byId('tempo').value = '0.5'; byId('tempo').dispatchEvent(new Event('change'))")
    assert passed(tab) == pytest.approx(0.5, abs=0.12)
    click(tab, "#loop")
    assert tab.run("byId('loop').textContent") == "Loop: verse 1"
    start, end = tab.run("player.loop")
    tab.run(f"player.rate = 1; player.time = {end - 0.5}")
    tab.wait(f"player.time < {start + 2}")
    assert tab.run("player.time") >= start - 0.1
    click(tab, "#loop")
    assert tab.run("player.loop") is None


def check_highlight(tab: Tab) -> None:
    tab.run("player.pause(); seek(song.sections[1].lines[0].pieces[1][0] + 0.05)")
    assert tab.run("[...document.querySelectorAll('.syl.now')].map((syllable) => syllable.textContent)") == ["sky"]
    assert tab.run("[...document.querySelectorAll('.sounding')].map((note) => note.id)") == ["n1"]
    assert tab.run("document.querySelectorAll('.line[aria-current]').length") == 1


def check_print(tab: Tab) -> None:
    """On paper the sheet is black on white, whatever sounds and however dark the screen is."""
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    tab.call("Emulation.setEmulatedMedia", media="print", features=features)
    colours = "['.sheet-page', '.sheet-page g.sounding'].map((one) => getComputedStyle(document.querySelector(one)))"
    paper, ink = tab.run(f"(([page, note]) => [page.backgroundColor, note.fill])({colours})")
    assert (paper, ink) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
    tab.call("Emulation.setEmulatedMedia", media="", features=[])


def check_last_loop(tab: Tab) -> None:
    """A song without a recording loops its last section too, which ends with the song."""
    tab.run("song.duration = song.sections.at(-1).end; engine = silence; player.rate = 1")
    tab.run("setLoop(song.sections.length - 1); seek(song.duration - 0.3); player.play()")
    tab.wait("player.time < song.duration - 0.5 || !player.playing")
    assert tab.run("player.playing && player.time >= player.loop[0]")
    tab.run("player.pause(); setLoop(-1)")


def check_reach(tab: Tab) -> None:
    """Everything has a name, and the keyboard does what the mouse does."""
    assert tab.run(NAMELESS) == []
    for key, truth in (("l", "Boolean(player.loop)"), ("l", "!player.loop"), ("m", "byId('desk').hidden")):
        tab.press(key)
        assert tab.run(truth), key
    rate = tab.run("player.rate")
    tab.press("-")
    assert tab.run("player.rate") < rate


def test_mixer_tempo_loop_and_words_in_a_browser(tmp_path: Path) -> None:
    pytest.importorskip("tinysoundfont")
    pytest.importorskip("websockets")
    with open_browser(tmp_path / "profile") as tab:
        open_song(tab, tmp_path)
        assert tab.run("document.querySelectorAll('.sheet-page svg').length") > 0
        assert tab.run("window.searches < song.sheet.length")
        assert tab.run("sheetNotes.every((note) => note.elements.length)")
        open_mixer(tab)
        check_mixer(tab)
        check_tempo_and_loop(tab)
        check_highlight(tab)
        check_print(tab)
        check_reach(tab)
        check_last_loop(tab)
        for width in (1280, 500):
            tab.size(width, 900)
            assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.complaints() == []
