#!/usr/bin/python3
"""The ports of mesos-cat, mesos-ps, mesos-scp and mesos-tail, against a master and an agent played by this test.

Listens on the loopback interface only. Exit status 0 when all tests pass.
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

CLI = pathlib.Path(__file__).resolve().parent.parent / "cli"
# Not UTF-8, and with a character that a page boundary may cut.
CONTENT = ("été\n" * 40000).encode() + b"\xff\xfe\x00end\n"
# A real agent caps a page; a small cap makes several requests.
CAP = 65537


class Player(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        world = self.server.world
        if url.path == "/files/read":
            content = world["files"].get(query["path"])
            if content is None:
                self.send_error(404)
                return
            offset = int(query["offset"])
            if offset == -1:
                answer = {"data": "", "offset": len(content)}
            else:
                page = content[offset : offset + min(int(query.get("length", CAP)), CAP)]
                answer = {"data": page.decode("utf-8", "surrogateescape"), "offset": offset}
        elif url.path in world:
            answer = world[url.path]
            if callable(answer):
                answer = answer()
        else:
            self.send_error(404)
            return
        body = json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogateescape")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the command under test has left: that is what some tests are about


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Player)
        self.server.daemon_threads = True
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        address = f"127.0.0.1:{self.server.server_port}"
        task = {"id": "t1", "name": "a rather long name", "framework_id": "f1", "executor_id": "", "slave_id": "s1"}
        done = dict(task, id="t2", executor_id="e2")
        lost = dict(task, id="t3", slave_id="gone")
        self.server.world = {
            "/master/state": {
                "slaves": [{"id": "s1", "pid": f"slave(1)@{address}", "hostname": "agent1"}],
                "frameworks": [
                    {"id": "f1", "name": "marathon", "user": "root", "tasks": [task], "completed_tasks": [done, lost]}
                ],
                "completed_frameworks": [],
            },
            "/state": {
                "frameworks": [
                    {
                        "id": "f1",
                        "executors": [{"id": "t1", "directory": "/work/t1"}],
                        "completed_executors": [{"id": "e2", "directory": "/work/t2"}],
                    }
                ],
                "completed_frameworks": [],
            },
            "/monitor/statistics": [
                {
                    "framework_id": "f1",
                    "executor_id": "t1",
                    "statistics": {
                        "cpus_limit": 0.5,
                        "mem_rss_bytes": 3 * 1024**2,
                        "mem_limit_bytes": 2 * 1024**3,
                        "cpus_user_time_secs": 90000.25,
                        "cpus_system_time_secs": 1.5,
                    },
                }
            ],
            "files": {"/work/t1/stdout": CONTENT, "/work/t2/stdout": b"done\n", "/work/t1/empty": b""},
        }
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.stub("mesos-resolve", f'[ "$1" = zk://z/mesos ] || {{ echo "no such cluster" >&2; exit 1; }}\necho {address}\n')
        self.stub("scp", 'printf "%s|" "$@" >>"$0.log"; echo >>"$0.log"; case "$*" in *bad*) exit 1;; esac\n')

    def stub(self, name, body):
        path = pathlib.Path(self.folder.name, name)
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)

    def command(self, *arguments):
        return [sys.executable, str(CLI / arguments[0]), *arguments[1:]]

    def environment(self):
        return {
            "PATH": f"{self.folder.name}:{os.environ['PATH']}",
            "PYTHONPATH": str(CLI),
            "LC_ALL": "C",
            "no_proxy": "*",
        }

    def run_command(self, *arguments):
        return subprocess.run(
            self.command(*arguments), capture_output=True, env=self.environment(), timeout=60, check=False
        )

    def cat(self, task, file="stdout", framework="f1", master="zk://z/mesos"):
        return self.run_command(
            "mesos-cat", f"--master={master}", f"--framework={framework}", f"--task={task}", f"--file={file}"
        )

    def test_cat_prints_the_bytes_of_the_file(self):
        done = self.cat("t1")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout, CONTENT)

    def test_cat_of_an_empty_file_and_of_a_completed_task(self):
        self.assertEqual(self.cat("t1", "empty").stdout, b"")
        self.assertEqual(self.cat("t2").stdout, b"done\n")

    def test_cat_says_what_is_not_there(self):
        for arguments, words in (
            (("t1", "nothing"), b"no such file on the agent agent1: /work/t1/nothing"),
            (("t9",), b"framework 'f1' has no task 't9'"),
            (("t3",), b"the agent gone of task 't3' is not registered"),
            (("t1", "stdout", "f9"), b"there is no framework 'f9'"),
            (("t1", "stdout", "f1", "zk://x/mesos"), b"no master found at 'zk://x/mesos': no such cluster"),
        ):
            done = self.cat(*arguments)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(words, done.stderr)
            self.assertNotIn(b"Traceback", done.stderr)

    def test_cat_into_a_closed_pipe(self):
        process = subprocess.Popen(
            self.command("mesos-cat", "--master=zk://z/mesos", "--framework=f1", "--task=t1", "--file=stdout"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(),
        )
        process.stdout.read(1)
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        process.wait(60)

    def test_tail_follows(self):
        files = self.server.world["files"]
        files["/work/t1/log"] = b"one\n"
        process = subprocess.Popen(
            self.command("mesos-tail", "--master", "zk://z/mesos", "--framework", "f1", "--task", "t1", "--file", "log"),
            stdout=subprocess.PIPE,
            env=self.environment(),
        )
        try:
            self.assertEqual(process.stdout.readline(), b"one\n")
            time.sleep(0.2)
            files["/work/t1/log"] += b"two\n"
            self.assertEqual(process.stdout.readline(), b"two\n")
            self.assertIsNone(process.poll())
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()

    def test_ps(self):
        done = self.run_command("mesos-ps", "--master=zk://z/mesos")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(
            done.stdout.decode().splitlines(),
            [
                "USER    FRAMEWORK    TASK      SLAVE              MEM                TIME              CPU (allocated)",
                "root    marathon     a rath... agent1             3.0 MB/2.0 GB      25:00:01.750000   0.5",
            ],
        )

    def test_ps_when_an_agent_does_not_answer(self):
        released = threading.Event()
        self.addCleanup(released.set)
        self.server.world["/monitor/statistics"] = lambda: released.wait(20)
        done = self.run_command("mesos-ps", "--master=zk://z/mesos", "--timeout=0.5", "--verbose")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"a rath", done.stdout)
        self.assertIn(b"no statistics from agent1", done.stderr)
        self.assertIn(b"did not answer within 0.5 s", done.stderr)

    def test_scp(self):
        # A name that a shell would act on must arrive as it is.
        name = "a b; $(touch x)"
        done = self.run_command("mesos-scp", "--master=zk://z/mesos", name, "c", "/tmp/dir")
        self.assertEqual(done.returncode, 0, done)
        log = pathlib.Path(self.folder.name, "scp.log").read_text()
        self.assertEqual(log, f"-pr|--|{name}|c|agent1:/tmp/dir|\n")
        self.assertIn(b"----- 1 uploaded, 0 failed of total 1 agents", done.stdout)

    def test_scp_tells_failures(self):
        done = self.run_command("mesos-scp", "--master=zk://z/mesos", "bad", "/tmp")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"agent1\tfailed", done.stdout)

    def test_missing_options(self):
        for name in ("mesos-cat", "mesos-ps", "mesos-scp", "mesos-tail"):
            done = self.run_command(name)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"--master", done.stderr)
            self.assertEqual(self.run_command(name, "--help").returncode, 0)


if __name__ == "__main__":
    unittest.main()
