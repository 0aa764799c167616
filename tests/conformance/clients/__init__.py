"""One script for each client, to be run alone: ``python -m tests.conformance.clients.NAME``.

Each takes ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` from its environment and prints one JSON object a line: first who
it is, then every behaviour with its outcome.
"""
