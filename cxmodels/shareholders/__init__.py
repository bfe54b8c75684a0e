"""What a change in satisfaction means to the owners of a firm."""
