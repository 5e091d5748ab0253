"""Makes the fixtures of `calling` known to pytest."""

from calling import done, maskwright, street

__all__ = ["done", "maskwright", "street"]
