"""Effects on stems: pedalboard's own, VST3 plug-ins and ducking, in the inference process, aligned to the frame."""
