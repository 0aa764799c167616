"""Bad configuration files, one after the other, under load: not one request notices."""

from __future__ import annotations

from pathlib import Path

from demo.scripted_upstream import ScriptedUpstream
from tests.faults.load import load_on
from tests.raw import ask, chat_request
from tests.running import config_for, running_proxy
from tests.waiting import until

BAD = (
    "",
    "\0\0\0",
    "upstreams: [",
    "upstreams: {}",
    "listen: 8080\n",
    "&a [*a, *a]",
    "upstreams: {main: {base_url: ftp://x}}",
    "upstreams: {main: {base_url: http://x/v1, fallback: main}}",
    "upstreams: {main: {base_url: http://x/v1}}\nworkloads: {a: {when: {}}}",
    "!!python/object/apply:os.system ['true']",
)


def test_bad_files_are_refused_one_by_one_and_no_request_fails(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    good = config_for(upstream.base_url)
    with running_proxy(good, tmp_path) as proxy, load_on(proxy.url) as load:
        for number, bad in enumerate(BAD, start=1):
            proxy.reconfigure(bad)
            until(lambda number=number: proxy.log.count("config_refused") == number)  # type: ignore[misc]
        proxy.reconfigure({**good, "workloads": {"new": {"when": {"model": "*"}}}})
        proxy.wait_for_log("config_reloaded")
        before = len(load.acknowledged)
        until(lambda: len(load.acknowledged) > before + 20)
        load.stop()

        assert load.failures == []
        assert not load.refused
        sql = "SELECT id FROM exchanges WHERE complete"
        until(lambda: {row["id"] for row in proxy.rows(sql)} >= set(load.acknowledged))


def test_a_worker_that_is_replaced_while_the_file_is_bad_goes_on_with_the_configuration_before(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    taken_over = config_for(upstream.base_url, workloads={"before": {"when": {"model": "*"}}})
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        proxy.reconfigure(taken_over)
        proxy.wait_for_log("config_reloaded")
        proxy.reconfigure("upstreams: [")
        proxy.wait_for_log("config_refused")
        before = proxy.worker()
        before.kill()
        until(lambda: proxy.log.count("config_refused") == 2)

        answer = ask(proxy.url, chat_request())
        assert (answer.status, answer.header("x-nightschool-reason")) == (200, "rule")
        proxy.reconfigure({**taken_over, "workloads": {}})
        until(lambda: ask(proxy.url, chat_request()).header("x-nightschool-reason") == "default")
