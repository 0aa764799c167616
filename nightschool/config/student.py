"""The sections about the small model, and the servers that answer for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from nightschool.config.answering import StudentPrice
from nightschool.config.section import Broken, Section, TextMap
from nightschool.config.training import Rank
from nightschool.config.values import BaseUrl, Count, Port, Seconds

_OURS = (
    "--model",
    "--served-model-name",
    "--host",
    "--port",
    "--enable-lora",
    "--max-loras",
    "--max-lora-rank",
    "--chat-template",
    "--enable-auto-tool-choice",
    "--tool-call-parser",
)


class Engine(Section):
    """A vLLM server on this machine, which `nightschool serve` starts and keeps alive."""

    python: Path = Path("python3")
    """The Python that vLLM is installed for, such as `.venv-vllm/bin/python`, relative to this file; or a command."""

    port: Port = 8001
    """Port of 127.0.0.1 that it listens on."""

    max_adapters: Count = 4
    """Adapters that one batch may mix (`--max-loras`); more of them can be loaded."""

    max_rank: Rank = 64
    """Greatest rank of an adapter (`--max-lora-rank`)."""

    arguments: tuple[str, ...] = ()
    """More of vLLM's arguments, such as `[--max-model-len, "4096"]`."""

    environment: TextMap[str] = Field(default_factory=dict, validate_default=True)
    """Variables that are set for it, such as `VLLM_TARGET_DEVICE: cpu`. It inherits all others, and so no secrets."""

    start_s: Seconds = 900.0
    """Seconds in which it must have started, download of the model included; then it is started anew."""

    @field_validator("arguments")
    @classmethod
    def leaves_ours_alone(cls, arguments: tuple[str, ...]) -> tuple[str, ...]:
        taken = [given for given in arguments if given.partition("=")[0].replace("_", "-") in _OURS]
        if taken:
            raise ValueError(f"has {taken[0]}, which nightschool sets itself; leave it out")
        return arguments


class Student(Section):
    """The small model, and the servers that answer for it."""

    base_model: Annotated[str, Field(min_length=1)] | None = None
    """The model that adapters are made for: a hub id, or a folder or GGUF file, relative to this file."""

    replicas: tuple[BaseUrl, ...] = ()
    """vLLM servers that hold the base model and load adapters, such as `http://gpu-1:8000`."""

    engine: Engine | None = None
    """A vLLM server that `nightschool serve` starts on this machine. Left out, it starts none."""

    unload_after_s: Seconds = 3600.0
    """Seconds after which a replica gives up an adapter that nobody wants any more."""

    first_token_s: Seconds = 10.0
    """Seconds in which a replica must have begun its answer; then the teacher is asked."""

    price: StudentPrice | None = None
    """What a student's answers cost. Left out, their cost is not known."""

    @classmethod
    def broken_rules(cls, given: Mapping[str, Any]) -> Iterable[Broken]:
        if given.get("engine") is not None and given.get("base_model") is None:
            yield Broken(("base_model",), "is missing: the engine must be told which model it serves")

    @property
    def servers(self) -> tuple[str, ...]:
        """Addresses of all vLLM servers, the one of ``engine`` last."""
        own = () if self.engine is None else (f"http://127.0.0.1:{self.engine.port}",)
        return tuple(dict.fromkeys((*(url.rstrip("/").removesuffix("/v1") for url in self.replicas), *own)))
