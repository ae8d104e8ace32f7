"""What the bindings are given that they cannot use: an exception or a status, without any cluster."""

import importlib.metadata
import os
import pickle
import sys
import unittest

os.environ.update(LIBPROCESS_IP="127.0.0.1", MESOS_QUIET="1")

import google.protobuf.message
import mesos.executor
import mesos.interface
import mesos.native
import mesos.scheduler
from mesos.interface import mesos_pb2
from mesos.v1.interface import mesos_pb2 as v1
from mesos.v1.interface import scheduler_pb2


class Scheduler(mesos.interface.Scheduler):
    """Keeps what it is told of errors."""

    def __init__(self):
        self.errors = []

    def error(self, driver, message):
        self.errors.append(message)


def framework():
    return mesos_pb2.FrameworkInfo(user="", name="trial")


def driver(master="localhost:1", scheduler=None, **_):
    return mesos.scheduler.MesosSchedulerDriver(scheduler or Scheduler(), framework(), master)


class Modules(unittest.TestCase):
    def test_are_where_upstream_has_them(self):
        self.assertIs(mesos.native.MesosSchedulerDriver, mesos.scheduler.MesosSchedulerDriver)
        self.assertIs(mesos.native.MesosExecutorDriver, mesos.executor.MesosExecutorDriver)
        names = {}
        exec("from mesos.interface import *", names)
        self.assertLessEqual({"Executor", "ExecutorDriver", "Scheduler", "SchedulerDriver"}, set(names))
        self.assertTrue(importlib.metadata.version("mesos"))

    def test_messages_of_both_interfaces_in_one_process(self):
        self.assertEqual(mesos_pb2.TaskID.DESCRIPTOR.full_name, "mesos.TaskID")
        self.assertEqual(v1.TaskID.DESCRIPTOR.full_name, "mesos.v1.TaskID")
        self.assertEqual(scheduler_pb2.Call.Subscribe.DESCRIPTOR.full_name, "mesos.v1.scheduler.Call.Subscribe")
        for message in (mesos_pb2.TaskID(value="a"), v1.TaskID(value="b")):
            self.assertEqual(pickle.loads(pickle.dumps(message)), message)

    def test_refuse_another_interpreter_than_the_main_one(self):
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        interpreter = interpreters.create()
        code = "import sys; sys.path[:] = %r\ntry:\n  import mesos.scheduler\nexcept ImportError: pass\nelse: raise SystemExit"
        try:
            # An exception in there is one here, or is returned.
            self.assertIsNone(interpreters.run_string(interpreter, code % sys.path))
        finally:
            interpreters.destroy(interpreter)


