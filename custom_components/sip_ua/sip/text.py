"""Text from a peer on its way to people: bounded and without control characters."""

from unicodedata import category

TEXT_LIMIT = 128


def clean_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return at most `limit` printable characters of `text`, without the space around it."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text.strip()
    kept = "".join(char for char in text[: limit * 4] if category(char)[0] != "C" or char == "\u200d")
    return kept.strip()[:limit]
