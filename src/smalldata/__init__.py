"""Honest comparison and explanation of models on small omics tables."""
