"""The edges: audio devices, JACK, sound files. What comes in is checked here, once."""
