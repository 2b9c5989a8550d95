"""Many people in real time against a real server: does it keep up, and lose nothing?"""
