"""What a cell does beside what it measures."""
import threading


class Meanwhile:
    """Calls `step` again and again on a thread of its own, with a pause before each, for as long as the block lasts."""

    pause_seconds = 0.0

    def step(self):
        raise NotImplementedError

    def __enter__(self):
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _work(self):
        while not self._over.wait(self.pause_seconds):
            self.step()
