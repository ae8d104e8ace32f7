"""Drivers that run, on a cluster in another process: what callbacks get and raise, and how drivers end."""

import faulthandler
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
import weakref

from local_cluster import PROGRAM, LocalCluster, framework

import mesos.interface
from mesos.interface import mesos_pb2
from mesos.scheduler import MesosSchedulerDriver

# A test that waits for ever says where.
faulthandler.dump_traceback_later(1800, exit=True)


class Scheduler(mesos.interface.Scheduler):
    """Does in a callback what the test wants."""

    def __init__(self, do, callback="registered"):
        setattr(self, callback, do)


class Callbacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = LocalCluster().__enter__()
        cls.addClassCleanup(cls.cluster.__exit__)

    def setUp(self):
        self.reported = []
        self.addCleanup(setattr, sys, "excepthook", sys.excepthook)
        sys.excepthook = lambda kind, value, traceback: self.reported.append((value, traceback))

    def driver(self, do, callback="registered", master=None, **more):
        return MesosSchedulerDriver(Scheduler(do, callback), framework(self.id()), master or self.cluster.address, **more)

    def script(self, text):
        """Runs a program of its own; returns its exit status and what it said."""
        text = """
import sys, threading, time
import mesos.interface
from mesos.interface import mesos_pb2
from mesos.scheduler import MesosSchedulerDriver
called = threading.Event()
class Scheduler(mesos.interface.Scheduler):
    def registered(self, driver, *_):
        called.set()
        registered(driver)
def driver(master=%r):
    return MesosSchedulerDriver(Scheduler(), mesos_pb2.FrameworkInfo(user="", name="script"), master)
""" % self.cluster.address + text
        # The variable that this test was told its own cluster with means something else to Mesos.
        done = subprocess.run([sys.executable, "-X", "dev", "-c", text], timeout=600, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True)
        return done.returncode, done.stdout

    def test_get_messages_of_their_kinds(self):
        seen = {}

        class Seeing(mesos.interface.Scheduler):
            def registered(self, *arguments):
                seen["registered"] = arguments

            def resourceOffers(self, driver, offers):
                seen["resourceOffers"] = offers
                driver.declineOffer(offers[0].id)
                update = mesos_pb2.TaskStatus(task_id=mesos_pb2.TaskID(value="unknown"), state=mesos_pb2.TASK_RUNNING)
                driver.reconcileTasks([update])

            def statusUpdate(self, driver, status):
                seen["statusUpdate"] = status
                driver.stop()

        one = MesosSchedulerDriver(Seeing(), framework(self.id()), self.cluster.address)
        self.assertEqual(one.run(), mesos_pb2.DRIVER_STOPPED)
        driver, identity, master = seen["registered"]
        self.assertIs(driver, one)
        self.assertIsInstance(identity, mesos_pb2.FrameworkID)
        self.assertIsInstance(master, mesos_pb2.MasterInfo)
        self.assertEqual(seen["resourceOffers"][0].hostname, "localhost")
        self.assertEqual(seen["resourceOffers"][0].framework_id, identity)
        self.assertEqual(seen["statusUpdate"].state, mesos_pb2.TASK_LOST)
        self.assertEqual(self.reported, [])

    def test_error_is_text(self):
        errors = []
        info = framework(self.id())
        info.role = "not/../valid"
        one = MesosSchedulerDriver(Scheduler(lambda driver, said: errors.append(said), "error"), info, self.cluster.address)
        self.assertEqual(one.run(), mesos_pb2.DRIVER_ABORTED)
        [said] = errors
        self.assertIsInstance(said, str)
        self.assertIn("role", said)

    def test_that_raise_are_reported_and_abort_the_driver(self):
        raised = ValueError("mine")

        def fail(*_):
            raise raised

        one = self.driver(fail)
        self.assertEqual(one.run(), mesos_pb2.DRIVER_ABORTED)
        [(value, traceback)] = self.reported
        self.assertIs(value, raised)
        while traceback.tb_next is not None:
            traceback = traceback.tb_next
        self.assertEqual(traceback.tb_frame.f_code.co_name, "fail")
        self.assertEqual(one.join(), mesos_pb2.DRIVER_ABORTED)
        self.assertEqual(one.reviveOffers(), mesos_pb2.DRIVER_ABORTED)
        self.assertEqual(one.run(), mesos_pb2.DRIVER_ABORTED)
        self.assertEqual(one.stop(), mesos_pb2.DRIVER_ABORTED)

    def test_that_are_not_there_or_cannot_be_called(self):
        for scheduler, kind in ((object(), AttributeError), (Scheduler(None), TypeError), (None, AttributeError)):
            del self.reported[:]
            one = MesosSchedulerDriver(scheduler, framework(self.id()), self.cluster.address)
            self.assertEqual(one.run(), mesos_pb2.DRIVER_ABORTED)
            self.assertEqual([type(value) for value, _ in self.reported], [kind])

    def test_of_a_scheduler_for_python_2(self):
        def offers(driver, offers):
            executor = mesos_pb2.ExecutorID(value="default")
            driver.sendFrameworkMessage(executor, offers[0].slave_id, "data with a \0 byte")

        self.assertEqual(self.driver(offers, "resourceOffers").run(), mesos_pb2.DRIVER_ABORTED)
        [(value, _)] = self.reported
        self.assertIsInstance(value, TypeError)
        self.assertIn("bytes", str(value))

    def test_that_exit_end_whoever_waits(self):
        for exit, expected in ((lambda *_: sys.exit(3), 3), (lambda *_: sys.exit("because"), "because")):
            one = self.driver(exit)
            with self.assertRaises(SystemExit) as raised:
                one.run()
            self.assertEqual(raised.exception.code, expected)
            self.assertEqual(one.join(), mesos_pb2.DRIVER_ABORTED)

    def test_may_stop_and_may_not_wait(self):
        said = []

        def stop(driver, *_):
            for call in (driver.join, driver.run):
                try:
                    call()
                except RuntimeError as error:
                    said.append(str(error))
            driver.stop()

        one = self.driver(stop)
        self.assertEqual(one.run(), mesos_pb2.DRIVER_STOPPED)
        self.assertEqual(len(said), 2)
        self.assertEqual(self.reported, [])
        self.assertEqual(one.run(), mesos_pb2.DRIVER_STOPPED, "a second run")
        self.assertEqual(one.start(), mesos_pb2.DRIVER_STOPPED)
        self.cluster.eventually(lambda: self.id() not in self.cluster.frameworks())

    def test_run_in_two_threads(self):
        registered = threading.Event()
        one = self.driver(lambda *_: registered.set())
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(one.run())) for _ in range(3)]
        for thread in threads:
            thread.start()
        self.assertTrue(registered.wait(120))
        one.stop()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [mesos_pb2.DRIVER_STOPPED] * 3)

    def test_driver_that_is_dropped_while_it_runs(self):
        registered = threading.Event()
        one = self.driver(lambda *_: registered.set())
        scheduler = Scheduler(None)
        one.start()
        self.assertTrue(registered.wait(120))
        self.cluster.eventually(lambda: self.id() in self.cluster.frameworks())
        del one
        self.cluster.eventually(lambda: self.id() not in self.cluster.frameworks())

        # In a cycle, which the garbage collector breaks.
        registered.clear()
        scheduler = Scheduler(lambda *_: registered.set())
        scheduler.driver = MesosSchedulerDriver(scheduler, framework(self.id()), self.cluster.address)
        scheduler.driver.start()
        self.assertTrue(registered.wait(120))
        gone = weakref.ref(scheduler)
        del scheduler
        gc.collect()
        self.assertIsNone(gone())
        self.cluster.eventually(lambda: self.id() not in self.cluster.frameworks())

    def test_driver_whose_last_owner_is_a_callback(self):
        owners = []
        dropped = threading.Event()

        def drop(driver, *_):
            owners.clear()
            dropped.set()

        owners.append(self.driver(drop))
        owners[0].start()
        self.assertTrue(dropped.wait(120))
        self.cluster.eventually(lambda: self.id() not in self.cluster.frameworks())

    def test_waiting_is_interrupted(self):
        registered = threading.Event()
        one = self.driver(lambda *_: registered.set())

        def interrupt():
            registered.wait(120)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with self.assertRaises(KeyboardInterrupt):
            one.run()
        thread.join()
        self.assertEqual(one.reviveOffers(), mesos_pb2.DRIVER_RUNNING)
        self.assertEqual(one.stop(), mesos_pb2.DRIVER_STOPPED)
        self.assertEqual(one.join(), mesos_pb2.DRIVER_STOPPED)

    def test_interpreter_that_ends_while_a_driver_runs(self):
        for name, text, status in (
            ("idle", "registered = lambda driver: None\none = driver(); one.start(); called.wait(120)", 0),
            ("busy", "registered = lambda driver: time.sleep(0.5)\none = driver(); one.start(); called.wait(120)", 0),
            ("not yet connected", "registered = lambda driver: None\none = driver('127.0.0.1:1'); one.start()", 0),
            ("in a cycle", "registered = lambda driver: None\none = driver(); Scheduler.mine = one; one.start(); called.wait(120)", 0),
            ("kept by a module", "registered = lambda driver: None\none = driver(); sys.kept = one; one.start(); called.wait(120)", 0),
            ("exit in a callback", "registered = lambda driver: sys.exit(7)\nsys.exit(driver().run())", 7),
            ("interrupted", "import os, signal\nregistered = lambda driver: os.kill(os.getpid(), signal.SIGINT)\ndriver().run()", -2),
            ("atexit", "import atexit\nregistered = lambda driver: None\none = driver()\natexit.register(one.join)\n"
                       "atexit.register(one.stop)\none.start(); called.wait(120)", 0),
        ):
            with self.subTest(name):
                found, said = self.script(text)
                self.assertEqual(found, status, said)
                self.assertNotIn("Fatal Python error", said)

    def test_two_local_clusters(self):
        # The variables are those of agent and master as well.
        found, said = self.script("""
import os, tempfile
folder = tempfile.TemporaryDirectory()
os.environ.update(MESOS_WORK_DIR=folder.name, MESOS_LAUNCHER="posix", MESOS_LAUNCHER_DIR=%r, MESOS_SWITCH_USER="false",
                  MESOS_SYSTEMD_ENABLE_SUPPORT="false", MESOS_WEBUI_DIR=folder.name, MESOS_HOSTNAME="localhost")
registered = lambda driver: driver.stop()
one = driver("local")
try:
    driver("local")
except RuntimeError as error:
    assert "already" in str(error)
else:
    raise SystemExit("a second one")
assert one.run() == mesos_pb2.DRIVER_STOPPED
del one
assert driver("local").run() == mesos_pb2.DRIVER_STOPPED
""" % (os.path.dirname(os.path.dirname(PROGRAM)) + "/libexec/mesos"))
        self.assertEqual(found, 0, said)


if __name__ == "__main__":
    unittest.main()
