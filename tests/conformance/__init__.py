"""Clients that people use, each run directly and through nightschool: neither they nor the upstream can tell."""