class SchedulerDriver(unittest.TestCase):
    def test_wants_text_and_messages_of_its_own(self):
        make = mesos.scheduler.MesosSchedulerDriver
        for arguments, kind, said in (
            ((), TypeError, ""),
            ((Scheduler(), framework(), b"localhost:5050"), TypeError, "str"),
            ((Scheduler(), framework(), "localhost\0:5050"), ValueError, "null"),
            ((Scheduler(), None, "localhost:5050"), TypeError, "a mesos.FrameworkInfo is wanted, not <class 'NoneType'>"),
            ((Scheduler(), "trial", "localhost:5050"), TypeError, "a mesos.FrameworkInfo is wanted, not <class 'str'>"),
            ((Scheduler(), v1.FrameworkInfo(user="", name="trial"), "localhost:5050"), TypeError, "not a mesos.v1.FrameworkInfo"),
            ((Scheduler(), mesos_pb2.FrameworkInfo(user=""), "localhost:5050"), google.protobuf.message.EncodeError, "name"),
            ((Scheduler(), framework(), "localhost:5050", 1, "secret"), TypeError, "a mesos.Credential is wanted"),
            ((Scheduler(), framework(), "localhost:5050", 1, mesos_pb2.Credential()), google.protobuf.message.EncodeError, ""),
        ):
            with self.subTest(arguments=arguments), self.assertRaisesRegex(kind, said):
                make(*arguments)

    def test_is_initialized_once(self):
        one = driver()
        with self.assertRaisesRegex(RuntimeError, "only once"):
            one.__init__(Scheduler(), framework(), "localhost:1")
        empty = mesos.scheduler.MesosSchedulerDriver.__new__(mesos.scheduler.MesosSchedulerDriver)
        for call in (empty.start, empty.stop, empty.abort, empty.join, empty.run, empty.reviveOffers):
            with self.assertRaisesRegex(RuntimeError, "not initialized"):
                call()

    def test_tells_its_status_before_it_is_started(self):
        one = driver()
        offer, task, agent = (kind(value="x") for kind in (mesos_pb2.OfferID, mesos_pb2.TaskID, mesos_pb2.SlaveID))
        executor = mesos_pb2.ExecutorID(value="x")
        for status in (
            one.stop(), one.stop(True), one.abort(), one.join(), one.reviveOffers(), one.suppressOffers(), one.killTask(task),
            one.launchTasks(offer, []), one.launchTasks([offer], (), None), one.acceptOffers(iter([offer]), []),
            one.declineOffer(offer), one.declineOffer(offer, mesos_pb2.Filters()), one.requestResources([]),
            one.reconcileTasks([]), one.sendFrameworkMessage(executor, agent, b"\0\xff"),
        ):
            self.assertEqual(status, mesos_pb2.DRIVER_NOT_STARTED)

    def test_wants_the_right_message_in_each_place(self):
        one = driver()
        offer, task, agent = (kind(value="x") for kind in (mesos_pb2.OfferID, mesos_pb2.TaskID, mesos_pb2.SlaveID))
        executor = mesos_pb2.ExecutorID(value="x")
        incomplete = mesos_pb2.TaskInfo(name="no id, no agent")
        for call, kind, said in (
            (lambda: one.killTask(offer), TypeError, "a mesos.TaskID is wanted, not a mesos.OfferID"),
            (lambda: one.killTask("x"), TypeError, "a mesos.TaskID is wanted, not <class 'str'>"),
            (lambda: one.killTask(mesos_pb2.TaskID), TypeError, ""),
            (lambda: one.killTask(mesos_pb2.TaskID()), google.protobuf.message.EncodeError, "value"),
            (lambda: one.launchTasks(task, []), TypeError, "a mesos.OfferID is wanted"),
            (lambda: one.launchTasks([offer, task], []), TypeError, "a mesos.OfferID is wanted"),
            (lambda: one.launchTasks(5, []), TypeError, "a list of mesos.OfferID is wanted, not <class 'int'>"),
            (lambda: one.launchTasks([offer], incomplete), TypeError, "a list of mesos.TaskInfo is wanted"),
            (lambda: one.launchTasks([offer], [incomplete]), google.protobuf.message.EncodeError, "task_id"),
            (lambda: one.launchTasks([offer], [], 5.0), TypeError, "a mesos.Filters is wanted"),
            (lambda: one.acceptOffers([offer], [task]), TypeError, "a mesos.Offer.Operation is wanted"),
            (lambda: one.declineOffer(None), TypeError, "a mesos.OfferID is wanted"),
            (lambda: one.requestResources(None), TypeError, "a list of mesos.Request is wanted"),
            (lambda: one.reconcileTasks([None]), TypeError, "a mesos.TaskStatus is wanted"),
            (lambda: one.sendFrameworkMessage(executor, agent, "text"), TypeError, "bytes-like"),
            (lambda: one.sendFrameworkMessage(agent, executor, b""), TypeError, "a mesos.ExecutorID is wanted"),
            (lambda: one.stop(1, 2), TypeError, ""),
        ):
            with self.subTest(said=said), self.assertRaisesRegex(kind, said):
                call()

        class Broken:
            """Says that it is a message, and is none."""
            DESCRIPTOR = mesos_pb2.TaskID.DESCRIPTOR

            def __init__(self, result):
                self.result = result

            def SerializeToString(self):
                if isinstance(self.result, Exception):
                    raise self.result
                return self.result

        for result, kind in ((KeyError("mine"), KeyError), ("text", TypeError), (b"\xff\xff", ValueError), (b"", ValueError)):
            with self.subTest(result=result), self.assertRaises(kind):
                one.killTask(Broken(result))

    def test_updates_are_acknowledged_by_one_side_only(self):
        update = mesos_pb2.TaskStatus(task_id=mesos_pb2.TaskID(value="x"), state=mesos_pb2.TASK_RUNNING)
        with self.assertRaisesRegex(RuntimeError, "implicitAcknowledgements"):
            driver().acknowledgeStatusUpdate(update)
        explicit = mesos.scheduler.MesosSchedulerDriver(Scheduler(), framework(), "localhost:1", False)
        self.assertEqual(explicit.acknowledgeStatusUpdate(update), mesos_pb2.DRIVER_NOT_STARTED)

    def test_a_wrong_address_is_a_status_with_a_sentence(self):
        for master in ("", "nonsense", "no.such.host.invalid:5050", "localhost:port", "zk://", "file:///nonexistent"):
            scheduler = Scheduler()
            one = driver(master, scheduler)
            with self.subTest(master=master):
                self.assertEqual(one.run(), mesos_pb2.DRIVER_ABORTED)
                [error] = scheduler.errors
                self.assertIsInstance(error, str)
                self.assertIn("Failed to create a master detector for '%s'" % master, error)
                # Libmesos aborts the process at the second of these.
                self.assertEqual(one.stop(), mesos_pb2.DRIVER_ABORTED)
                self.assertIn(one.join(), (mesos_pb2.DRIVER_ABORTED, mesos_pb2.DRIVER_STOPPED))
                self.assertIn(one.run(), (mesos_pb2.DRIVER_ABORTED, mesos_pb2.DRIVER_STOPPED))

    def test_an_address_that_libmesos_would_abort_at_is_an_exception(self):
        for master, said in (
            ("zk://localhost/mesos", "'localhost' is not HOST:PORT"),
            ("zk://localhost:0x1/mesos", "is not HOST:PORT"),
            ("zk://localhost:99999/mesos", "is not HOST:PORT"),
            ("zk://me:word@localhost:2181,no.such.host.invalid:2181/mesos", "'no.such.host.invalid:2181': "),
        ):
            one = driver(master)
            with self.subTest(master=master):
                with self.assertRaisesRegex(ValueError, said):
                    one.run()
                # It can be tried again.
                self.assertEqual(one.stop(), mesos_pb2.DRIVER_NOT_STARTED)

    def test_error_may_raise(self):
        class Raising(Scheduler):
            def error(self, driver, message):
                raise KeyError(message)

        reported = []
        sys.excepthook, before = (lambda *args: reported.append(args)), sys.excepthook
        try:
            self.assertEqual(driver("nonsense", Raising()).run(), mesos_pb2.DRIVER_ABORTED)
        finally:
            sys.excepthook = before
        self.assertEqual([kind for kind, _, _ in reported], [KeyError])

    def test_nothing_is_kept_of_what_was_refused(self):
        scheduler, info, task = Scheduler(), framework(), mesos_pb2.TaskID()
        one = driver()
        before = sys.getrefcount(scheduler), sys.getrefcount(info), sys.getrefcount(task)
        for _ in range(100):
            for call in (
                lambda: mesos.scheduler.MesosSchedulerDriver(scheduler, info, b"bytes"),
                lambda: mesos.scheduler.MesosSchedulerDriver(scheduler, task, "localhost:1"),
                lambda: one.__init__(scheduler, info, "localhost:1"),
                lambda: one.killTask(task),
                lambda: one.launchTasks([task], []),
            ):
                with self.assertRaises(Exception):
                    call()
        self.assertEqual((sys.getrefcount(scheduler), sys.getrefcount(info), sys.getrefcount(task)), before)


