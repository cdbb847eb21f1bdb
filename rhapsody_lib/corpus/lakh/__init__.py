"""The Lakh Pianoroll and MIDI data sets with what belongs to them, each exactly as published, joined by MSD id."""
