"""Separation models: the contract, one file per architecture, the adapters, the registry and the weights."""
