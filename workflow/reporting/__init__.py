"""Records to statistics to tables and page. Reads records only: a task's declaration says what is in them. No torch."""
