"""``make demo`` and ``make demo-quick``.

Whatever is interrupted goes on where it was; whatever was started is ended, however it is left.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from demo.child import child_process
from demo.engine import MODEL_FOLDER, ROOT, why_missing
from demo.loop.config import write_config
from demo.loop.place import Place, place_named
from demo.loop.report import write_report
from demo.loop.scale import FULL, QUICK, Scale
from demo.loop.screen import say, title
from demo.loop.stages import DemoError, Stages
from demo.loop.texts import write_texts
from demo.redaction.teacher import Noise, scripted_teacher
from demo.run import NIGHTSCHOOL, environment, proxy_in, told

NOISE = Noise(wrong_types=0.2, dropped=0.1)


def main() -> int:
    arguments = _parse()
    return told(lambda: _demo(QUICK if arguments.quick else FULL, arguments.data, again=arguments.again))


def _demo(scale: Scale, source: Path | None, *, again: bool) -> None:
    if (missing := why_missing()) is not None:
        raise DemoError(missing, remedy="make model")
    place = place_named(scale.name if source is None else f"{scale.name}-{source.stem}")
    if again:
        shutil.rmtree(place.folder)
        place.folder.mkdir()
    begin = time.monotonic()
    for note in scale.notes:
        say(f"note: {note}")
    texts, types = write_texts(place, scale, source)
    with scripted_teacher(texts, types, NOISE) as teacher:
        base_model = _tiny_model(place) if scale.tiny else MODEL_FOLDER
        write_config(place, scale, teacher_url=teacher.base_url, base_model=base_model)
        with proxy_in(place.config, place.log("proxy")) as url:
            stages = Stages(place, f"{url}/v1")
            _tell(stages, place, scale)
    title(f"done in {(time.monotonic() - begin) / 60:.0f} min; all that was started is ended, what it wrote stays")
    say(f"open {place.report.relative_to(ROOT)} in a browser")
    say(f'export PATH="$PWD/.venv/bin:$PATH" NIGHTSCHOOL_CONFIG={place.config.relative_to(ROOT)}')
    say("nightschool routes redaction --history     # who answered when, and why")
    say("nightschool logs list                      # every exchange")
    say("nightschool dataset show redaction         # what it has learned from")


def _tell(stages: Stages, place: Place, scale: Scale) -> None:
    """The story, from where it was left. The engine is there from the night on."""
    opening = [("record", "an app works, its teacher answers, and everything is recorded", stages.record)]
    loop = [
        ("night", "night: dataset, training, evaluation, gate", stages.night),
        ("ramp", "the ramp: the same app, more and more answered by the student", stages.ramp),
        ("live", "live: the same app, answered by the student", stages.live),
        ("harm", "harm: a worse student is forced live, and the audit finds out", stages.harm),
    ]
    for part, around in ((opening, contextlib.nullcontext()), (loop, _serve(place))):
        left = [each for each in part if not stages.is_done(each[0])]
        if not left:
            continue
        with around:
            for stage, words, play in left:
                title(f"{words} ({scale.minutes[stage]} min)")
                play()
    title("what came of it")
    write_report(place, stages)


def _tiny_model(place: Place) -> Path:
    folder = place.folder / "tiny"
    if not (folder / "model.safetensors").exists():
        from demo.tiny_model import make_tiny_model  # seconds to import

        make_tiny_model(folder)
    return folder


@contextlib.contextmanager
def _serve(place: Place) -> Iterator[None]:
    command: list[str | Path] = [NIGHTSCHOOL, "serve", "--config", place.config]
    with child_process(command, log=place.log("serve"), env=environment(), cwd=ROOT, patience_s=60):
        yield


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.loop.run", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="FILE", help="texts of presidio-research instead of made ones")
    parser.add_argument("--quick", action="store_true", help="a tiny model of random weights: 3 minutes")
    parser.add_argument("--again", action="store_true", help="forget what an earlier run has done")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
