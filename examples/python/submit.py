#!/usr/bin/env python3
"""Submits a durable task and waits for its result.

    submit.py [--url http://127.0.0.1:8080] [--scope shop] add '[1, 2, 3]'

The exit status is 0 if the task is done, 1 if it is dead or was cancelled.
"""

import argparse
import json
import sys
import uuid

from conclave import Gateway, quote


def main():
    flags = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    flags.add_argument("--url", default="http://127.0.0.1:8080", help="the gateway; its token is read from $CONCLAVE_TOKEN")
    flags.add_argument("--cafile", help="certificates to trust, for https")
    flags.add_argument("--scope", default="shop")
    flags.add_argument("--id", default=str(uuid.uuid4()), help="the task's: the same again is the same task")
    flags.add_argument("kind")
    flags.add_argument("body", nargs="?", default="null", help="any JSON")
    args = flags.parse_args()

    gateway = Gateway(args.url, cafile=args.cafile)
    tasks = f"/v1/scopes/{quote(args.scope)}/tasks"
    # With an id of our own it may be submitted as often as it takes to be sure.
    gateway.insist("POST", tasks, {"id": args.id, "kind": args.kind, "body": json.loads(args.body)})
    print(f"submitted {args.id}", file=sys.stderr)
    while True:
        task = gateway.insist("GET", f"{tasks}/{quote(args.id)}/wait?wait=30")
        if task["state"] in ("done", "dead", "cancelled"):
            break
    if task["state"] != "done":
        print(f"{task['state']} after attempt {task['attempt']}: {task.get('error', '')}", file=sys.stderr)
        return 1
    print(json.dumps(task.get("result")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
