"""Quality and lag against references: manifests, recordings streamed one by one, figures, comparison."""
