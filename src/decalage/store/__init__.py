"""What is kept on disk: models."""
