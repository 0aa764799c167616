"""A dataset and a base model -> an adapter: LoRA weights that vLLM can serve.

settle (every setting, and where it came from) -> read (examples as tokens) -> train -> publish    run.py, in this order

The only part of nightschool that imports torch, and only once it is needed.
"""
