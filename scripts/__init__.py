"""Commands for people who work on Chorus itself; none of it is installed."""
