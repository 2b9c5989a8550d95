"""The Chorus server: ASGI application, storage, services, jobs and the command line."""
