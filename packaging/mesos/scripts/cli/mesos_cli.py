"""What mesos-cat, mesos-ps, mesos-scp and mesos-tail share.

They ask a master for its state and agents for files and statistics, over the HTTP endpoints of Mesos 1.7
(/master/state, /state, /files/read, /monitor/statistics).
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

# A page of /files/read. Agents answer with at most 16 memory pages, whatever is asked for.
PAGE_LENGTH = 64 * 1024
# Seconds for one request. An agent that is down must not hang the command for ever.
REQUEST_TIMEOUT = 30.0


class Failure(Exception):
    """Something the user should read, in one sentence; the command ends with status 1."""


def parser(description, **keywords):
    """A parser with --master, which all four commands have."""
    result = argparse.ArgumentParser(description=description, **keywords)
    result.add_argument(
        "--master",
        required=True,
        help="master: host:port, zk://[user:password@]host1:port1,host2:port2,.../path, "
        "or file:///path of a file with one of those",
    )
    return result


def task_file_parser(description):
    """The options of mesos-cat and mesos-tail."""
    result = parser(description)
    result.add_argument("--framework", required=True, help="ID of the task's framework")
    result.add_argument("--task", required=True, help="ID of the task")
    result.add_argument("--file", required=True, help="path in the task's sandbox, such as stdout")
    return result


def run(main):
    """Runs a command's main function; turns failures into a sentence and Ctrl-C into status 130."""
    # A reader that has seen enough (`mesos-cat … | head`) ends us without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"{os.path.basename(sys.argv[0])}: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print()
        sys.exit(130)


def get(pid, path, query=None, timeout=REQUEST_TIMEOUT):
    """The JSON that `path` answers at a libprocess address (`slave(1)@192.0.2.1:5051`, or without the name before '@').

    File content inside it may be any bytes: those that are not UTF-8 come as surrogate escapes (PEP 383).
    """
    url = "http://" + pid.rpartition("@")[2] + path
    if query:
        url += "?" + urllib.parse.urlencode(query)
    with urllib.request.urlopen(url, timeout=timeout) as response:
        return json.loads(response.read().decode("utf-8", "surrogateescape"))


def resolve(master):
    """host:port of the leading master, by mesos-resolve(1)."""
    try:
        done = subprocess.run(["mesos-resolve", master], capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failure(f"cannot run mesos-resolve: {error.strerror}") from error
    if done.returncode != 0:
        raise Failure(f"no master found at '{master}': {done.stderr.strip() or 'mesos-resolve failed'}")
    return done.stdout.strip()


def master_state(master):
    """/master/state of the leading master."""
    address = resolve(master)
    try:
        return get(address, "/master/state")
    except (OSError, ValueError) as error:
        raise Failure(f"the master at {address} did not give its state: {error}") from error


def find_task(state, framework_id, task_id):
    """The task, and the agent that runs or ran it."""
    agents = {agent["id"]: agent for agent in state["slaves"]}
    for framework in state["frameworks"] + state["completed_frameworks"]:
        if framework["id"] != framework_id:
            continue
        for task in framework["tasks"] + framework["completed_tasks"]:
            if task["id"] != task_id:
                continue
            if task["slave_id"] not in agents:
                raise Failure(f"the agent {task['slave_id']} of task '{task_id}' is not registered with the master")
            return task, agents[task["slave_id"]]
        raise Failure(f"framework '{framework_id}' has no task '{task_id}'")
    raise Failure(f"there is no framework '{framework_id}'")


def executor_of(task):
    """ID of a task's executor. A task without one of its own has '' at the master, and its own ID at the agent."""
    return task["executor_id"] or task["id"]


def sandbox(agent, task):
    """The folder of a task on its agent."""
    try:
        state = get(agent["pid"], "/state")
    except (OSError, ValueError) as error:
        raise Failure(f"the agent {agent['hostname']} did not give its state: {error}") from error
    for framework in state["frameworks"] + state["completed_frameworks"]:
        if framework["id"] != task["framework_id"]:
            continue
        for executor in framework.get("executors", []) + framework.get("completed_executors", []):
            if executor["id"] == executor_of(task):
                return executor["directory"]
    raise Failure(f"the agent {agent['hostname']} has no sandbox for task '{task['id']}' any more")


def read(agent, path, offset, length):
    """Bytes of a file on an agent, and the offset that the answer names (the file's length for offset -1)."""
    query = {"path": path, "offset": offset}
    if length is not None:
        query["length"] = length
    try:
        result = get(agent["pid"], "/files/read", query)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise Failure(f"no such file on the agent {agent['hostname']}: {path}") from error
        raise Failure(f"the agent {agent['hostname']} refused to read {path}: {error}") from error
    except (OSError, ValueError) as error:
        raise Failure(f"the agent {agent['hostname']} cannot be read: {error}") from error
    return result["data"].encode("utf-8", "surrogateescape"), result["offset"]


def open_task_file(options):
    """The agent and the path that the options of mesos-cat and mesos-tail name."""
    task, agent = find_task(master_state(options.master), options.framework, options.task)
    return agent, os.path.join(sandbox(agent, task), options.file)
