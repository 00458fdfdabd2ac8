"""The look of the operations console, its front page and its live pulse."""
