"""xfactor beside other packages, on the same task: ``python -m tests.benchmarks.peers``."""
