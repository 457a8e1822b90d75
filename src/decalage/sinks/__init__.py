"""Where captions go."""
