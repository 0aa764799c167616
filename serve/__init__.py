"""Serving: what the registry wants -> what vLLM replicas hold."""
