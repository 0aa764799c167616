"""Well-formed bytes, and what becomes of them on a bad day."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def damaged(draw: st.DrawFn, whole: bytes, pieces: tuple[bytes, ...] = ()) -> bytes:
    """``whole`` with some of it flipped, cut out, doubled, or replaced by noise or by one of ``pieces``."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 16) | st.integers(0, 400)))
        match draw(st.sampled_from(["flip", "cut", "truncate", "double", "noise"])):
            case "flip" if begin < len(data):
                data[begin] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[begin:end]
            case "truncate":
                del data[begin:]
            case "double":
                data[begin:begin] = data[begin:end]
            case _:
                noise = st.binary(max_size=16) | st.sampled_from(pieces) if pieces else st.binary(max_size=16)
                data[begin:end] = draw(noise)
    return bytes(data)
