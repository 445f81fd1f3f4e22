"""Jobs over HTTP, for those who run them."""
