"""Dissect a network while it is trained: callbacks for a plain loop, Lightning and Hugging Face's Trainer."""
