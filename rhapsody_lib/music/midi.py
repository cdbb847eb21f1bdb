"""MIDI in and out: `score_to_midi` writes the canonical form, `midi_to_score` reads any file."""

from rhapsody_lib.music.midi_reader import DEFAULT_LIMITS, MidiLimits, midi_to_score
from rhapsody_lib.music.midi_writer import score_to_midi

__all__ = ["DEFAULT_LIMITS", "MidiLimits", "midi_to_score", "score_to_midi"]
