"""Corrected answers: a file that a person edits <-> the table ``labels``."""
