"""A real Kubernetes node on this machine, in namespaces of its own, for the end-to-end tests."""
