"""The four stems every part of rtsep speaks of, in the order of engine slots, ports and files.

Models have their own orders; each model's table maps its outputs to these names, and nothing outside that table uses an index.
A model with fewer stems leaves the others silent: Spleeter 2 stems fills `vocals` and puts the accompaniment into `other`.
"""

STEMS: tuple[str, ...] = ("vocals", "drums", "bass", "other")
