"""The edges where sound enters and leaves: JACK, PortAudio, a virtual clock, files."""
