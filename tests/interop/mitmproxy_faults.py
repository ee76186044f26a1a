"""An addon for mitmdump: loses, cuts and delays what passes.

A path is /PORT/FAULT/...: the server's port, and what happens to the first request of this path. Later
ones pass untouched. It ends when its standard input does.
"""

import asyncio
import os
import sys
import threading

from mitmproxy import ctx, http

seen = set()


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def running():
    threading.Thread(target=end_with_input, daemon=True).start()
    host, port = ctx.master.addons.get("proxyserver").listen_addrs()[0][:2]
    print(f"INTEROP_MITMPROXY=http://{host}:{port}\nready", flush=True)


def request(flow: http.HTTPFlow):
    _, port, fault, *_ = flow.request.path.split("/")
    flow.request.host, flow.request.port = "127.0.0.1", int(port)
    if flow.request.path in seen:
        return
    seen.add(flow.request.path)
    flow.metadata["fault"] = fault
    if fault == "request-lost":
        flow.kill()


async def response(flow: http.HTTPFlow):
    match flow.metadata.get("fault"):
        case "answer-lost":
            flow.kill()
        case "answer-cut":
            flow.response.raw_content = flow.response.raw_content[:20]  # the length still says all
        case "answer-late":
            await asyncio.sleep(12)
        case "answer-replaced":
            flow.response = http.Response.make(200, "<html>Log in</html>", {"Content-Type": "text/html"})
