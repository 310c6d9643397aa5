"""The declarations of networks, a file a family, which workflow/registry.py finds: each has `NETWORKS`."""
