//! Writing to stdout, and aligned tables.

use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Writes `text` and a line end where it lacks one. A reader that went away is no failure.
pub(super) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    drop(
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.write_all(line_end.as_bytes()))
            .and_then(|()| stdout.flush()),
    );
}

/// Rows under headings, columns two spaces apart; a heading that starts with `>` is aligned to the right.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let heading = |column: usize| headings[column].trim_start_matches('>');
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading(column).chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut text = String::new();
    let names: Vec<String> = (0..headings.len()).map(|column| heading(column).to_uppercase()).collect();
    for row in std::iter::once(&names).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let written = if headings[column].starts_with('>') {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
            written.expect("a String takes all that is written");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_on_the_right() {
        let row = |name: &str, count: &str| vec![name.to_owned(), count.to_owned(), "x".to_owned()];
        let text = table(&["name", ">count", "end"], &[row("é", "7"), row("longer", "123456")]);
        assert_eq!(text, "NAME     COUNT  END\né            7  x\nlonger  123456  x\n");
    }
}
