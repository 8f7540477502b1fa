//! The real binary from outside: sockets on both sides, the admin socket, signals, files, exit codes.
//!
//! FOREBAY_TEST_ENGINE = epoll | uring runs everything on that engine. Tests that cannot run here say `NOT RUN`
//! loudly, and fail where
//! CI=true. Ports are 0, directories and namespaces private: tests run side by side, save for those that measure
//! (`harness::heavy`).

#[cfg(test)]
mod admin;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod close_orders;
#[cfg(test)]
mod connecting;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod exhaustion;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod health;
#[cfg(test)]
mod outlier;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod regressions;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod timers;
#[cfg(test)]
mod trouble;
