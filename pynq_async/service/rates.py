"""How often a token may ask."""

import time
from collections.abc import Callable


class Rates:
    """A token bucket for each name: `burst` requests at once, `rate` a second in the long run."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, as of when

    def take(self, name: str) -> float:
        """Count a request; returns 0, or after how many seconds there is room for it."""
        now = self._clock()
        left, then = self._buckets.get(name, (float(self._burst), now))
        left = min(left + (now - then) * self._rate, self._burst)

        if left < 1:
            self._buckets[name] = (left, now)
            return (1 - left) / self._rate

        self._buckets[name] = (left - 1, now)
        return 0.0
