"""What a trained model's videos are worth; one metric a file."""
