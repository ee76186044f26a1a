"""OpenBao, the fork of HashiCorp Vault, in dev mode on loopback: `openbao.py NAME BAO KEYS HOME`.

BAO is its program. This file switches the JWT method on, in the root namespace and in the namespace `team`, and writes
the roles. All else is OpenBao's default. The program prints NAME=URL and `ready`, and exits when its standard input
ends.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

name, bao, keys, home = sys.argv[1:]
ROOT_TOKEN = "root-token-of-the-run"
EC_KEY = Path(__file__).resolve().parents[1] / "data/keys/ec.pub.pem"

JWT = {"type": "jwt"}
CONFIG = {
    "jwt_validation_pubkeys": [(Path(keys) / "client.pub.pem").read_text(), EC_KEY.read_text()],
    "bound_issuer": "https://issuer.example",
}
TEN_MINUTES = {"role_type": "jwt", "user_claim": "sub", "token_ttl": "10m"}
ROLES = {
    "with-audience": TEN_MINUTES | {"bound_audiences": ["https://vault.example"]},
    "with-subject": TEN_MINUTES | {"bound_subject": "workload"},
    "with-claims": TEN_MINUTES | {"user_claim": "job", "bound_claims": {"project": "42"}},
    "batch": TEN_MINUTES | {"bound_subject": "workload", "token_type": "batch"},
    "default-lifetime": {"role_type": "jwt", "user_claim": "sub", "bound_subject": "workload"},
}

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(url, body, **headers):
    headers |= {"X-Vault-Token": ROOT_TOKEN, "Content-Type": "application/json"}
    opener.open(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=10).close()


def is_ready(url):
    try:
        opener.open(url + "/v1/sys/health", timeout=10).close()
    except urllib.error.HTTPError:
        return False  # sealed, or not initialized yet
    except OSError:
        return False
    return True


def start():
    """Starts OpenBao. It cannot report its port, so another program may take it: then the next one is tried."""
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        arguments = ["server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}"]
        server = subprocess.Popen(
            [bao, *arguments, f"-dev-listen-address={address}"],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            env={"HOME": home, "PATH": os.environ["PATH"]},
        )
        while server.poll() is None:
            if is_ready(f"http://{address}"):
                return server, f"http://{address}"
            time.sleep(0.1)
    sys.exit("OpenBao does not start")


server, url = start()
try:
    post(url + "/v1/sys/namespaces/team", {})
    for namespace in ({}, {"X-Vault-Namespace": "team"}):
        post(url + "/v1/sys/auth/jwt", JWT, **namespace)
        post(url + "/v1/auth/jwt/config", CONFIG, **namespace)
        for role, settings in ROLES.items():
            post(f"{url}/v1/auth/jwt/role/{role}", settings, **namespace)
    print(f"{name}={url}\nready", flush=True)
    sys.stdin.read()
finally:
    server.terminate()
    server.wait()
