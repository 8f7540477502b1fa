//! Keys of the file itself and of the process.

use super::{Form, Key, Kind, LISTENER, POSITIVE, SPAN, Section, TARGET_GROUP, count};

pub(in crate::config) static ROOT: Section = Section {
    path: "",
    keys: &[
        Key::new("runtime", Kind::Table(&RUNTIME), "", "The process."),
        Key::new("admin", Kind::Table(&ADMIN), "", "The admin API."),
        Key::new("log", Kind::Table(&LOG), "", "The operational log, to stderr."),
        Key::new("access_log", Kind::Table(&ACCESS_LOG), "", "One line per session, at its end."),
        Key::new("listeners", Kind::Named(&LISTENER), "", "Addresses that clients reach, by name."),
        Key::new("target_groups", Kind::Named(&TARGET_GROUP), "", "Sets of targets with one policy, by name."),
    ],
};

pub(in crate::config) static RUNTIME: Section = Section {
    path: "runtime",
    keys: &[
        Key::new(
            "workers",
            Kind::WordOrInteger { word: "auto", min: 1, max: 256 },
            "\"auto\"",
            "Worker threads; \"auto\" = the CPUs this process may use (affinity, cgroup quota). Needs a restart.",
        ),
        Key::new(
            "engine",
            Kind::Word(&["auto", "epoll", "uring"]),
            "\"auto\"",
            "How bytes move; \"auto\" = the fastest that this kernel and sandbox allow. Needs a restart.",
        )
        .later_words(&["uring"]),
        Key::new("pin_workers", Kind::Flag, "true", "Pin each worker to a CPU. Needs a restart."),
        Key::new(
            "max_connections",
            Kind::WordOrInteger { word: "auto", min: 1, max: u32::MAX as i64 },
            "\"auto\"",
            "TCP sessions, whole process; \"auto\" = what RLIMIT_NOFILE allows, two descriptors each, less a reserve.",
        ),
        Key::new("max_flows", count(1), "262144", "UDP flows, whole process.").later(),
        Key::new("shutdown_timeout", SPAN, "\"30s\"", "SIGTERM: longest wait for sessions to end."),
        Key::new("drain_delay", SPAN, "\"0s\"", "SIGTERM: keep accepting this long after readiness turned false."),
        Key::new("upgrade_timeout", POSITIVE, "\"30s\"", "A successor not ready by then is ended.").later(),
        Key::new(
            "user",
            Kind::Text(Form::Free { max: 255 }),
            "\"\"",
            "Drop to this user after binding; \"\" = stay. Needs a restart.",
        )
        .later(),
        Key::new(
            "sandbox",
            Kind::Word(&["auto", "off", "required"]),
            "\"auto\"",
            "Whether the process locks itself in (seccomp, landlock, no_new_privs). Needs a restart.",
        )
        .later_words(&["required"]),
    ],
};

pub(in crate::config) static ADMIN: Section = Section {
    path: "admin",
    keys: &[
        Key::new(
            "listen",
            Kind::OneOrList(Form::Admin),
            "[\"unix:<runtime dir>/admin.sock\"]",
            "Where the admin API listens: \"unix:PATH\" or an address with a port; beyond loopback it needs token_file.",
        ),
        Key::new(
            "token_file",
            Kind::Text(Form::Path),
            "\"\"",
            "File that holds the bearer token; unix sockets are 0600 and trust the file mode.",
        ),
    ],
};

pub(in crate::config) static LOG: Section = Section {
    path: "log",
    keys: &[
        Key::new("level", Kind::Word(&["error", "warn", "info", "debug"]), "\"info\"", "Lines below it are dropped."),
        Key::new("format", Kind::Word(&["text", "json"]), "\"text\"", "Shape of a line."),
    ],
};

pub(in crate::config) static ACCESS_LOG: Section = Section {
    path: "access_log",
    keys: &[
        Key::new(
            "path",
            Kind::Text(Form::Path),
            "\"\"",
            "\"\" = off, \"stdout\", \"stderr\" or a file (reopened on SIGUSR1).",
        ),
        Key::new("format", Kind::Word(&["json", "haproxy-tcplog"]), "\"json\"", "Shape of a line.")
            .later_words(&["haproxy-tcplog"]),
    ],
};
