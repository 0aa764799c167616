"""The manifest of an adapter for people: its model card, with the head that the Hugging Face hub reads."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from nightschool.formats import FORMATS
from nightschool.registry.manifest import AdapterManifest


def card_of(manifest: AdapterManifest) -> str:
    return "\n".join([*_head(manifest), *_what(manifest), *_outcome(manifest), *_settings(manifest), *_use(manifest)])


def _head(manifest: AdapterManifest) -> Iterator[str]:
    yield "---"
    yield f"base_model: {manifest.base_model}"
    yield "library_name: peft\npipeline_tag: text-generation\ntags:\n- lora\n- nightschool\n---\n"


def _what(manifest: AdapterManifest) -> Iterator[str]:
    source = manifest.dataset
    yield f"# {manifest.name}\n"
    yield (
        f"LoRA weights for one task, `{manifest.workload}`, trained by nightschool on recorded answers. It knows no "
        "other task: send it requests of that workload only.\n"
    )
    yield (
        f"- Dataset: {source.name}, {source.sequences:,} sequences, {source.learned_tokens:,} learned tokens"
        + (f"; {source.too_long:,} examples were too long and left out" if source.too_long else "")
    )
    yield f"- Base model: {manifest.base_model} (revision {manifest.base_revision[:12]})"
    template = manifest.template_hash[:12]
    yield f"- Format: {manifest.format}, template {template}; a server must render the same template\n"


def _outcome(manifest: AdapterManifest) -> Iterator[str]:
    outcome = manifest.outcome
    yield "![loss over the epochs](curve.png)\n"
    loss = "no validation side" if outcome.best_loss is None else f"validation loss {outcome.best_loss:.4f}"
    early = ", stopped early" if outcome.stopped_early else ""
    yield (
        f"Step {outcome.best_step:,} of {outcome.steps:,} was kept: {loss}{early}. {outcome.tokens:,} tokens in "
        f"{outcome.seconds / 60:,.1f} minutes. Whether it is good enough is for an evaluation to say, not for a loss.\n"
    )


def _settings(manifest: AdapterManifest) -> Iterator[str]:
    yield "## Settings\n\n| setting | value | from |\n|---|---|---|"
    for setting in manifest.settings:
        yield f"| {setting.name} | {setting.value} | {setting.origin} |"
    yield "\nVersions: " + ", ".join(f"{name} {version}" for name, version in manifest.versions.items()) + "\n"


def _use(manifest: AdapterManifest) -> Iterator[str]:
    yield "## Use\n\n```python"
    yield 'from peft import AutoPeftModelForCausalLM\n\nmodel = AutoPeftModelForCausalLM.from_pretrained(".")\n```\n'
    rank = next(setting.value for setting in manifest.settings if setting.name == "rank")
    format = next(each for each in FORMATS if each.name == manifest.format)
    constant = format.name.upper()
    yield "With vLLM, the template being a file of the installed nightschool:\n\n```bash"
    yield f"vllm serve {quote(manifest.base_model)} --enable-lora --max-lora-rank {rank} \\"
    yield (
        "    --chat-template "
        f"\"$(python -c 'from nightschool.formats import {constant}; print({constant}.template_path)')\" \\"
    )
    yield f"    --enable-auto-tool-choice --tool-call-parser {format.tool_parser} \\"
    yield f"    --lora-modules {manifest.name}=.\n```\n"
