"""What a player touches: parameters and the MIDI messages that move them."""
