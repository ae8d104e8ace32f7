"""Upstream's test framework and its executor: five tasks, with data that has a zero byte in it."""

import os
import subprocess
import unittest

from local_cluster import PROGRAM, LocalCluster

FRAMEWORK = os.path.dirname(os.path.dirname(PROGRAM)) + "/libexec/mesos/examples/python/test-framework"


class TestFramework(unittest.TestCase):
    def test_both_kinds_of_acknowledgement(self):
        with LocalCluster() as cluster:
            for more in ({}, {"MESOS_EXPLICIT_ACKNOWLEDGEMENTS": "1"}):
                done = subprocess.run([FRAMEWORK, cluster.address], env=dict(os.environ, **more), timeout=600,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
                self.assertEqual(done.returncode, 0, done.stdout + cluster.sandboxes())
                self.assertIn("All tasks done, and all messages received, exiting", done.stdout)
                self.assertEqual(done.stdout.count("is in state TASK_FINISHED"), 5, done.stdout)


if __name__ == "__main__":
    unittest.main()
