"""How clips are found to show the same: exactly, re-encoded or cut otherwise, or alike in meaning."""
