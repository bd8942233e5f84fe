//! The gate from outside: real sockets, real TLS, handlers that do what a test needs.

mod calls;
mod connections;
mod hostile;
mod world;
