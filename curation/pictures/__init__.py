"""Pictures with captions that a user brings, made a packed set like those of clips."""
