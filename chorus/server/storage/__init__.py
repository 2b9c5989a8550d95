"""Facts on disk: one writer, many readers, every SQL statement in `tx/`."""
