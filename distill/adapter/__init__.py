"""Adapters on the disk: what training publishes, and what evaluation, the gate and serving find."""
