"""The same pages at any depth for the same cost."""
