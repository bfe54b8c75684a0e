"""What a point of satisfaction is worth: from customers, from tests, and from the stock market."""
