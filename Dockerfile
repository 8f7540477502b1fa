# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src ./src
COPY bench ./bench
COPY examples ./examples
RUN cargo build --release --locked --bin forebay

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/forebay /usr/bin/forebay
COPY config/minimal.toml /etc/forebay/forebay.toml
# The default seccomp profile of containers denies io_uring: the epoll engine needs nothing special.
# Ports under 1024 need no capability where net.ipv4.ip_unprivileged_port_start is 0, as container runtimes set it.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/forebay"]
CMD ["run"]
