//! The real binary from outside: sockets on both sides, the admin socket, signals, files, exit codes.
//!
//! FOREBAY_TEST_ENGINE = epoll | uring runs everything on that engine. Tests that cannot run here say `NOT RUN` loudly, and fail where
//! CI=true. Ports are 0, directories and namespaces private: tests run side by side, save for those that measure (`harness::heavy`).
#![allow(unused, reason = "x")]

#[cfg(test)]
mod harness;
