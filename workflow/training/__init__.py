"""What the three tasks share: run one mmengine config, resume it exactly, record it."""
