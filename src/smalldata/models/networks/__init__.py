"""Networks: one file per architecture, one training loop, one estimator around it."""
