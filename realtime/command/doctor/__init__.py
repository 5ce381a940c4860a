"""`bgcam doctor`: does this machine have what bgcam needs, and which command fixes what is missing.

A check is a function of a `Machine` that gives a `Finding`, or None where it does not apply; `checks.py` has their
table. All that they learn of the machine goes through one `System`, so that a test can bring about any fault.
"""
