"""Make a song.

Inputs: a prompt, a seed, title, key, tempo ..., the number of a release (the live one by default), a folder.
Output: the words, the matches, and where the files are: an artifact of the store, or a folder where one is named.
Pool: cpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow

import tasks
from flows import forms
from rhapsody_lib.artifacts import Store, default_root
from rhapsody_lib.operations.delivery import deliver_song, song_addresses
from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.operations.pipelines import make_song
from rhapsody_lib.operations.requests import check_out, check_request
from rhapsody_lib.release import live_release, read_release
from tasks.names import song_run_name
from tasks.report import report_song


@flow(name="generate-song", flow_run_name=song_run_name, persist_result=False)
def generate_song(
    prompt: forms.Prompt,
    seed: forms.Seed = 0,
    title: forms.Title = "",
    key: forms.KeyName = forms.AS_PRIMER,
    tempo_bpm: forms.TempoBpm = None,
    max_lines: forms.MaxLines = 24,
    form: forms.SongForm = "",
    lines_per_section: forms.LinesPerSection = 4,
    syllables_per_line: forms.SyllablesPerLine = None,
    words_per_line: forms.WordsPerLine = None,
    temperature: forms.Temperature = 0.8,
    candidates: forms.Candidates = 16,
    primer: str = "",
    with_primer: bool = True,
    match_language: forms.Filter = "",
    match_style: forms.Filter = "",
    match_tempo: forms.Filter = "",
    match_key: forms.Filter = "",
    match_licence: forms.Filter = "",
    match_melody: bool = False,
    audio: bool = True,
    vocal: bool = False,
    release: forms.ReleaseNumber = None,
    store: str = "",
    out: str = "",
) -> SongResult:
    """A prompt becomes a song: words, the matched song, music primed with it, and the files.

    Args:
        prompt: The line that opens the song, word for word. More lines may follow it.
        seed: Another seed, another song. From 0 to 2147483647.
        title: Title of the song. Empty: taken from the chorus.
        key: Key of the song.
        tempo_bpm: Quarter notes a minute, from 40 to 240. None: that of the matched song.
        max_lines: At most so many lines, from 4 to 120. A form that is given decides itself.
        form: Sections, such as verse chorus verse chorus bridge chorus. Empty: as many as the lines allow.
        lines_per_section: From 2 to 8.
        syllables_per_line: Give or take one, from 4 to 16. None: as the prompt and the training songs have them.
        words_per_line: The same in words, from 3 to 12. Give one of the two.
        temperature: Low is plain, high is daring. From 0.1 to 2.
        candidates: Lyrics written at once, of which the best is kept. From 1 to 256.
        primer: A MIDI or MusicXML file that the worker can read, to prime the music, not the matched song; or none.
        with_primer: Open with the primer's own first bars.
        match_language: Match only songs in this language, such as en. Empty: any.
        match_style: Match only songs of this genre. Empty: any.
        match_tempo: Match only songs in these quarter notes a minute, such as 90-120. Empty: any.
        match_key: Match only songs in this key, such as G major. Empty: any.
        match_licence: Match only songs whose licence begins so, such as CC0. Empty: any.
        match_melody: Match only songs with a melody.
        audio: Also write song.mp3, so that the page plays, and each part alone.
        vocal: Let a synthesizer sing in the recording. The worker needs the extra vocal.
        release: Number of the release to use. None: the live one.
        store: Address of the store. Empty: the worker's own (RHAPSODY_STORE).
        out: A folder on the worker for the files. Empty: the store.
    """
    wanted = "" if key == forms.AS_PRIMER else key
    request = check_request(
        prompt=prompt, seed=seed, title=title, key=wanted, tempo_bpm=tempo_bpm, max_lines=max_lines,
        form=form, lines_per_section=lines_per_section, syllables_per_line=syllables_per_line,
        words_per_line=words_per_line, temperature=temperature, candidates=candidates, primer=primer,
        with_primer=with_primer, match_language=match_language, match_style=match_style, match_tempo=match_tempo,
        match_key=match_key, match_licence=match_licence, match_melody=match_melody, audio=audio, vocal=vocal,
    )  # fmt: skip
    address = store or default_root()
    opened = Store(address)
    chosen = live_release(opened) if release is None else read_release(opened, release)

    def make(folder: Path) -> SongResult:
        return make_song(tasks, address, chosen, request, check_out(folder, audio=audio, vocal=vocal))

    if out:
        result = make(Path(out))
        report_song(result, out)
    else:
        song, result = deliver_song(address, chosen, request, make)
        report_song(result, song.uri, song_addresses(address, song))
    return result
