"""Records to statistics to tables and page. Reads records alone: imports no task and no torch."""
