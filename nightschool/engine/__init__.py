"""A vLLM server, seen from outside: what evaluation and serving ask of it."""
