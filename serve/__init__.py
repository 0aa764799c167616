"""Serving: what replicas hold is made equal to what the registry wants."""
