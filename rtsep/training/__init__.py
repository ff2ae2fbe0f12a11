"""Training of the causal model: corpora, endless augmented streams, losses, the loop and its checkpoints."""
