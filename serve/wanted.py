"""Adapters that replicas are to hold: found, and checked once, since what is named by its content stays as it is."""

from __future__ import annotations

from pathlib import Path

from nightschool.engine.base import same_model
from nightschool.errors import NightschoolError
from nightschool.formats import Format
from nightschool.registry.adapters import check_files, place_of


class Unservable(NightschoolError):
    """An adapter must not be loaded here."""


class Wanted:
    """Of one data folder, for one base model."""

    def __init__(self, data: Path, base_model: str, format: Format) -> None:
        self._data, self._base_model, self._format = data, base_model, format
        self._good: set[str] = set()

    def folder_of(self, name: str) -> Path:
        """Of an adapter that may be served. Raises NightschoolError: it is not there, damaged, or made for others."""
        if not name or name == ".." or name != Path(name).name:
            raise Unservable(f"{name!r} is no name of an adapter", remedy="look at registry/routing.json")
        folder = place_of(self._data).absolute() / name
        if name not in self._good:
            try:
                self._check(name, folder)
            except OSError as error:
                raise Unservable(
                    f"{name} cannot be read: {error}", remedy="let this user read it; it is tried again by itself"
                ) from error
            self._good.add(name)
        return folder

    def _check(self, name: str, folder: Path) -> None:
        if not folder.is_dir():
            raise Unservable(f"there is no folder {folder}", remedy="copy the adapter there, or roll it back")
        manifest = check_files(folder)
        if not same_model(manifest.base_model, self._base_model):
            raise Unservable(
                f"{name} was made for {manifest.base_model}, and {self._base_model} is served",
                remedy="train it again, or serve the model that it was made for",
            )
        if manifest.template_hash != self._format.template_hash:
            raise Unservable(
                f"{name} was trained with the template {manifest.format} {manifest.template_hash[:12]}, and served "
                f"would be {self._format.name} {self._format.template_hash[:12]}",
                remedy="train it again with this version of nightschool",
            )
