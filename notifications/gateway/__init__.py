"""The process that holds players' sockets."""
