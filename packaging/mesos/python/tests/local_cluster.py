"""A master and an agent in one process, for the tests."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from mesos.interface import mesos_pb2

PROGRAM = os.environ["LOCAL_CLUSTER"]

# For the drivers in this process as well.
os.environ.update(LIBPROCESS_IP="127.0.0.1", MESOS_QUIET="1")


class LocalCluster:
    """A cluster that lives as long as the block."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = "127.0.0.1:%d" % port
        usr = os.path.dirname(os.path.dirname(PROGRAM))
        # A new framework gets its first offer when resources are allocated the next time.
        environment = dict(
            os.environ,
            MESOS_ALLOCATION_INTERVAL="50ms",
            # Executors have no other variables of ours, and where these modules are is in them.
            MESOS_EXECUTOR_ENVIRONMENT_VARIABLES=json.dumps(
                {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH") if name in os.environ}),
            MESOS_HOSTNAME="localhost",
            MESOS_LAUNCHER="posix",
            MESOS_LAUNCHER_DIR=usr + "/libexec/mesos",
            MESOS_RESOURCES="cpus:4;mem:1024;disk:1024",
            MESOS_SWITCH_USER="false",
            MESOS_SYSTEMD_ENABLE_SUPPORT="false",
            MESOS_WEBUI_DIR=usr + "/share/mesos/webui",
        )
        self.log = open(self.folder.name + "/log", "w+b")
        self.process = subprocess.Popen(
            [PROGRAM, "--ip=127.0.0.1", "--port=%d" % port, "--work_dir=%s/work" % self.folder.name],
            env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.eventually(lambda: self.state()["activated_slaves"] == 1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        if self.process.wait() not in (0, -15):
            self.log.seek(0)
            sys.stderr.buffer.write(self.log.read())
        self.log.close()
        self.folder.cleanup()

    def state(self):
        """What the master says of itself."""
        with urllib.request.urlopen("http://%s/state" % self.address, timeout=30) as answer:
            return json.load(answer)

    def frameworks(self):
        """The names of the frameworks that the master knows and that are active."""
        return [framework["name"] for framework in self.state()["frameworks"] if framework["active"]]

    def sandboxes(self):
        """What executors and tasks have said on standard error."""
        said = pathlib.Path(self.folder.name).glob("work/**/runs/[!l]*/stderr")
        return "".join("%s:\n%s" % (path, path.read_text(errors="replace")) for path in said)

    def eventually(self, holds, seconds=120):
        """Waits until something holds."""
        end = time.monotonic() + seconds
        while True:
            try:
                if holds():
                    return
            except OSError:
                pass
            if time.monotonic() > end or self.process.poll() is not None:
                self.log.seek(0)
                sys.stderr.buffer.write(self.log.read())
                raise AssertionError("it did not come true in %d s" % seconds)
            time.sleep(0.02)


def framework(name="trial"):
    """A framework's description."""
    return mesos_pb2.FrameworkInfo(user="", name=name)
