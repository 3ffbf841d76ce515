"""A bucket of tokens: bounds what anybody can make us do in a second."""


class RateLimit:
    """Allow `rate` things a second on average and `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        """Start with a full bucket."""
        self._rate = rate
        self._burst = float(burst)
        self._tokens = self._burst
        self._filled_at: float | None = None

    def allow(self, now: float) -> bool:
        """Take one token; False where none is left."""
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
