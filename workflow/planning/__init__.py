"""From a config to jobs: the plan, what is run again, what a run is told, what it costs. No torch."""
