"""The server: sessions and their protocol without sockets, and the sockets at the edge."""
