"""A Llama of a hundred thousand random weights, with a tokenizer of bytes: a real model folder, made in a second.

    python -m demo.tiny_model FOLDER

For tests and quick demonstrations: it is trained, saved and served like a large one, and says nothing sensible.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

CHATML_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
WINDOW_TOKENS = 2_048


def make_tiny_model(folder: Path, *, seed: int = 1, special_tokens: Sequence[str] = CHATML_TOKENS) -> Path:
    """Write config, weights and tokenizer; the last special token ends a turn."""
    import torch  # seconds to import: only who makes a model pays
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special_tokens])
    end = special_tokens[-1]
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=end).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,  # of 32 numbers each, the least that vLLM's kernels take
        num_key_value_heads=1,
        max_position_embeddings=WINDOW_TOKENS,
        tie_word_embeddings=True,
        initializer_range=0.15,  # with the usual 0.02 it is so faint that no adapter can change what it says
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id(end),
        pad_token_id=tokenizer.token_to_id(end),
    )
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write it")
    make_tiny_model(parser.parse_args(argv).folder)


if __name__ == "__main__":
    main()
