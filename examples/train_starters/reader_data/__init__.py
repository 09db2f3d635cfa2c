"""What starter-reader learns from: requests in free words and the task that each wants."""
