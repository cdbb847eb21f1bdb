"""Music shared by all stages: chords, scores, arranging, MIDI. Loads no framework."""
