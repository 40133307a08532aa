"""TorchScript files: their modules run where no hook of Python's reaches, so marks are put into their graphs."""
