"""snug-server beside other model servers on the same work: see README.md."""
