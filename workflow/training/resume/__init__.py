"""What a training keeps while it runs, so that it can be resumed with the same bits."""
