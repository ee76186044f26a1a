"""NAME COMMAND...: runs a server that cannot report its port.

The server gets a listening socket on a free port as file descriptor $LISTEN. The program exits when its standard input
ends.
"""

import os
import socket
import subprocess
import sys

name, *command = sys.argv[1:]
listener = socket.create_server(("127.0.0.1", 0))
server = subprocess.Popen(
    command,
    stdin=subprocess.DEVNULL,
    stdout=sys.stderr,
    pass_fds=[listener.fileno()],
    env={**os.environ, "LISTEN": str(listener.fileno())},
)
print(f"{name}=http://127.0.0.1:{listener.getsockname()[1]}\nready", flush=True)
sys.stdin.read()
server.terminate()
