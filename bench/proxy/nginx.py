"""nginx as a plain reverse proxy: one worker, keep-alive to the upstream, nothing logged, streams not buffered."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from bench.proxy import peer, probe
from bench.proxy.child import Child
from bench.proxy.failure import BenchFailure, PeerMissing
from bench.proxy.peer import Peer
from bench.proxy.port import free_port, wait_until_open

_CONFIG = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  upstream stub {{
    server 127.0.0.1:{upstream};
    keepalive 2048;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://stub;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


def start(stack: ExitStack, *, upstream_port: int, cores: set[int], folder: Path) -> Peer:
    """nginx on ``cores`` in front of the upstream, ended by ``stack``."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        raise PeerMissing("no `nginx` on this machine (Debian: apt-get install nginx-light)")
    folder.mkdir(parents=True)
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, upstream=upstream_port, port=port))
    command = [program, "-c", str(config), "-p", str(folder), "-e", str(folder / "early.log")]
    child = stack.enter_context(Child(command, cores=cores, log=folder / "nginx.log"))
    wait_until_open(port, child, within_s=10)
    return Peer(
        name=peer.NGINX,
        version=_version(program),
        port=port,
        bodies=probe.learn_bodies(port),
        workers=_workers(child),
        child=child,
    )


def _workers(child: Child) -> tuple[int, ...]:
    """The master listens before it has forked its worker."""
    for _ in range(100):
        if workers := tuple(child.descendants()):
            return workers
        time.sleep(0.05)
    raise BenchFailure(f"nginx has no worker:\n{child.tail()}")


def _version(program: str) -> str:
    shown = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/(\S+)", shown)
    return found[1] if found else shown.strip()
