"""The last CNI plugin of a pod: tells `policy_agent` the pod's address and waits until its NetworkPolicies hold.

Speaks CNI 0.4.0: the command in CNI_COMMAND, the configuration with the result so far on stdin, the result on stdout.
"""

import json
import os
import socket
import sys

VERSIONS = {"cniVersion": "0.4.0", "supportedVersions": ["0.3.0", "0.3.1", "0.4.0"]}
PATIENCE = 15.0


def announcement(command: str, arguments: str, result: dict | None) -> dict | None:
    """The message for the agent; None when there is nothing to say (a pod without IPv4 address, a repeated DEL)."""
    pairs = dict(pair.partition("=")[::2] for pair in arguments.split(";") if "=" in pair)
    addresses = [entry["address"].partition("/")[0] for entry in (result or {}).get("ips", []) if entry.get("version", "4") == "4"]
    if not addresses or "K8S_POD_NAME" not in pairs:
        return None
    return {"command": command, "pod": f"{pairs['K8S_POD_NAMESPACE']}/{pairs['K8S_POD_NAME']}", "address": addresses[0]}


def tell(path: str, message: dict) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(path)
        client.sendall(json.dumps(message).encode() + b"\n")
        answer = client.makefile().readline()
    return json.loads(answer)["error"] if answer else "the policy agent hung up"


def main() -> int:
    command = os.environ.get("CNI_COMMAND", "")
    if command == "VERSION":
        print(json.dumps(VERSIONS))
        return 0
    configuration = json.load(sys.stdin)
    result = configuration.get("prevResult")
    if command in ("ADD", "DEL"):
        message = announcement(command, os.environ.get("CNI_ARGS", ""), result)
        try:
            error = tell(configuration["socket"], message) if message else ""
        except OSError as failure:
            error = f"the policy agent does not answer: {failure}"
        # A pod must go even when the agent is away; it forgets the address with the pod.
        if error and command == "ADD":
            print(json.dumps({"cniVersion": "0.4.0", "code": 11, "msg": error}))
            return 1
    if command == "ADD":
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
