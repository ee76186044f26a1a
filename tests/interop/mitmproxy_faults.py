"""An addon for mitmdump that loses, truncates and delays messages.

A path is /PORT/FAULT/...: the port of the server and the fault of the first request with this path. Later requests
are forwarded. The program exits when its standard input ends.
"""

import asyncio
import os
import sys
import threading

from mitmproxy import ctx, http

seen_paths = set()


def exit_with_standard_input():
    sys.stdin.read()
    os._exit(0)


def running():
    threading.Thread(target=exit_with_standard_input, daemon=True).start()
    host, port = ctx.master.addons.get("proxyserver").listen_addrs()[0][:2]
    print(f"INTEROP_MITMPROXY=http://{host}:{port}\nready", flush=True)


def request(flow: http.HTTPFlow):
    _, port, fault, *_ = flow.request.path.split("/")
    flow.request.host, flow.request.port = "127.0.0.1", int(port)
    if flow.request.path in seen_paths:
        return
    seen_paths.add(flow.request.path)
    flow.metadata["fault"] = fault
    if fault == "request-lost":
        flow.kill()


async def response(flow: http.HTTPFlow):
    match flow.metadata.get("fault"):
        case "response-lost":
            flow.kill()
        case "response-cut":
            flow.response.raw_content = flow.response.raw_content[:20]  # the Content-Length stays
        case "response-late":
            await asyncio.sleep(12)
        case "response-replaced":
            flow.response = http.Response.make(200, "<html>Log in</html>", {"Content-Type": "text/html"})
