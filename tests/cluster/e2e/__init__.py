"""End-to-end tests on a real cluster: our own node, or the one that KUBECONFIG names."""
