"""Words shared by all stages: the lyrics document, tokens, syllables, stress, rhyme. Loads no framework."""
