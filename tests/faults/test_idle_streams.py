"""A thousand streams that are open and silent: little memory, and each of them ends well."""

from __future__ import annotations

import asyncio
from pathlib import Path

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour, Fault
from tests.raw import chat_request
from tests.running import config_for, running_proxy
from tests.waiting import until

STREAMS = 1000
MIB = 1 << 20


async def test_a_thousand_idle_streams_fit_in_150_mb_and_all_finish(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    upstream.then(*[Behaviour(fault=Fault.HANG)] * STREAMS)
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        began = asyncio.Semaphore(0)

        async def stream() -> bytes:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(chat_request(stream=True).replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
            first = await reader.readuntil(b"\n\n")
            began.release()
            rest = await reader.read(-1)
            writer.close()
            return first + rest

        async with asyncio.timeout(120):
            running = [asyncio.ensure_future(stream()) for _ in range(STREAMS)]
            for _ in range(STREAMS):
                await began.acquire()
            assert upstream.open_answers == STREAMS
            assert await asyncio.to_thread(proxy.metric, "nightschool_open_requests") == STREAMS
            resident = proxy.worker().memory_info().rss
            upstream.release()
            answers = await asyncio.gather(*running)

        assert all(b"data: [DONE]\n\n" in answer for answer in answers)
        print(f"worker with {STREAMS} open streams: {resident / MIB:.0f} MiB resident")
        assert resident < 150 * MIB
        count = "SELECT count(*) AS n FROM exchanges WHERE complete"
        await asyncio.to_thread(until, lambda: proxy.rows(count) == [{"n": STREAMS}])
