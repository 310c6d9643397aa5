"""The config: read, checked against its schema and for sense. No torch."""
