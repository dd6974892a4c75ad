"""One snug-server over a directory's models/, on ports of the system's choice."""
import json
import signal
import subprocess

from waiting import wait_for


class ServerProcess:
    def __init__(self, program, directory, *options, launcher=()):
        """Returns once the server listens; its models may still be loading. `directory` gets a log and a ready file.
        `launcher`: a command that becomes the program, such as taskset."""
        self.log = directory / "server.log"
        self.ready_file = directory / "ready.json"
        self.ready_file.unlink(missing_ok=True)
        command = [*launcher, program, "--models", directory / "models", "--grpc-port", "0", "--rest-port", "0",
                   "--ready-file", self.ready_file, *options]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(part) for part in command], stderr=log, stdout=log)
        try:
            wait_for(lambda: self.ready_file.exists() or self.process.poll() is not None, "the server's ready file")
            assert self.process.poll() is None, f"snug-server ended:\n{self.log.read_text()}"
        except AssertionError:
            self.process.kill()
            raise
        ports = json.loads(self.ready_file.read_text())
        assert ports["pid"] == self.process.pid
        self.pid, self.grpc_port, self.rest_port = self.process.pid, ports["grpc_port"], ports["rest_port"]
        self.grpc, self.rest = f"127.0.0.1:{self.grpc_port}", f"127.0.0.1:{self.rest_port}"

    def stop(self):
        """The exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)
