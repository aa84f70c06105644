"""What the data of events must look like: the schemas, checks by them, and how two versions compare."""
