"""`chorus demo`: a server with pictures and simulated colleagues, to see it work."""
