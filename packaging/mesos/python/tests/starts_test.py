"""Drivers that start and stop, one after the other, in one process: nothing of them may stay."""

import gc
import os
import sys
import threading
import unittest

from local_cluster import LocalCluster, framework

import mesos.interface
from mesos.interface import mesos_pb2
from mesos.scheduler import MesosSchedulerDriver

ROUNDS = 4
STARTS = int(os.environ.get("STARTS", "1000")) // ROUNDS


class Scheduler(mesos.interface.Scheduler):
    def registered(self, driver, frameworkId, masterInfo):
        driver.stop()


def figures():
    """Objects, blocks of memory that they are in, threads, and all memory in KiB."""
    gc.collect()
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return len(gc.get_objects()), sys.getallocatedblocks(), int(lines["Threads"]), int(lines["VmRSS"].split()[0])


class Starts(unittest.TestCase):
    def test_leave_nothing(self):
        with LocalCluster() as cluster:
            scheduler, info = Scheduler(), framework()

            def starts(number):
                for _ in range(number):
                    driver = MesosSchedulerDriver(scheduler, info, cluster.address)
                    self.assertEqual(driver.run(), mesos_pb2.DRIVER_STOPPED)
                    del driver

            # What the first ones make for all of them.
            starts(100)
            kept = sys.getrefcount(scheduler), sys.getrefcount(info)
            rounds = [figures()]
            for _ in range(ROUNDS):
                starts(STARTS)
                rounds.append(figures())

        self.assertEqual((sys.getrefcount(scheduler), sys.getrefcount(info)), kept)
        grown = [tuple(b - a for a, b in zip(before, after)) for before, after in zip(rounds, rounds[1:])]
        for one in grown:
            print("%d starts: %+d objects, %+d blocks, %+d threads, %+d KiB" % (STARTS, *one))
        # What one start leaves behind, all leave: it is there in each round. The interpreter's own caches and pools grow
        # once, whenever that is.
        objects, blocks, threads, _ = (min(column) for column in zip(*grown))
        self.assertLess(objects, STARTS / 2)
        self.assertLess(blocks, STARTS / 2)
        self.assertLess(threads, 5)


if __name__ == "__main__":
    unittest.main()
