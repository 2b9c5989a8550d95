"""HTTP and websockets in front of the services. Knows nothing of storage."""
