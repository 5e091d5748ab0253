"""A process that never ends by itself: ``python -m tests.service.endless ANYTHING``."""

import threading

if __name__ == "__main__":
    threading.Event().wait()
