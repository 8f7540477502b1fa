//! What the parser takes and refuses.

use super::*;
use clap::error::ErrorKind;

fn parse(line: &str) -> Result<Cli, ErrorKind> {
    Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.kind())
}

#[test]
fn the_definition_is_sound() {
    definition().debug_assert();
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in definition().get_subcommands() {
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Example") || command.has_subcommands(), "{}:\n{help}", command.get_name());
        assert!(command.get_about().is_some(), "{}", command.get_name());
    }
}

#[test]
fn a_weight_belongs_to_the_action_weight() {
    assert!(parse("forebay target web a1 drain").is_ok());
    assert!(parse("forebay target web a1 weight 0 --admin unix:/x").is_ok());
    assert_eq!(parse("forebay target web a1 weight").expect_err("no number"), ErrorKind::MissingRequiredArgument);
    assert_eq!(parse("forebay target web a1 weight 1001").expect_err("too much"), ErrorKind::ValueValidation);
    assert_eq!(parse("forebay target web a1 remove").expect_err("no such action"), ErrorKind::InvalidValue);
}

#[test]
fn explain_needs_listener_and_client() {
    assert!(parse("forebay explain --listener web --client 192.0.2.7:1 --json --live").is_ok());
    assert_eq!(parse("forebay explain --listener web").expect_err("no client"), ErrorKind::MissingRequiredArgument);
}
