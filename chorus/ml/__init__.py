"""The model's part: arrays and files in, arrays and files out. Knows nothing of the server."""
