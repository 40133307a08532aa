"""What is asked of a finished run: formulas, ablation, your own images, linear probes, exports."""
