"""Files of ``torch.export.save``: screened before torch opens them, then probed as the modules they were exported from."""
