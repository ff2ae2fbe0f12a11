"""From models and rings to a running engine. Knows protocols, not libraries: devices are in `io`, faders in `control`."""