class ExecutorDriver(unittest.TestCase):
    VARIABLES = {
        "MESOS_SLAVE_PID": "slave(1)@127.0.0.1:1",
        "MESOS_SLAVE_ID": "a",
        "MESOS_FRAMEWORK_ID": "f",
        "MESOS_EXECUTOR_ID": "e",
        "MESOS_DIRECTORY": "/tmp",
    }

    def tearDown(self):
        for name in (*self.VARIABLES, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "MESOS_RECOVERY_TIMEOUT"):
            os.environ.pop(name, None)

    def test_without_an_agent_is_an_exception(self):
        one = mesos.executor.MesosExecutorDriver(mesos.interface.Executor())
        for name, value in self.VARIABLES.items():
            with self.assertRaisesRegex(RuntimeError, "started by an agent: %s is not set" % name):
                one.run()
            os.environ[name] = value
        for name, value in (
            ("MESOS_SLAVE_PID", "nonsense"),
            ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "long"),
            ("MESOS_RECOVERY_TIMEOUT", "15"),
        ):
            before = os.environ.get(name)
            os.environ[name] = value
            with self.assertRaisesRegex(RuntimeError, "%s is '%s'" % (name, value)):
                one.start()
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before
        self.assertEqual(one.stop(), mesos_pb2.DRIVER_NOT_STARTED)

    def test_tells_its_status_before_it_is_started(self):
        one = mesos.executor.MesosExecutorDriver(mesos.interface.Executor())
        update = mesos_pb2.TaskStatus(task_id=mesos_pb2.TaskID(value="x"), state=mesos_pb2.TASK_RUNNING)
        for status in (one.stop(), one.abort(), one.join(), one.sendStatusUpdate(update), one.sendFrameworkMessage(b"\0")):
            self.assertEqual(status, mesos_pb2.DRIVER_NOT_STARTED)
        for call, kind in (
            (lambda: one.sendFrameworkMessage("text"), TypeError),
            (lambda: one.sendStatusUpdate(None), TypeError),
            (lambda: one.sendStatusUpdate(mesos_pb2.TaskStatus()), google.protobuf.message.EncodeError),
            (lambda: one.__init__(mesos.interface.Executor()), RuntimeError),
            (lambda: mesos.executor.MesosExecutorDriver(), TypeError),
        ):
            with self.assertRaises(kind):
                call()


if __name__ == "__main__":
    unittest.main()
