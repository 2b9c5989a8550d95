"""Files in and files out, one module per format. Pure of storage, services and the event loop."""
