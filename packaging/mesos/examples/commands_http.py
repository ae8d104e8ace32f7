#!/usr/bin/python3
"""Runs a command several times on a cluster, over HTTP: commands_http.py HOST:PORT NUMBER COMMAND"""

import http.client
import json
import sys

NEEDS = {"cpus": 0.1, "mem": 32}
master, number, command = sys.argv[1], int(sys.argv[2]), sys.argv[3]
waiting = {"task-%d" % i for i in range(number)}
left = set(waiting)
framework, stream = None, None


def call(kind, **content):
    """Sends a call; returns the connection and the answer."""
    body = {"type": kind, kind.lower(): content}
    if framework is not None:
        body["framework_id"] = framework
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if stream is not None:
        headers["Mesos-Stream-Id"] = stream
    connection = http.client.HTTPConnection(master, timeout=60)
    connection.request("POST", "/api/v1/scheduler", json.dumps(body), headers)
    answer = connection.getresponse()
    if answer.status not in (200, 202):
        sys.exit("%s: %d %s" % (kind, answer.status, answer.read().decode()))
    return connection, answer


def events(answer):
    """The events that the master sends: the length of each, a line's end, and so many bytes of JSON."""
    while line := answer.readline():
        yield json.loads(answer.read(int(line)))


def task(name, offer):
    resources = [{"name": name, "type": "SCALAR", "scalar": {"value": needed}} for name, needed in NEEDS.items()]
    return {"name": "command", "task_id": {"value": name}, "agent_id": offer["agent_id"],
            "resources": resources, "command": {"value": command}}


connection, answer = call("SUBSCRIBE", framework_info={"user": "nobody", "name": "commands over HTTP"})
stream = answer.getheader("Mesos-Stream-Id")
for event in events(answer):
    if event["type"] == "SUBSCRIBED":
        framework = event["subscribed"]["framework_id"]
        print("subscribed as", framework["value"], flush=True)
    elif event["type"] == "OFFERS":
        for offer in event["offers"]["offers"]:
            free = {one["name"]: one["scalar"]["value"] for one in offer["resources"] if one["type"] == "SCALAR"}
            tasks = []
            while waiting and all(free.get(name, 0) >= needed for name, needed in NEEDS.items()):
                tasks.append(task(waiting.pop(), offer))
                for name, needed in NEEDS.items():
                    free[name] -= needed
            operations = [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else []
            call("ACCEPT", offer_ids=[offer["id"]], operations=operations)
    elif event["type"] == "UPDATE":
        status = event["update"]["status"]
        name, state = status["task_id"]["value"], status["state"]
        print(name, state, status.get("message", ""), flush=True)
        if "uuid" in status:
            call("ACKNOWLEDGE", agent_id=status["agent_id"], task_id=status["task_id"], uuid=status["uuid"])
        if state == "TASK_FINISHED":
            left.discard(name)
        elif state in ("TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR", "TASK_DROPPED"):
            waiting.add(name)
        if not left:
            call("TEARDOWN")
            sys.exit(0)
    elif event["type"] in ("ERROR", "FAILURE"):
        print(event, file=sys.stderr)
sys.exit("the master has closed the connection: run it again")
