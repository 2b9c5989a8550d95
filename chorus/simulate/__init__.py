"""`chorus simulate`: a whole project run by simulated labelers against a real server."""
