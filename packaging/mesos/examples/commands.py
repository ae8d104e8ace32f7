#!/usr/bin/python3
"""Runs a command several times on a cluster: commands.py MASTER NUMBER COMMAND STATE-FILE"""

import json
import sys

import mesos.interface
from mesos.interface import mesos_pb2
from mesos.scheduler import MesosSchedulerDriver

NEEDS = {"cpus": 0.1, "mem": 32}


class Commands(mesos.interface.Scheduler):
    def __init__(self, number, command, file):
        self.command, self.file = command, file
        self.waiting = set()
        try:
            with open(file) as state:
                self.framework, self.left = json.load(state)
        except FileNotFoundError:
            self.framework, self.left = None, ["task-%d" % i for i in range(number)]

    def save(self):
        with open(self.file, "w") as state:
            json.dump([self.framework, self.left], state)

    def registered(self, driver, framework_id, master):
        print("registered as", framework_id.value, flush=True)
        if self.framework is None:
            self.framework = framework_id.value
            self.waiting.update(self.left)
            self.save()
        else:  # Back again: which tasks are there? Of those that are not, the master says that they are lost.
            driver.reconcileTasks([status(task) for task in self.left])

    def resourceOffers(self, driver, offers):
        for offer in offers:
            free = {resource.name: resource.scalar.value for resource in offer.resources}
            tasks = []
            while self.waiting and all(free.get(name, 0) >= needed for name, needed in NEEDS.items()):
                task = mesos_pb2.TaskInfo(name="command", slave_id=offer.slave_id)
                task.task_id.value = self.waiting.pop()
                task.command.value = self.command
                for name, needed in NEEDS.items():
                    task.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = needed
                    free[name] -= needed
                tasks.append(task)
                print("launch", task.task_id.value, flush=True)
            driver.launchTasks(offer.id, tasks)  # With no tasks: declined.

    def statusUpdate(self, driver, update):
        task, state = update.task_id.value, update.state
        print(task, mesos_pb2.TaskState.Name(state), update.message, flush=True)
        if state == mesos_pb2.TASK_FINISHED and task in self.left:
            self.left.remove(task)
            self.save()
        elif state in (mesos_pb2.TASK_FAILED, mesos_pb2.TASK_KILLED, mesos_pb2.TASK_LOST, mesos_pb2.TASK_ERROR):
            self.waiting.add(task)
        if not self.left:
            driver.stop()

    def error(self, driver, message):
        print("error:", message, file=sys.stderr)


def status(task):
    return mesos_pb2.TaskStatus(task_id=mesos_pb2.TaskID(value=task), state=mesos_pb2.TASK_STAGING)


if __name__ == "__main__":
    master, number, command, file = sys.argv[1:]
    scheduler = Commands(int(number), command, file)
    # The master keeps the tasks of a scheduler that is gone for a minute; `user` is who runs this.
    info = mesos_pb2.FrameworkInfo(user="", name="commands", checkpoint=True, failover_timeout=60)
    if scheduler.framework is not None:
        info.id.value = scheduler.framework
    sys.exit(0 if MesosSchedulerDriver(scheduler, info, master).run() == mesos_pb2.DRIVER_STOPPED else 1)
