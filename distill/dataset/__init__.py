"""Exchanges -> a dataset: train, validation and test examples that no later night mixes up.

gather -> plan -> draft -> compare -> write          build.py calls them in this order
"""
