"""Outbound mail as rows; what no SMTP server takes is the development mailbox."""
