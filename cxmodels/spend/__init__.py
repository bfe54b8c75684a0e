"""What an order is worth: spend per purchase, shrunk towards the average customer."""
